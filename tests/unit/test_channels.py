"""Where somebody is met: the channels of a contact, the manner of writing there, its memories first."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import make_house, memory

from knowledge.archive import Archive
from knowledge.records import Identity, ImportReport, Message
from persona.chat.channels import Channel, channel, channels, first_from, manner

ME, ANA = Identity("slack:me", "Mira Sol"), Identity("slack:ana", "Ana")
START = datetime(2026, 1, 5, 9, tzinfo=UTC)

PLACES = (("slack", "slack:C1", "#general"), ("slack", "slack:D1", "Ana"), ("email", "email:1", "The lease"))
OWN = {"#general": "ok will do", "Ana": "HAHA yes omw!", "The lease": "I shall send it to you on Monday."}


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive(None)
    archive.add(list(said()), ImportReport("test", "test"))
    with archive.writing() as db:
        db.execute("UPDATE identities SET is_self = 1 WHERE id = ?", (ME.id,))
    yield archive
    archive.close()


def said() -> Iterator[Message]:
    for place, (source, id, name) in enumerate(PLACES):
        for n in range(8 - 2 * place):
            for author, text in ((ANA, f"are you there {n}?"), (ME, f"{OWN[name]} {n}")):
                at = START + timedelta(days=place, minutes=2 * n + (author is ME))
                yield Message(f"{id}:{author.name}:{n}", source, id, name, author, at, text)


def test_a_contacts_channels_are_conversations_and_sources_with_several(archive: Archive) -> None:
    found = [(c.id, c.name, c.messages) for c in channels(archive, "Ana")]
    assert found == [
        ("slack", "slack", 14),
        ("slack:C1", "slack #general", 8),
        ("slack:D1", "slack Ana", 6),
        ("email:1", "email The lease", 4),
    ]
    assert channels(archive, "nobody") == []
    assert channel(archive, "slack:D1").name == "slack Ana"
    assert channel(archive, "slack").name == "slack"


def test_the_manner_is_that_of_the_channel(archive: Archive) -> None:
    here = manner(archive, "Ana", Channel("slack:D1", "slack Ana"))
    assert here.startswith("In slack Ana: short messages")
    assert "mostly lower case" in manner(archive, "Ana", Channel("slack:C1", "slack #general"))
    assert "lower case" not in here
    assert manner(archive, "Ana", Channel("slack", "slack")).startswith("In slack: ")
    assert manner(archive, "Ana", Channel("email:1", "email The lease")) == ""
    assert manner(archive, "Ana", Channel("signal:1", "signal")) == ""


def test_the_best_memory_stays_and_the_channels_own_come_next() -> None:
    told = [memory(n, f"ring {n}") for n in range(1, 5)]
    here = Channel("slack:C2", "slack Ana")
    third = type(told[2])(**{**_values(told[2]), "conversation_id": "slack:C2"})
    kept = first_from(here, [told[0], told[1], third, told[3]], 3, len)
    assert [m.rank for m in kept] == [1, 3, 2]


def _values(of: object) -> dict[str, object]:
    return {name: getattr(of, name) for name in of.__dataclass_fields__}  # type: ignore[attr-defined]


def test_the_prompt_says_where_and_how_and_the_chat_remembers_it(tmp_path: Path, archive: Archive) -> None:
    house = make_house(tmp_path / "sessions.sqlite3", context=800)
    house.shelf.messages = archive.messages  # type: ignore[attr-defined]
    done = house.say("are you there?", correspondent="Ana", channel="slack:C1")
    system = house.backend.prompts[-1].messages[0].content
    assert "chatting with Ana in slack #general." in system
    assert "\nIn slack #general: short messages" in system
    (asked, _) = house.sessions.turns(done.session_id)
    assert (asked.correspondent, asked.channel) == ("Ana", "slack:C1")
    house.backend.reply("again")
    *_, _last = house.engine.regenerate(done.session_id)
    assert house.backend.prompts[-1].messages[0].content == system
    house.say("are you there?", correspondent="Ana")
    assert "slack" not in house.backend.prompts[-1].messages[0].content
