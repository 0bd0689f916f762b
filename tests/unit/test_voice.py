"""Examples of style: the owner's own replies to what is alike, in the prompt within a budget of their own."""

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


@pytest.fixture
def archive() -> Archive:
    archive = Archive(None)
    archive.add(
        [
            Message(
                id=f"t:{n}",
                source="test",
                conversation_id="t:c",
                conversation="#all",
                author=author,
                sent_at=START + timedelta(minutes=n),
                text=text,
                flags=flags,
            )
            for n, (author, text, flags) in enumerate(TALK)
        ],
        ImportReport("test", "test"),
    )
    with archive.writing() as db:
        db.execute("UPDATE identities SET is_self = 1 WHERE id = ?", (ME.id,))
    return archive


def ask(archive: Archive, tmp_path: Path, text: str, to: str | None = None, budget: int = 100) -> list[str]:
    embedder = Embedder("")
    retriever = Retriever(archive, VectorIndex(tmp_path / "index", archive, embedder), embedder)
    ranking = retriever.rank(text, now=NOW)
    return examples(
        archive,
        retriever.timeline(),
        ranking,
        to=to,
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
