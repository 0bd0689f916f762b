"""The chat, through its keys and what it shows, over an engine with scripted words."""

import pytest
from textual.events import Key, Paste
from textual.widgets import Footer, Static

from knowledge.records import Memory
from persona.backends.base import ThinkingDelta
from persona.config import ChatSettings, MemorySettings, Settings
from persona.errors import ModelError
from persona.tui.keys import ACTIONS
from persona.tui.screens.help import HelpScreen
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.messages import ErrorPanel, Thinking, TwinMessage, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.welcome import Questions, Welcome
from tui.conftest import QUESTIONS, chat, make_app, opened, screen_text, text_of, wait_until, write
from tui.scripted import ScriptedEngine, memory

WIDE = (100, 30)


async def test_three_questions_open_an_empty_chat_and_go_with_the_first_turn(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for question in QUESTIONS:
            assert question in screen_text(pilot)
        await pilot.press("up", "enter")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == QUESTIONS[-1]
        assert not pilot.app.screen.query(Welcome)
        assert isinstance(pilot.app.focused, Prompt)


async def test_a_question_is_picked_with_the_mouse(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await pilot.click(Questions, offset=(5, 1))
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == QUESTIONS[1]


async def test_letters_typed_just_before_enter_are_sent_with_it(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for letter in "hello":
            pilot.app.post_message(Key(letter, letter))
        pilot.app.post_message(Key("enter", "\r"))
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == "hello"


async def test_a_reply_appears_while_it_is_still_being_said(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where do you live?")
        engine.say("In **Por")
        await wait_until(pilot, lambda: "In **Por" in screen_text(pilot))
        assert "replying" in screen_text(pilot)
        engine.say("to**, near")
        engine.say(" the river.")
        await wait_until(pilot, lambda: "In Porto, near the river." in screen_text(pilot))
        engine.end()
        await wait_until(pilot, lambda: "replying" not in screen_text(pilot))
        assert "In Porto, near the river." in text_of(screen.query_one(TwinMessage))
        assert "where do you live?" in text_of(screen.query_one(UserMessage))


async def test_a_finished_reply_is_shown_as_one_document(engine: ScriptedEngine) -> None:
    """Piecewise parsing cannot know a link defined below; the last full update can."""
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "a link")
        engine.say("See [the map][m].\n\n")
        engine.say("[m]: http://localhost/map\n")
        engine.end()
        await wait_until(pilot, lambda: "See the map." in screen_text(pilot))


async def test_enter_sends_and_ctrl_j_breaks_the_line(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        prompt = screen.query_one(Prompt)
        low = prompt.size.height
        await pilot.press("a", "ctrl+j", "b")
        assert prompt.text == "a\nb"
        await wait_until(pilot, lambda: prompt.size.height > low)
        await pilot.press("enter")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == "a\nb"
        assert prompt.text == ""


async def test_thinking_has_a_fold_of_its_own_that_closes_when_the_reply_begins(
    engine: ScriptedEngine,
) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await pilot.press("ctrl+t")
        await write(pilot, "where?")
        engine.say(ThinkingDelta("Memory 1 says "), ThinkingDelta("Porto."))
        await wait_until(pilot, lambda: "Memory 1 says Porto." in screen_text(pilot))
        assert "thinking…" in screen_text(pilot)
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "thought for 0.0 s · 4 words" in screen_text(pilot))
        assert "Memory 1 says" not in screen_text(pilot)
        assert engine.requests[0].thinking is True
        screen.query_one(Thinking).opened = True
        await wait_until(pilot, lambda: "Memory 1 says Porto." in screen_text(pilot))


async def test_memories_open_under_the_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "2 memories" in screen_text(pilot))
        assert "I moved to Porto" not in screen_text(pilot)
        await pilot.click(screen.query_one(MemoryList).query_one("FoldTitle"))
        shown = await wait_until(
            pilot, lambda: "I moved to Porto" in screen_text(pilot) and screen_text(pilot)
        )
        assert "[1] 12 March 2024 · me · slack #general" in shown
        assert "score 0.83 · words: moved, porto; meaning 0.52" in shown
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "I moved to Porto" not in screen_text(pilot))


async def test_the_switches_are_visible_and_asked_for(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for before, key, after in (
            ("○ thinking off", "ctrl+t", "● thinking on"),
            ("● memory on", "ctrl+g", "○ memory off"),
            ("● compression extractive", "ctrl+o", "○ compression off"),
        ):
            assert before in screen_text(pilot)
            await pilot.press(key)
            await wait_until(pilot, lambda after=after: after in screen_text(pilot))
        await write(pilot, "hi")
        engine.end()
        request = await wait_until(pilot, lambda: engine.requests and engine.requests[0])
        assert (request.thinking, request.memory, request.compression) == (True, False, "off")
        await pilot.click("#switch-thinking")
        await wait_until(pilot, lambda: "○ thinking off" in screen_text(pilot))


async def test_the_switches_start_as_the_settings_say(engine: ScriptedEngine) -> None:
    settings = Settings(
        chat=ChatSettings(thinking=True, compression="off"), memory=MemorySettings(enabled=False)
    )
    async with make_app(engine, settings=settings).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for state in ("● thinking on", "○ memory off", "○ compression off"):
            assert state in screen_text(pilot)


async def test_the_head_says_that_this_is_the_starter_model(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(60, 24)) as pilot:
        await opened(pilot)
        assert "starter model: a small reader, not a conversationalist" in screen_text(pilot)
        assert "● compression extractive" in screen_text(pilot)


async def test_escape_stops_and_keeps_what_was_said(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "tell me")
        engine.say("So far, ")
        await wait_until(pilot, lambda: "So far," in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "■ stopped" in screen_text(pilot))
        assert "So far," in screen_text(pilot)
        await write(pilot, "go on")
        engine.say("And then.")
        engine.end()
        await wait_until(pilot, lambda: "And then." in screen_text(pilot))


async def test_answering_again_replaces_the_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("First.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("ctrl+r")
        engine.say("Second.")
        engine.end()
        await wait_until(pilot, lambda: len(engine.idled) == 2)
        assert "Second." in screen_text(pilot)
        assert "First." not in screen_text(pilot)
        assert len(screen.query(TwinMessage)) == 1
        assert engine.regenerated == [engine.sessions.list()[0].id]


async def test_a_reply_that_cannot_be_made_again_leaves_the_old_one(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        engine.say("First.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("ctrl+r")
        engine.say(ModelError("out of memory", "close something"))
        await wait_until(pilot, lambda: "out of memory" in screen_text(pilot))
        assert "First." in screen_text(pilot)


async def test_the_last_reply_is_copied(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        engine.say("In **Porto**.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == "In **Porto**."


async def test_help_names_every_key(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(100, 50)) as pilot:
        await opened(pilot)
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        for action in ACTIONS:
            assert action.keys in screen_text(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))


async def test_the_palette_holds_every_action(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        titles = [command.title for command in pilot.app.get_system_commands(screen)]
        assert {action.title for action in ACTIONS} <= set(titles)
        assert len(titles) == len(set(titles))
        await pilot.press("ctrl+p")
        for character in "thinking":
            await pilot.press(character)
        await wait_until(pilot, lambda: "let the model think" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "● thinking on" in screen_text(pilot))


async def test_an_error_is_a_panel_with_its_hint_and_the_chat_goes_on(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("Well", ModelError("the prompt [b]does not fit[/b]", "start a new chat"))
        await wait_until(pilot, lambda: screen.query(ErrorPanel))
        shown = screen_text(pilot)
        assert "the prompt [b]does not fit[/b]" in shown
        assert "→ start a new chat" in shown
        assert "Well" in shown
        assert "broke off" in shown
        await write(pilot, "again")
        engine.say("Better.")
        engine.end()
        await wait_until(pilot, lambda: "Better." in screen_text(pilot))


async def test_an_unexpected_error_is_shown_too(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        engine.say(RuntimeError("kaput"))
        await wait_until(pilot, lambda: "RuntimeError: kaput" in screen_text(pilot))


@pytest.mark.parametrize(
    "text", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "[bold]x[/bold] [@click=app.quit]y[/]"]
)
async def test_escape_sequences_and_markup_are_shown_never_obeyed(engine: ScriptedEngine, text: str) -> None:
    shown = text.replace("\x1b", "").replace("\x07", "")
    engine.memories = (memory(1, text, author=text, is_self=False, conversation=text, why=text),)
    async with make_app(engine).run_test(size=(140, 40)) as pilot:
        screen = await opened(pilot)
        screen.query_one(Prompt).text = text
        await pilot.press("enter")
        engine.say(ThinkingDelta(text), text[:2], text[2:], ModelError(text, text))
        await wait_until(pilot, lambda: screen.query(ErrorPanel))
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "score 0.83" in screen_text(pilot))
        drawn = "".join(strip.text for strip in screen._compositor.render_strips())
        assert "\x1b" not in drawn
        assert "\x07" not in drawn
        assert drawn.count(shown.split(" ")[0]) >= 7


async def test_pasted_control_characters_do_not_reach_the_prompt(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        prompt = (await opened(pilot)).query_one(Prompt)
        pilot.app.post_message(Paste("\x1b[2Jhello\r\nthere"))
        await wait_until(pilot, lambda: prompt.text)
        assert prompt.text == "[2Jhello\nthere"


async def test_the_page_follows_its_end_only_while_the_reader_is_there(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(80, 20)) as pilot:
        page = (await opened(pilot)).query_one(Conversation)
        await write(pilot, "tell me")
        engine.say("\n\n".join(f"line {n}" for n in range(30)))
        await wait_until(pilot, lambda: "line 29" in screen_text(pilot))
        await pilot.press("pageup", "pageup")
        await wait_until(pilot, lambda: "line 29" not in screen_text(pilot))
        reading = page.scroll_y
        engine.say("\n\nand one more", "\n\nand the last")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert page.scroll_y == reading
        assert "the last" not in screen_text(pilot)
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: "and the last" in screen_text(pilot))
        await write(pilot, "more")
        engine.say("\n\n".join(f"row {n}" for n in range(30)))
        await wait_until(pilot, lambda: "row 29" in screen_text(pilot))
        engine.end()


async def test_what_the_reader_opens_comes_into_view_heading_first(engine: ScriptedEngine) -> None:
    engine.memories = tuple(memory(n, f"memory number {n}") for n in range(1, 11))
    async with make_app(engine).run_test(size=(80, 20)) as pilot:
        await opened(pilot)
        await write(pilot, "tell me")
        engine.say("\n\n".join(f"line {n}" for n in range(12)))
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await wait_until(pilot, lambda: "10 memories" in screen_text(pilot))
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "memory number 1" in screen_text(pilot).splitlines()[6])
        assert "10 memories" in screen_text(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "memory number 10" in screen_text(pilot))


async def test_the_meter_and_the_figures_of_the_last_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        await wait_until(pilot, lambda: "423 of 1,664 tokens" in screen_text(pilot))
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "512 of 1,664 tokens" in screen_text(pilot))
        assert "31 tokens/s · first word after 0.4 s" in screen_text(pilot)


async def test_a_new_chat_is_empty_and_the_next_message_starts_a_session(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "one")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await write(pilot, "two")
        engine.end()
        await wait_until(pilot, lambda: len(engine.idled) == 2)
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
        await write(pilot, "three")
        engine.end()
        await wait_until(pilot, lambda: len(engine.idled) == 3)
        first, second, third = engine.requests
        assert first.session_id is None
        assert second.session_id is not None
        assert third.session_id is None


async def test_one_reply_at_a_time(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE, notifications=True) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.say("Hm")
        await wait_until(pilot, lambda: "Hm" in screen_text(pilot))
        await write(pilot, "two")
        await wait_until(pilot, lambda: "A reply is still being written" in screen_text(pilot))
        assert screen.query_one(Prompt).text == "two"
        assert len(engine.requests) == 1


async def test_the_footer_offers_what_can_be_done_now(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        footer = screen.query_one(Footer)
        assert "Stop" not in text_of(footer)
        assert "Again" not in text_of(footer)
        await write(pilot, "one")
        await wait_until(pilot, lambda: "Stop" in text_of(footer))
        engine.end()
        await wait_until(pilot, lambda: "Again" in text_of(footer))
        assert "Stop" not in text_of(footer)


async def test_up_takes_the_last_message_back(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("up")
        await wait_until(pilot, lambda: screen.query_one(Prompt).text == "one")


async def test_no_memories_no_list(engine: ScriptedEngine) -> None:
    engine.memories: tuple[Memory, ...] = ()
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.say("I don't know.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert not screen.query(MemoryList)
        assert screen.query(Static)
