"""The persona card: measured from the owner's own messages, and theirs to edit."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from knowledge.records import Kind, StoredMessage
from persona.chat.card import NOBODY, load_or_make, make, refresh, stable_facts
from persona.chat.style import language_of, measure, style_line
from persona.errors import PersonaError

START = datetime(2024, 1, 1, tzinfo=UTC)


def message(n: int, text: str, source: str = "slack") -> StoredMessage:
    return StoredMessage(
        id=f"{source}:{n}",
        source=source,
        conversation_id="c",
        conversation="#general",
        author_id="slack:U1",
        author="Mira Sol",
        is_self=True,
        sent_at=START + timedelta(days=n),
        text=text,
        kind=Kind.SPEECH,
        thread=None,
        reply_to=None,
    )


@dataclass(frozen=True)
class Owner:
    name: str


@dataclass
class Archive:
    """The two questions a card asks of a memory store."""

    texts: list[str] = field(default_factory=list)
    name: str | None = "Mira Sol"

    def owner(self) -> Owner | None:
        return Owner(self.name) if self.name else None

    def own_speech(self, limit: int | None = None) -> Iterator[StoredMessage]:
        return iter([message(n, text) for n, text in enumerate(self.texts)][:limit])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "persona_card.md"


CASUAL = ["hm, that is what the plan was for", "ok and the cat is on the roof 🙈", "lunch in ten"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("that is the one I was thinking of", "English"),
        ("ich habe das nicht auf der Liste", "German"),
        ("não sei, mas você está com ele", "Portuguese"),
        ("je ne sais pas, c'est pour vous", "French"),
        ("no lo sé, pero está muy bien", "Spanish"),
        ("lol", None),
        ("", None),
    ],
)
def test_the_language_of_a_message(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_the_card_says_how_the_owner_writes(file: Path) -> None:
    texts = CASUAL * 20 + ["ich habe das nicht auf der liste"] * 5
    card = load_or_make(file, Archive(texts))  # type: ignore[arg-type]
    assert card.name == "Mira Sol"
    name, languages, style = card.text.splitlines()
    assert name == "Name: Mira Sol"
    assert languages == "Languages: English, some German"
    assert style.startswith("Style: short messages (median 8 words), mostly lower case")
    assert "emoji often (🙈)" in style
    assert "often starts with" in style
    assert "“hm”" in style
    assert len(card.text.split()) <= 120


def test_a_rare_language_is_not_claimed() -> None:
    text = make("M", [message(n, t) for n, t in enumerate(CASUAL * 40 + ["não sei, você está aqui"])]).text
    assert "Portuguese" not in text


def test_proper_sentences_are_seen() -> None:
    style = measure(["The plan was good for all of us, and it still is."] * 5)
    assert style
    assert "proper sentences" in style_line(style)
    assert "no emoji" in style_line(style)
    assert measure(["🙈", "", "123"]) is None


def test_facts_are_lasting_first_person_sentences_one_of_a_kind() -> None:
    messages = [
        message(1, "I'm allergic to hazelnuts. see you tomorrow"),
        message(2, "my sister is called Ana"),
        message(3, "My sister is the loudest person alive"),
        message(4, "I live in Porto now"),
        message(5, "I never eat that"),
        message(6, "I am a bit late today"),
        message(7, "I hate mayonnaise, always have", source="notes"),
        message(8, "i prefer what you said"),
        message(9, "I love https://example.org so much"),
    ]
    assert stable_facts(messages) == [
        "I hate mayonnaise, always have",
        "My sister is the loudest person alive",
        "I'm allergic to hazelnuts.",
    ]


def test_an_edited_card_is_never_overwritten(file: Path) -> None:
    archive = Archive(CASUAL)
    load_or_make(file, archive)  # type: ignore[arg-type]
    edited = file.read_text(encoding="utf-8").replace("Name: Mira Sol", "Name: Mira\nI like to be formal.")
    file.write_text(edited, encoding="utf-8")
    archive.texts = ["something quite different from what it was"] * 9
    for card in (refresh(file, archive), load_or_make(file, archive)):  # type: ignore[arg-type]
        assert card.name == "Mira"
        assert "I like to be formal." in card.text
        assert "<!--" not in card.text
    assert file.read_text(encoding="utf-8") == edited


def test_an_untouched_card_follows_the_archive_when_asked(file: Path) -> None:
    archive = Archive(CASUAL)
    before = load_or_make(file, archive)  # type: ignore[arg-type]
    archive.texts = ["The plan was good for all of us, and it still is."] * 9
    assert load_or_make(file, archive) == before  # type: ignore[arg-type]
    after = refresh(file, archive)  # type: ignore[arg-type]
    assert "proper sentences" in after.text
    assert load_or_make(file, archive) == after  # type: ignore[arg-type]


def test_without_an_owner_nothing_is_written_until_there_is_one(file: Path) -> None:
    archive = Archive(CASUAL, name=None)
    assert load_or_make(file, archive).name == NOBODY  # type: ignore[arg-type]
    assert not file.exists()
    archive.name = "Mira Sol"
    assert load_or_make(file, archive).name == "Mira Sol"  # type: ignore[arg-type]


def test_an_unreadable_card_says_what_to_do(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PersonaError, match="cannot be read") as caught:
        load_or_make(file, Archive())  # type: ignore[arg-type]
    assert caught.value.hint
