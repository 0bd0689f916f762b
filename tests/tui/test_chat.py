"""The chat, through its keys and what it shows, over an engine with scripted words."""

import pytest
from textual.events import Key, Paste

from persona.backends.base import ThinkingDelta
from persona.errors import ModelError
from persona.tui.widgets.messages import ErrorPanel, TwinMessage, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.welcome import Questions, Welcome
from tui.conftest import QUESTIONS, make_app, opened, screen_text, text_of, wait_until, write
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


@pytest.mark.parametrize("text", ["~5 euros each", "/" + "and so on " * 900, "it's ~5 " + "long" * 90])
async def test_what_looks_like_a_path_and_is_none_is_pasted_as_it_is(
    engine: ScriptedEngine, text: str
) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        prompt = (await opened(pilot)).query_one(Prompt)
        pilot.app.post_message(Paste(text))
        await wait_until(pilot, lambda: prompt.text == text)


async def test_a_long_paste_is_sent_whole(engine: ScriptedEngine) -> None:
    text = "\n".join(f"line {number} of a page that somebody pasted" for number in range(2000))
    async with make_app(engine).run_test(size=WIDE) as pilot:
        prompt = (await opened(pilot)).query_one(Prompt)
        pilot.app.post_message(Paste(text))
        await wait_until(pilot, lambda: prompt.text == text)
        assert prompt.size.height < WIDE[1] // 2
        await pilot.press("enter")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == text


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


async def test_up_takes_the_last_message_back(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("up")
        await wait_until(pilot, lambda: screen.query_one(Prompt).text == "one")
