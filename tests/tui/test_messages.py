"""What can be done with one message: edit, fork, page through replies, copy, quote; by keys and by mouse."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from persona.chat.branching import alternatives
from persona.tui import quoting
from persona.tui.clocks import Clocks
from persona.tui.screens.branching import EDITING
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.messages import Quote, Thinking, TwinMessage, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.said import Said
from tui.conftest import NOON, chat, make_app, opened, screen_text, text_of, wait_until, write
from tui.scripted import ScriptedEngine, ThinkingDelta
from tui.test_sessions import long_chat, tell

WIDE = (100, 34)


async def resumed(pilot: Pilot[Any], shown: str) -> None:
    await wait_until(pilot, lambda: shown in screen_text(pilot))


async def test_an_edited_message_is_asked_in_a_fork_and_nothing_is_lost(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"), ("two", "reply two"), ("three", "reply three"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply three")
        await pilot.press("x")
        # the last message, its reply, the one before: three up
        await pilot.press("alt+up", "up", "up", "up")
        await wait_until(pilot, lambda: isinstance(pilot.app.focused, UserMessage))
        await pilot.press("e")
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "two")
        assert prompt.border_title == EDITING.format(send="enter", leave="esc")
        await pilot.press("!", "enter")
        engine.say("another two")
        engine.end()
        await wait_until(pilot, lambda: "another two" in screen_text(pilot))
        assert "reply one" in screen_text(pilot)
        assert "three" not in screen_text(pilot)
        request = engine.requests[0]
        assert request.text == "two!"
        assert request.session_id != first
        assert [t.text for t in engine.sessions.turns(first)][-1] == "reply three"
        await wait_until(pilot, lambda: engine.sessions.draft(first) == "x")


async def test_escape_leaves_the_editing_and_gives_back_what_was_written(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply one")
        await pilot.press(*"half")
        pilot.app.post_message(Key("alt+e", "e"))  # as a terminal sends it
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "one")
        await pilot.press("escape")
        await wait_until(pilot, lambda: prompt.text == "half")
        assert not prompt.border_title


async def test_the_first_message_edited_begins_a_new_chat(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply one")
        await pilot.press("alt+e", "!", "enter")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert engine.requests[0].session_id is None
        assert engine.requests[0].text == "one!"


async def test_a_chat_forks_at_any_message(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"), ("two", "reply two"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply two")
        await pilot.press("alt+up", "up", "up", "f")
        await wait_until(pilot, lambda: len(engine.sessions.list()) == 2)
        await wait_until(pilot, lambda: "reply two" not in screen_text(pilot))
        assert "reply one" in screen_text(pilot)
        assert "(fork)" in str(chat(pilot).query_one(Prompt).border_subtitle)


async def test_replies_are_paged_through_and_the_chat_goes_on_with_the_one_shown(
    engine: ScriptedEngine,
) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("First.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("ctrl+r")
        engine.say("Second.")
        engine.end()
        await wait_until(pilot, lambda: "2 of 2" in screen_text(pilot))
        await pilot.press("alt+comma")
        await wait_until(pilot, lambda: "First." in screen_text(pilot))
        assert "1 of 2" in screen_text(pilot)
        assert "Second." not in screen_text(pilot)
        (session,) = engine.sessions.list()
        assert [t.text for t in engine.sessions.turns(session.id)] == ["where?", "First."]
        # the arrow beside the name, with the mouse
        head = screen.query_one(TwinMessage).head
        await pilot.click(head, offset=(text_of(head).index("›"), 0))
        await wait_until(pilot, lambda: "Second." in screen_text(pilot))
        await pilot.press("alt+full_stop")
        await wait_until(pilot, lambda: "First." in screen_text(pilot))
        assert len(alternatives(engine.sessions, screen.query_one(TwinMessage).turn_id or "")) == 2


async def test_a_stored_chat_says_that_there_are_other_replies(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    engine.sessions.add_reply(first, 1, text="reply uno", status="complete")
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "2 of 2")
        assert "reply one" not in screen_text(pilot)


async def test_code_is_copied_by_a_key_and_by_a_click(engine: ScriptedEngine) -> None:
    first = tell(engine, ("how?", "So:\n\n```python\nprint(1)\n```\n\nand\n\n```\nls\n```"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "print(1)")
        await pilot.press("alt+c")
        await wait_until(pilot, lambda: pilot.app.clipboard == "ls")
        await pilot.click("Code", offset=(3, 1))
        await wait_until(pilot, lambda: pilot.app.clipboard == "print(1)")


async def test_a_message_is_quoted_and_copied_where_the_reader_is(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one\n\nin two parts"), ("two", "reply two"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply two")
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == "reply two"
        await pilot.press("alt+up", "up", "up", "c")
        await wait_until(pilot, lambda: pilot.app.clipboard == "reply one\n\nin two parts")
        await pilot.press("q")
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "> reply one\n> \n> in two parts\n\n")
        assert prompt.has_focus


async def test_links_appear_under_the_mouse_and_work(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply one")
        head = chat(pilot).query_one(UserMessage).head
        assert "edit" not in text_of(head)
        await pilot.hover(head)
        await wait_until(pilot, lambda: "edit" in text_of(head))
        await pilot.click(head, offset=(text_of(head).index("edit"), 0))
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).text == "one")


async def test_thinking_stays_open_in_a_chat_where_the_reader_opened_it(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.say(ThinkingDelta("hm"), "reply one")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert not screen.query(Thinking).last().opened
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: screen.query(Thinking).last().opened)
        await write(pilot, "two")
        engine.say(ThinkingDelta("hmm"), "reply two")
        engine.end()
        await wait_until(pilot, lambda: len(engine.idled) == 2)
        assert [t.opened for t in screen.query(Thinking)] == [True, True]
        (session,) = engine.sessions.list()
    async with make_app(engine, session_id=session.id).run_test(size=WIDE) as pilot:
        await resumed(pilot, "reply two")
        assert [t.opened for t in chat(pilot).query(Thinking)] == [True, True]


def in_view(pilot: Pilot[Any], line: str) -> bool:
    return any(shown.lstrip(" ▌").rstrip(" ▁▂▃▄▅▆▇█") == line for shown in screen_text(pilot).splitlines())


@pytest.mark.slow
async def test_a_long_chat_is_scrolled_to_its_beginning_with_few_widgets(engine: ScriptedEngine) -> None:
    first = long_chat(engine, 32)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "answer 32")
        page = chat(pilot).query_one(Conversation)
        most = 0
        for _ in range(60):
            page.scroll_page_up(animate=False)
            await wait_until(pilot, lambda: not page.bringing)
            most = max(most, len(page.children))
            if in_view(pilot, "question 1"):
                break
        assert in_view(pilot, "question 1")
        assert most <= 62
        await pilot.press("ctrl+end")
        await resumed(pilot, "answer 32")
        await pilot.press("ctrl+home")
        await wait_until(pilot, lambda: in_view(pilot, "question 1"))


async def test_what_is_read_stays_where_it_is_while_turns_come_above(engine: ScriptedEngine) -> None:
    first = long_chat(engine, 32)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "answer 32")
        screen = chat(pilot)
        page = screen.query_one(Conversation)
        read = next(said for said in screen.query(Said) if said.virtual_region.y > 12)
        place, count, painted = read.virtual_region.y, len(page.children), set[int]()
        screen.screen_layout_refresh_signal.subscribe(
            screen, lambda _: painted.add(read.region.y - page.region.y), immediate=True
        )
        page.scroll_to(y=3, animate=False, immediate=True)
        await wait_until(pilot, lambda: len(page.children) > count + 3 and not page.bringing)
        assert painted == {place - 3}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (datetime(2026, 11, 21, 18, 0, tzinfo=UTC), "you  12:00"),
        (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), "you  21 November, 12:00"),
        (datetime(2027, 1, 1, 8, 0, tzinfo=UTC), "you  21 November 2026, 12:00"),
    ],
    ids=["today", "this year", "another year"],
)
async def test_a_message_of_another_day_says_which(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, now: datetime, said: str
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("persona.chat.writes.now", NOON.isoformat)
    first = tell(engine, ("one", "reply one"))
    app = make_app(engine, session_id=first, clocks=Clocks(now=lambda: now, seconds=lambda: 0.0))
    async with app.run_test(size=(60, 24)) as pilot:
        await resumed(pilot, "reply one")
        head = chat(pilot).query_one(UserMessage).head
        assert text_of(head).strip() == said
        await pilot.hover(head)
        await wait_until(pilot, lambda: "fork" in text_of(head))
        assert "12:00" in text_of(head)


async def test_a_quote_says_whose_words_they_are_and_leads_there(engine: ScriptedEngine) -> None:
    first = long_chat(engine, 32)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "answer 32")
        screen = chat(pilot)
        await pilot.press("alt+up", "q")
        prompt = screen.query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text.startswith("> answer 32"))
        await pilot.press(*"why", "enter")
        quote = await wait_until(pilot, lambda: screen.query(Quote) and screen.query_one(Quote))
        await wait_until(pilot, lambda: "and more of it" in text_of(quote))
        assert text_of(quote).split()[:5] == ["▌", "Mira", "Sol", "▌", "answer"]
        assert ">" not in text_of(quote)
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert engine.requests[0].text == "> answer 32\n> \n> and more of it\n\nwhy"
        await pilot.click(quote, offset=(3, 0))
        await wait_until(pilot, lambda: isinstance(pilot.app.focused, TwinMessage))
        assert "answer 32" in text_of(pilot.app.focused)  # type: ignore[arg-type]


async def test_a_quote_of_a_stored_chat_leads_to_a_message_that_is_not_on_the_page(
    engine: ScriptedEngine,
) -> None:
    first = long_chat(engine, 32)
    engine.sessions.add_user(first, "> question 3\n\nwhat was that?", correspondent="Jonas")
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await resumed(pilot, "what was that?")
        quote = chat(pilot).query_one(Quote)
        assert text_of(quote).split()[:3] == ["▌", "you", "▌"]
        await pilot.click(quote, offset=(3, 0))
        await wait_until(pilot, lambda: in_view(pilot, "question 3"))


def test_quotes_are_split_from_what_is_said_of_them() -> None:
    assert quoting.split("> one\n> \n> two\n\nwell") == ("one\n\ntwo", "well")
    assert quoting.split("> one") == ("one", "")
    assert quoting.split("well > one") == ("", "well > one")
    assert quoting.split(quoting.quote("> a\nb") + "\n\nc") == ("> a\nb", "c")
