"""The glass box: the exact prompt by section, budgets, memories with their surroundings, summaries."""

from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot

from knowledge.records import StoredMessage
from persona.backends.base import Usage
from persona.chat.fact_book import FactBook
from persona.chat.left_out import left_out
from persona.chat.turns import Summary, Turn
from persona.tui.glass import cited
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.glass import GlassScreen
from persona.tui.screens.line import LineScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.glass import Remembered, Summarised, Told
from persona.tui.widgets.prompt import Prompt
from tui.conftest import chat, make_app, opened, screen_text, text_of, wait_until, write
from tui.scripted import USAGE, ScriptedEngine

SIZES = pytest.mark.parametrize("size", [(120, 60), (60, 60)], ids=["wide", "narrow"])


def stored(id: str, text: str) -> StoredMessage:
    return StoredMessage(
        id=id, source="slack", conversation_id="slack:C1", conversation="#general", author_id="u1",
        author="Jonas", is_self=False, sent_at=datetime(2024, 3, 12, 9, 0, tzinfo=UTC), text=text,
        kind="speech", thread=None, reply_to=None,
    )  # fmt: skip


async def looked(pilot: Pilot[Any]) -> GlassScreen:
    """Open the glass box."""
    await pilot.press("f2")
    screen = await wait_until(pilot, lambda: isinstance(pilot.app.screen, GlassScreen) and pilot.app.screen)
    await wait_until(pilot, lambda: "the prompt, in its order" in screen_text(pilot))
    assert isinstance(screen, GlassScreen)
    return screen


@SIZES
async def test_the_prompt_that_was_sent_by_section_with_its_figures(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    async with make_app(engine).run_test(size=size) as pilot:
        await opened(pilot)
        await write(pilot, "where do you live?")
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await looked(pilot)
        shown = " ".join(screen_text(pilot).split())
        assert "sent with your last message" in shown
        assert "423 of 1,664 tokens" in shown
        assert "window 2,048 = 1,664 for the prompt + 384 kept for the reply" in shown.replace(" │ │ ", " ")
        assert "cached: 310 of 423 tokens (73%)" in shown
        for section in ("rules", "persona card", "summaries", "recent turns", "memories", "message"):
            assert section in shown
        assert "About you:" not in shown
        await pilot.press("tab", "enter")
        await wait_until(pilot, lambda: "About you:" in screen_text(pilot))
        await pilot.press("f2")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))


async def test_what_is_written_is_shown_as_it_would_be_sent(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(100, 50)) as pilot:
        screen = await opened(pilot)
        screen.query_one(Prompt).text = "and then?"
        await looked(pilot)
        assert "would be sent with what you have written" in screen_text(pilot)
        assert "not sent" in screen_text(pilot)
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "and then?" in screen_text(pilot))
        assert not engine.requests
        await pilot.press("escape", "ctrl+a", "ctrl+k")
        await wait_until(pilot, lambda: pilot.app.screen is screen and not screen.query_one(Prompt).text)
        await looked(pilot)
        assert "what your next message will be added to" in screen_text(pilot)


async def test_a_memory_shows_the_conversation_around_it(engine: ScriptedEngine) -> None:
    for message in (stored("slack:C1:0", "where are you these days?"), stored("slack:C1:1", "in Porto")):
        engine.memory.stored[message.id] = message
    async with make_app(engine).run_test(size=(100, 60)) as pilot:
        screen = await opened(pilot)
        screen.query_one(Prompt).text = "where?"
        glass = await looked(pilot)
        first, second = glass.query(Remembered)
        assert "[1] 0.83 · 12 March 2024 · me · slack #general" in screen_text(pilot)
        await pilot.click(first.query_one("FoldTitle"))
        await wait_until(pilot, lambda: "where are you these days?" in screen_text(pilot))
        assert "words: moved, porto; meaning 0.52" in screen_text(pilot)
        second.opened = True
        await wait_until(pilot, lambda: "no longer there" in screen_text(pilot))


