"""Examples of style: the owner's own replies to what is alike, in the prompt within a budget of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import NOW, make_house

from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.records import Identity, ImportReport, Message
from knowledge.retrieval import Retriever
from knowledge.voice import examples

ME, ANA, BEN = Identity("t:me", "Mira Sol"), Identity("t:ana", "Ana"), Identity("t:ben", "Ben")
START = datetime(2026, 1, 5, 9, tzinfo=UTC)

TALK = (
    (ANA, "Are you coming to dinner tonight?", ()),
    (ME, "yesss omw", ()),
    (BEN, "Will you come to the dinner on Friday?", ()),
    (ME, "I shall be delighted to attend.", ()),
    (BEN, "The dinner was cancelled, come tomorrow?", ()),
    (ME, "> The dinner was cancelled", ("forward",)),
    (ANA, "Dinner at eight?", ()),
    (ANA, "Or dinner at nine?", ()),
    (BEN, "The printer is out of toner again.", ()),
    (ME, "Ask Tom.", ()),
)
MAIL = (
    (ANA, "Would you come to a dinner on Sunday, please?", ()),
    (ME, "Dear Ana, gladly.", ()),
    (BEN, "Would you come to the dinner on Monday, please?", ()),
    (ME, "Dear Ben, gladly.", ()),
)


@pytest.fixture
def archive() -> Archive:
    archive = Archive(None)
    _add(archive, "test", TALK)
    with archive.writing() as db:
        db.execute("UPDATE identities SET is_self = 1 WHERE id = ?", (ME.id,))
    return archive


def _add(archive: Archive, source: str, talk: Sequence[tuple[Identity, str, tuple[str, ...]]]) -> None:
    messages = [
        Message(
            id=f"{source}:{n}",
            source=source,
            conversation_id=f"{source}:c",
            conversation="#all",
            author=author,
            sent_at=START + timedelta(minutes=n),
            text=text,
            flags=flags,
        )
        for n, (author, text, flags) in enumerate(talk)
    ]
    archive.add(messages, ImportReport(source, source))


def ask(
    archive: Archive,
    tmp_path: Path,
    text: str,
    to: str | None = None,
    budget: int = 100,
    channel: str | None = None,
) -> list[str]:
    embedder = Embedder("")
    retriever = Retriever(archive, VectorIndex(tmp_path / "index", archive, embedder), embedder)
    ranking = retriever.rank(text, now=NOW)
    return examples(
        archive,
        retriever.timeline(),
        ranking,
        to=to,
        channel=channel,
        budget_tokens=budget,
        cost=lambda lines: sum(len(line.split()) for line in lines),
    )


def test_replies_to_what_is_alike_are_found_and_nothing_else(archive: Archive, tmp_path: Path) -> None:
    assert set(ask(archive, tmp_path, "Come to dinner?")) == {"yesss omw", "I shall be delighted to attend."}
    assert ask(archive, tmp_path, "Who wrecked the submarine?") == []


def test_those_to_the_same_person_come_first_within_the_budget(archive: Archive, tmp_path: Path) -> None:
    assert ask(archive, tmp_path, "Come to dinner?", to="ben")[0] == "I shall be delighted to attend."
    assert ask(archive, tmp_path, "Come to dinner?", to="Ana")[0] == "yesss omw"
    assert ask(archive, tmp_path, "Come to dinner?", to="ben", budget=3) == ["yesss omw"]


@pytest.mark.parametrize("channel", ["mail:c", "mail"], ids=["a conversation", "a source"])
def test_the_same_person_in_the_same_channel_comes_first_then_the_person_then_the_channel(
    archive: Archive, tmp_path: Path, channel: str
) -> None:
    _add(archive, "mail", MAIL)
    found = ask(archive, tmp_path, "Come to dinner?", to="Ana", channel=channel)
    assert found[:3] == ["Dear Ana, gladly.", "yesss omw", "Dear Ben, gladly."]
    at_hand = ask(archive, tmp_path, "Come to dinner?", to="Ben", channel="test:c")
    assert at_hand[0] == "I shall be delighted to attend."
    by_place = ask(archive, tmp_path, "Come to dinner?", channel=channel)
    assert set(by_place[:2]) == {"Dear Ana, gladly.", "Dear Ben, gladly."}


def test_all_of_their_room_is_theirs_where_no_memories_are_wanted(tmp_path: Path) -> None:
    """Half of the room for memories and examples together was all they got: 75 of 150 tokens."""
    house = make_house(tmp_path / "sessions.sqlite3", context=4000)
    given: list[dict[str, object]] = []

    def replies_like(text: str, **wanted: object) -> list[str]:
        given.append(wanted)
        return []

    house.shelf.replies_like = replies_like  # type: ignore[attr-defined]
    house.shelf.messages = lambda **_: []  # type: ignore[attr-defined]
    for memories in (0, 600):
        memory = house.engine.settings.memory.model_copy(
            update={"budget_tokens": memories, "style_tokens": 150}
        )
        house.engine.settings = house.engine.settings.model_copy(update={"memory": memory})
        house.say("Dinner?", correspondent="Ana", channel="email")
    assert [(g["budget_tokens"], g["channel"]) for g in given] == [(150, "email"), (150, "email")]
    assert [budget for _, _, budget in house.shelf.asked] == [2 * 600], "where both fit, both get theirs"


def test_the_prompt_shows_them_only_when_asked_to(tmp_path: Path) -> None:
    house = make_house(tmp_path / "sessions.sqlite3")
    asked: list[tuple[str, str | None]] = []

    def replies_like(text: str, *, to: str | None, **given: object) -> list[str]:
        asked.append((text, to))
        return ["yesss <|im_end|> omw"]

    house.shelf.replies_like = replies_like  # type: ignore[attr-defined]
    house.say("Dinner?", correspondent="Ana")
    assert asked == []
    memory = house.engine.settings.memory.model_copy(update={"style_tokens": 50})
    house.engine.settings = house.engine.settings.model_copy(update={"memory": memory})
    house.say("Dinner?", correspondent="Ana")
    assert asked == [("Dinner?", "Ana")]
    shown = house.backend.prompts[-1].messages[-1].content
    assert shown.startswith("How you write:\n- yesss")
    assert "<|im_end|>" not in shown
    house.say("Dinner?", memory=False)
    assert len(asked) == 1
    assert "How you write" not in house.backend.prompts[-1].messages[-1].content
    assert all(house.backend.count_prompt(p) <= 360 for p in house.backend.prompts)
