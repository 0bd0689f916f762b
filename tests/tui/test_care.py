"""What the glass box looks after: memories and facts, of a real small archive and of chats."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from knowledge.facts import Fact
from knowledge.memory import MemoryStore
from knowledge.records import Memory
from persona import paths
from persona.chat.card import PersonaCard
from persona.chat.fact_book import FactBook
from persona.chat.recall import PLACE
from persona.chat.turns import MemoryRef, Turn
from persona.tui.history import recall
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.glass import GlassScreen
from persona.tui.screens.line import LineScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.glass import MoreFacts, Remembered, Told
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.prompt import Prompt
from tui.conftest import chat, make_app, screen_text, wait_until
from tui.scripted import ScriptedEngine, memory
from tui.test_glass import looked

CHAT = """\
[13/04/2024, 09:00:00] Kofi Mensah: where are you these days?
[13/04/2024, 09:01:00] Mira Sol: I live in Porto.
[13/04/2024, 09:02:00] Kofi Mensah: My boat is called Susi.
[14/04/2024, 09:02:00] Mira Sol: My dog is called Rufus.
"""
BOAT, DOG = "My boat is called Susi.", "My dog is called Rufus."
SIZE = (100, 60)


@pytest.fixture
def archive(engine: ScriptedEngine, tmp_path: Path) -> Iterator[MemoryStore]:
    """What Mira Sol and Kofi Mensah wrote, with the facts in it; the engine's."""
    export = tmp_path / "WhatsApp Chat with Kofi Mensah.txt"
    export.write_text(CHAT, encoding="utf-8")
    store = MemoryStore(paths.knowledge_dir())
    store.ingest([export], me=["Mira Sol"])
    store.facts.by_rules()
    engine.memory = store  # type: ignore[assignment]
    engine.card = PersonaCard("Mira Sol", "Name: Mira Sol")
    yield store
    store.close()


def of_archive(archive: MemoryStore, text: str) -> Memory:
    """The message with that text, as it is served."""
    message = next(m for m in archive.messages() if m.text == text)
    return memory(1, text, id=message.id, source=message.source, conversation=message.conversation)


def talked(engine: ScriptedEngine, *said: tuple[str, str]) -> list[Turn]:
    """The turns of a chat of these questions and replies."""
    session = engine.sessions.create()
    for question, reply in said:
        asked = engine.sessions.add_user(session.id, question)
        engine.sessions.add_reply(session.id, asked.number, text=reply, status="complete")
    return list(engine.sessions.turns(session.id))


def told_here(turn: Turn, rank: int = 1) -> Memory:
    """A turn as a chat serves it once it has left the prompt."""
    return memory(
        rank, turn.text, id=turn.id, author="user", is_self=False, source=PLACE, conversation="",
        conversation_id=turn.session_id, why=f"told in this chat (turn {turn.number})",
    )  # fmt: skip


async def on(pilot: Pilot[Any], fold: Fold, key: str) -> None:
    """Press a key on a fold."""
    fold.query_one("FoldTitle").focus()
    await pilot.pause()
    await pilot.press(key)


async def sure(pilot: Pilot[Any], question: str) -> None:
    """Say yes to that question."""
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
    assert question in " ".join(screen_text(pilot).replace("│", " ").split())
    await pilot.press("y")


def facts(glass: GlassScreen) -> dict[str, Told]:
    """The facts on the page by what they say."""
    return {fold._fact.text: fold for fold in glass.query(Told)}


# Memories


async def test_a_memory_told_in_this_chat_shows_the_turns_around_it(engine: ScriptedEngine) -> None:
    turns = talked(engine, ("it rains", "A lot."), ("my dog is called Rufus", "Good name."), ("bye", "Bye."))
    engine.memories = (told_here(turns[2]),)
    async with make_app(engine, session_id=turns[0].session_id).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Bye." in screen_text(pilot))
        chat(pilot).query_one(Prompt).text = "who is my dog?"
        glass = await looked(pilot)
        glass.query_one(Remembered).opened = True
        await wait_until(pilot, lambda: "the conversation around it" in screen_text(pilot))
        shown = screen_text(pilot)
        assert "no longer" not in shown
        for words in ("me: A lot.", "user: my dog is called Rufus", "me: Good name.", "user: bye"):
            assert words in shown