def talked(engine: ScriptedEngine, *said: tuple[str, str]) -> tuple[str, list[Turn]]:
    """A chat of these questions and replies."""
    session = engine.sessions.create()
    for question, reply in said:
        asked = engine.sessions.add_user(session.id, question)
        engine.sessions.add_reply(session.id, asked.number, text=reply, status="complete")
    return session.id, list(engine.sessions.turns(session.id))


async def test_a_summary_shows_every_turn_folded_into_it_and_which_it_cites(engine: ScriptedEngine) -> None:
    id, turns = talked(engine, ("my dog is called Rufus", "Good name."), ("and a cat", "Nice."))
    engine.sessions.add_summary(
        id, strategy="extractive", turns=turns, text="- (turn 1) user: my dog is called Rufus"
    )
    async with make_app(engine, session_id=id).run_test(size=(100, 60)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "Nice." in screen_text(pilot))
        glass = await looked(pilot)
        await wait_until(pilot, lambda: "turns 1 to 2 · extractive, level 1" in screen_text(pilot))
        assert "not in this prompt" not in screen_text(pilot)
        glass.query_one(Summarised).opened = True
        await wait_until(pilot, lambda: "▸ turn 1\n" in frameless(pilot))
        assert "▸ turn 2 · not cited\n" in frameless(pilot)
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "twin: Good name." in screen_text(pilot))
        assert "user: and a cat" not in screen_text(pilot)
        assert "you: and a cat" in screen_text(pilot)


async def test_a_merged_summary_opens_to_those_it_replaced_and_down_to_the_turns(
    engine: ScriptedEngine,
) -> None:
    id, turns = talked(
        engine,
        ("my dog is called Rufus", "Good name."),
        ("and a cat", "Nice."),
        ("it rains", "A lot."),
        ("I moved", "Where to?"),
    )

    def summary(text: str, of: list[Turn], *replaces: Summary) -> Summary:
        engine.sessions.add_summary(id, strategy="extractive", turns=of, text=text, replaces=replaces)
        return max(engine.sessions.all_summaries(id), key=lambda s: s.n)

    first, second = (
        summary("- (turn 1) user: Rufus", turns[:2]),
        summary("- (turn 2) user: a cat", turns[2:4]),
    )
    merged = summary("- (turn 1) user: my dog is called Rufus", turns[:4], first, second)
    third = summary("- (turn 3) user: rain", turns[4:6])
    summary("- (turn 1) user: my dog is called Rufus\n- (turn 3) user: rain", turns[:6], merged, third)
    async with make_app(engine, session_id=id).run_test(size=(100, 70)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "Where to?" in screen_text(pilot))
        glass = await looked(pilot)
        (root,) = glass.query(Summarised)
        assert root.title == "turns 1 to 3 · extractive, level 3 · not in this prompt"
        root.opened = True
        await wait_until(pilot, lambda: len(under(root)) == 2)
        # the scripted prompt holds the words of this one
        assert [fold.title for fold in under(root)] == [
            "turns 1 to 2 · extractive, level 2 · in this prompt",
            "turn 3 · extractive, level 1",
        ]
        below, beside = under(root)
        below.opened = beside.opened = True
        await wait_until(pilot, lambda: under(below) and under(beside))
        assert [fold.title for fold in under(below)] == [
            "turn 1 · extractive, level 1",
            "turn 2 · extractive, level 1",
        ]
        assert [fold.title for fold in under(beside)] == ["turn 3"]
        deepest = under(below)[1]
        deepest.opened = True
        await wait_until(pilot, lambda: under(deepest))
        under(deepest)[0].opened = True
        await wait_until(pilot, lambda: "twin: Nice." in screen_text(pilot))


def under(fold: Fold) -> list[Fold]:
    """What opens directly under a fold."""
    return [child for child in fold.contents.children if isinstance(child, Fold)]


