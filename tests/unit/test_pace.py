"""A machine that reads slowly is shown fewer memories."""

from pathlib import Path

import pytest
from house import House, Shelf
from queued_backend import QueuedBackend

from persona.backends.base import Usage
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.pace import LEAST, Pace
from persona.chat.store import SessionStore
from persona.config import ChatSettings, MemorySettings, Settings

CARD = PersonaCard("Mira Sol", "Name: Mira Sol. " + "She draws maps of trails. " * 20)


def house(file: Path, first_ms: float, patience: float) -> House:
    backend, shelf, sessions = QueuedBackend(4000, first_ms=first_ms), Shelf(), SessionStore(file)
    engine = Engine(
        memory=shelf,  # type: ignore[arg-type]
        sessions=sessions,
        backend=backend,
        settings=Settings(
            chat=ChatSettings(reply_tokens=40),
            memory=MemorySettings(budget_tokens=600, patience_seconds=patience),
        ),
        card=CARD,
    )
    return House(engine, backend, sessions, shelf)


@pytest.mark.parametrize(
    ("first_ms", "patience", "least", "most"),
    [
        (1.0, 4.0, 600, 600),
        (3000.0, 4.0, LEAST + 1, 599),
        (60_000.0, 4.0, LEAST, LEAST),
        (60_000.0, 0, 600, 600),
    ],
    ids=["quick", "slow", "very slow", "no matter how slow"],
)
def test_room_for_memories_follows_the_reading_speed(
    tmp_path: Path, first_ms: float, patience: float, least: int, most: int
) -> None:
    home = house(tmp_path / "s.sqlite3", first_ms, patience)
    for _ in range(2):
        home.say("Where do you live?")
    (_, _, first), (_, _, second) = home.shelf.asked
    assert first == 600, "nothing is known of a machine before it has read"
    assert second is not None
    assert least <= second <= most


def test_what_is_cached_or_short_tells_nothing_of_the_machine() -> None:
    pace = Pace(1.0)
    pace.note(Usage(800, 790, 1, 5000.0, 10.0))
    assert pace.affords(600) == 600
    pace.note(Usage(800, 0, 1, 4000.0, 10.0))
    assert pace.affords(600) == 200
    pace.note(Usage(800, 0, 1, 40_000.0, 10.0))
    assert pace.affords(600) == 200, "one slow turn is the fault of what ran beside it"