async def test_a_memory_told_in_this_chat_is_forgotten_with_its_turn(engine: ScriptedEngine) -> None:
    turns = talked(engine, ("my dog is called Rufus", "Good name."), ("it rains", "A lot."))
    engine.sessions.add_summary(
        turns[0].session_id, strategy="extractive", turns=turns[:2], text="- (turn 1) user: Rufus"
    )
    engine.memories = (told_here(turns[0]),)
    async with make_app(engine, session_id=turns[0].session_id).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Good name." in screen_text(pilot))
        chat(pilot).query_one(Prompt).text = "who is my dog?"
        glass = await looked(pilot)
        await on(pilot, glass.query_one(Remembered), "f")
        await sure(pilot, "Forget this message of a chat with the reply to it")
        await wait_until(pilot, lambda: len(engine.sessions.turns(turns[0].session_id)) == 2)
        assert engine.sessions.all_summaries(turns[0].session_id) == ()
        await wait_until(pilot, lambda: "the prompt, in its order" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "Good name." not in screen_text(pilot))
        assert "A lot." in screen_text(pilot)
        assert chat(pilot).query_one(Prompt).text == "who is my dog?"


async def test_a_resumed_reply_shows_the_memories_told_in_its_chat(engine: ScriptedEngine) -> None:
    turns = talked(engine, ("my dog is called Rufus", "Good name."))
    asked = engine.sessions.add_user(turns[0].session_id, "who is my dog?")
    refs = [MemoryRef(turns[0].id, 1, 0.83, "told in this chat (turn 1)")]
    engine.sessions.add_reply(
        turns[0].session_id, asked.number, text="Rufus.", status="complete", memories=refs
    )
    [found] = recall(engine, refs)
    assert (found.text, found.author, found.source) == ("my dog is called Rufus", "user", PLACE)
    async with make_app(engine, session_id=turns[0].session_id).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "1 memory" in screen_text(pilot))
        pilot.app.screen.query_one(MemoryList).opened = True
        await wait_until(pilot, lambda: "user · this chat" in screen_text(pilot))


async def test_a_message_of_the_archive_is_forgotten_in_every_store(
    engine: ScriptedEngine, archive: MemoryStore
) -> None:
    served = of_archive(archive, "I live in Porto.")
    engine.memories = (served,)
    session = engine.sessions.create()
    asked = engine.sessions.add_user(session.id, "where do you live?")
    engine.sessions.add_reply(
        session.id, asked.number, text="In Porto, by the river.", status="complete",
        memories=[MemoryRef(served.id, 1, 0.83, "words: live")],
    )  # fmt: skip
    async with make_app(engine, session_id=session.id).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "by the river" in screen_text(pilot))
        chat(pilot).query_one(Prompt).text = "where?"
        glass = await looked(pilot)
        first = glass.query(Remembered).first()
        first.opened = True
        await wait_until(pilot, lambda: "where are you these days?" in screen_text(pilot))
        engine.memories = ()
        await on(pilot, first, "f")
        await sure(pilot, "Forget this message, in every store, for good?")
        await wait_until(pilot, lambda: not glass.query(Remembered))
        assert archive.message(served.id) is None
        assert [f.text for f in archive.facts.told()] == [BOAT, DOG]
        await pilot.press("escape")
        await wait_until(pilot, lambda: "[forgotten]" in screen_text(pilot))
        assert "by the river" not in screen_text(pilot)


# Facts