def frameless(pilot: Pilot[Any]) -> str:
    """The screen without its frames."""
    return "\n".join(line.strip("│ ") for line in screen_text(pilot).splitlines()) + "\n"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("- (turn 3) user: x\n- (turn 5) twin: y", [3, 5]),
        ("- he moved (turns 2, 4)", [2, 4]),
        ("- (turns 2-4) a\n- (turn 99) b", [2, 3, 4]),
        ("nothing cited", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_cited_turns_are_read_from_the_lines(text: str, numbers: list[int]) -> None:
    assert cited(text, 1, 6) == numbers


async def test_the_figures_of_every_reply_of_a_chat_that_is_gone_on_with(engine: ScriptedEngine) -> None:
    """They are stored with the turns, and were shown of the last prompt of this process alone."""
    id, turns = talked(engine, ("my dog is called Rufus", "Good name."), ("and a cat", "Nice."))
    for turn, usage in zip(turns[1::2], (Usage(200, 50, 9, 80.0, 30.0, 180), USAGE), strict=True):
        engine.sessions.update_reply(turn.id, text=turn.text, thinking="", status="complete", usage=usage)
    async with make_app(engine, session_id=id).run_test(size=(100, 90)) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "Nice." in screen_text(pilot))
        await looked(pilot)
        await wait_until(pilot, lambda: "2 replies, the newest first" in screen_text(pilot))
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "turn 2: cached: 310 of 423 tokens (73%)" in screen_text(pilot))
        assert "turn 1: cached: 50 of 200 tokens (25%), 28% of what stays the same" in screen_text(pilot)


async def test_escape_sequences_in_the_prompt_are_shown_never_obeyed(engine: ScriptedEngine) -> None:
    engine.memory.stored["slack:C1:1"] = stored("slack:C1:1", "\x1b[31m[bold]red[/]")
    async with make_app(engine).run_test(size=(100, 60)) as pilot:
        screen = await opened(pilot)
        screen.query_one(Prompt).text = "[@click=app.quit]x[/]"
        await looked(pilot)
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "[31m[bold]red[/]" in screen_text(pilot))
        assert "[@click=app.quit]x[/]" in screen_text(pilot)
        assert "\x1b" not in screen_text(pilot)


async def test_a_fact_is_pinned_corrected_and_forgotten_where_it_is_seen(engine: ScriptedEngine) -> None:
    session = engine.sessions.create()
    told = engine.sessions.add_user(session.id, "My dog is called Rufus. It rains.")
    engine.sessions.add_reply(session.id, told.number, text="Nice.", status="complete")
    book = FactBook(engine.sessions)
    book.learn([told])
    async with make_app(engine, session_id=session.id).run_test(size=(100, 60)) as pilot:
        await wait_until(pilot, lambda: "Nice." in screen_text(pilot))
        glass = await looked(pilot)

        def fold() -> Told:
            return glass.query_one(Told)

        async def on_the_fact(key: str) -> None:
            fold().query_one("FoldTitle").focus()
            await pilot.pause()
            await pilot.press(key)

        await on_the_fact("p")
        await wait_until(pilot, lambda: glass.query(Told) and "pinned" in fold().title)
        assert book.told()[0].pinned
        await on_the_fact("c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LineScreen))
        await pilot.press(*"Rolf", "enter")
        await wait_until(pilot, lambda: glass.query(Told) and "corrected" in fold().title)
        assert [f.text for f in book.told() if f.superseded_by is None] == ["Rolf"]
        # with the mouse
        fold().opened = True
        line = await wait_until(pilot, lambda: fold().contents.query("Static"))
        await wait_until(pilot, lambda: "forget" in text_of(line.first()))
        await pilot.click(line.first(), offset=(text_of(line.first()).index("forget"), 0))
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await wait_until(pilot, lambda: not glass.query(Told))
        assert book.told() == []
        assert "Rufus" not in engine.sessions.turns(session.id)[0].text


async def test_a_memory_is_left_out_of_this_chat(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(100, 60)) as pilot:
        await opened(pilot)
        await write(pilot, "where do you live?")
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        glass = await looked(pilot)
        glass.query(Remembered).first().query_one("FoldTitle").focus()
        await pilot.pause()
        await pilot.press("x")
        (session,) = engine.sessions.list()
        await wait_until(pilot, lambda: left_out(engine.sessions, session.id) == {"slack:C1:1"})
        await wait_until(pilot, lambda: "the prompt, in its order" in screen_text(pilot))
