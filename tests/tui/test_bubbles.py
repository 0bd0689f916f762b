"""A reply of several short messages, as a twin gives it that learned from messages in a row."""

import pytest
from textual.widgets.markdown import MarkdownBlock

from persona.config import Settings, TuiSettings
from persona.tui.bubbles import MOST, apart, is_burst
from persona.tui.widgets.messages import TwinMessage
from tui.conftest import make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_sessions import tell

BURST = "hm\nok, at ten\nbring the map"


@pytest.mark.parametrize(
    "text", [BURST, "ja\nnein?", "one  \ntwo\n", "at 10\n12 is too late", "**now**\nor never"]
)
def test_plain_lines_are_messages_in_a_row(text: str) -> None:
    assert is_burst(text)
    assert apart(text).count("\n\n") == text.strip().count("\n")


@pytest.mark.parametrize(
    "text",
    ["", "one", "one\n", "one\n\ntwo", "these:\n- a\n- b", "1. a\n2. b", "# head\ntext", "> quote\nanswer",
     "| a | b |\n|---|---|", "```\nls\n```", "text\n    code", "head\n---", "head\n===",
     "la la\n" * (MOST + 1)],
)  # fmt: skip
def test_markdown_and_paragraphs_are_one_message(text: str) -> None:
    assert not is_burst(text)


def bubbles(message: TwinMessage) -> list[str]:
    return [str(block._content) for block in message.query(MarkdownBlock)]


async def test_messages_in_a_row_come_one_by_one_and_are_one_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await write(pilot, "when?")
        engine.say("hm")
        await wait_until(
            pilot, lambda: screen.query(TwinMessage) and bubbles(screen.query_one(TwinMessage)) == ["hm"]
        )
        for piece in ("\n", "ok, at", " ten", "\nbring the", " map"):
            engine.say(piece)
            await pilot.pause(0.12)
        message = screen.query_one(TwinMessage)
        await wait_until(pilot, lambda: bubbles(message) == BURST.splitlines())
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert bubbles(message) == BURST.splitlines()
        assert message.text == BURST
        (session,) = engine.sessions.list()
        assert engine.sessions.turns(session.id)[-1].text == BURST
        rows = screen_text(pilot).splitlines()
        at = next(n for n, row in enumerate(rows) if "ok, at ten" in row)
        assert "bring the map" not in rows[at]


async def test_what_turns_out_to_be_a_list_becomes_one_message_again(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await write(pilot, "what?")
        engine.say("bring\nthe map")
        await wait_until(pilot, lambda: screen.query(".-burst"))
        engine.say("\n\n- and water")
        engine.end()
        await wait_until(pilot, lambda: "• and water" in screen_text(pilot))
        assert not screen.query(".-burst")
        assert bubbles(screen.query_one(TwinMessage))[0] == "bring the map"


async def test_a_stored_burst_is_one_message_where_the_setting_says_so(engine: ScriptedEngine) -> None:
    first = tell(engine, ("when?", BURST))
    off = Settings(tui=TuiSettings(bubbles=False))
    async with make_app(engine, session_id=first, settings=off).run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: "hm ok, at ten bring the map" in screen_text(pilot))