async def test_facts_of_the_archive_are_seen_pinned_and_corrected(
    engine: ScriptedEngine, archive: MemoryStore
) -> None:
    engine.memories = (of_archive(archive, "I live in Porto."),)
    async with make_app(engine).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Mira Sol" in screen_text(pilot))
        chat(pilot).query_one(Prompt).text = "where?"
        glass = await looked(pilot)
        assert "facts told by these memories" in screen_text(pilot)
        assert "facts told elsewhere" in screen_text(pilot)
        assert list(facts(glass)) == ["I live in Porto.", DOG, BOAT]
        assert facts(glass)[BOAT].title.startswith("Kofi Mensah: My boat")
        assert facts(glass)["I live in Porto."].title.endswith("the archive, 13 April 2024")

        await on(pilot, facts(glass)["I live in Porto."], "p")
        await wait_until(pilot, lambda: "facts pinned" in screen_text(pilot))
        assert [f.text for f in archive.pinned_facts()] == ["I live in Porto."]
        assert engine.card.text.endswith("\n- I live in Porto.")

        await on(pilot, facts(glass)[DOG], "c")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LineScreen))
        await pilot.press(*"Rolf", "enter")
        await wait_until(pilot, lambda: "Rolf" in facts(glass))
        assert facts(glass)["Rolf"].title.startswith("corrected · Rolf")
        assert [f.text for f in archive.facts.told() if f.superseded_by] == [DOG]

        await on(pilot, facts(glass)["I live in Porto."], "p")
        await wait_until(pilot, lambda: "facts told by these memories" in screen_text(pilot))
        assert "Porto" not in engine.card.text


async def test_a_fact_of_the_archive_goes_with_the_message_that_proves_it(
    engine: ScriptedEngine, archive: MemoryStore
) -> None:
    async with make_app(engine).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Mira Sol" in screen_text(pilot))
        glass = await looked(pilot)
        await on(pilot, facts(glass)[BOAT], "f")
        await sure(pilot, "Forget this fact and its proof, 1 message of the archive, for good?")
        await wait_until(pilot, lambda: glass.query(Told) and BOAT not in facts(glass))
        assert all("Susi" not in m.text for m in archive.messages())


async def test_a_fact_pinned_in_another_chat_is_seen_and_let_go(
    engine: ScriptedEngine, archive: MemoryStore
) -> None:
    [told, _] = talked(engine, ("My cat is called Minka.", "Nice."))
    book = FactBook(engine.sessions)
    book.learn([told])
    book.pin(book.told()[0].id)
    async with make_app(engine).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Mira Sol" in screen_text(pilot))
        glass = await looked(pilot)
        assert facts(glass)["My cat is called Minka."].title.startswith("pinned · My cat is called Minka.")
        assert "another chat" in facts(glass)["My cat is called Minka."].title
        await on(pilot, facts(glass)["My cat is called Minka."], "p")
        await wait_until(pilot, lambda: not book.told()[0].pinned)


async def test_many_facts_are_listed_as_they_are_wanted(engine: ScriptedEngine) -> None:
    told = [
        Fact(
            id=f"f-{n}", subject=None, attribute=None, text=f"I own boat {n}.", dated=f"I own boat {n}.",
            sources=("m",), session_id="", number=0, told_at=datetime(2024, 3, 12, tzinfo=UTC),
            confidence=0.9, origin="rules",
        )
        for n in range(40)
    ]  # fmt: skip
    engine.memory.known_facts = told
    async with make_app(engine).run_test(size=SIZE) as pilot:
        await wait_until(pilot, lambda: "Mira Sol" in screen_text(pilot))
        glass = await looked(pilot)
        assert list(facts(glass)) == [f"I own boat {n}." for n in range(39, 27, -1)]
        more = glass.query_one(MoreFacts)
        assert more.title == "28 more"
        more.opened = True
        await wait_until(pilot, lambda: len(facts(glass)) == 24)
        assert "I own boat 16." in facts(glass)
