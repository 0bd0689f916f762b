"""A machine that reads slowly is shown fewer memories."""

from pathlib import Path

import pytest
from house import House, Shelf
from queued_backend import QueuedBackend

from persona.backends.base import Usage
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.pace import LEAST, Pace, Speeds
from persona.chat.store import SessionStore
from persona.config import ChatSettings, MemorySettings, Settings

CARD = PersonaCard("Mira Sol", "Name: Mira Sol. " + "She draws maps of trails. " * 20)


def house(file: Path, first_ms: float, patience: float, speeds: Speeds | None = None) -> House:
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
        speeds=speeds,
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


def test_the_next_process_knows_how_slowly_the_last_one_read(tmp_path: Path) -> None:
    """`persona ask` runs one turn, and so was never shown fewer memories however slow the machine."""
    for turn in range(2):
        file = tmp_path / "reading_speeds.json"
        home = house(tmp_path / f"{turn}.sqlite3", 3000.0, 4.0, Speeds(file, lambda: "slow.gguf"))
        home.say("Where do you live?")
        [(_, _, budget)] = home.shelf.asked
        assert budget is not None
        assert budget == 600 if turn == 0 else LEAST < budget < 600
    other = house(tmp_path / "other.sqlite3", 1.0, 4.0, Speeds(file, lambda: "quick.gguf"))
    other.say("Where do you live?")
    assert [asked[2] for asked in other.shelf.asked] == [600], "another model reads at its own speed"


def test_what_is_to_come_out_the_same_again_does_not_depend_on_the_speed(tmp_path: Path) -> None:
    slow = Speeds(tmp_path / "speeds.json", lambda: "m")
    slow.keep([1.0])
    home = house(tmp_path / "s.sqlite3", 60_000.0, 4.0, slow)
    home.say("Where do you live?", seed=1)
    home.say("Where do you live?")
    assert [budget for _, _, budget in home.shelf.asked] == [600, LEAST]


@pytest.mark.parametrize("held", [None, "", "[1]", '{"m": 3}', '{"m": ["x", -1, 0]}', "\udcff{"])
def test_speeds_that_cannot_be_read_are_measured_anew(tmp_path: Path, held: str | None) -> None:
    file = tmp_path / "speeds.json"
    if held is not None:
        file.write_bytes(held.encode("utf-8", "surrogateescape"))
    speeds = Speeds(file, lambda: "m")
    assert speeds.read() == []
    speeds.keep([120.04])
    assert Speeds(file, lambda: "m").read() == [120.0]
    Speeds(tmp_path / "speeds.json" / "nowhere", lambda: "m").keep([1.0])


def test_what_is_cached_or_short_tells_nothing_of_the_machine() -> None:
    pace = Pace(1.0)
    pace.note(Usage(800, 790, 1, 5000.0, 10.0))
    assert pace.affords(600) == 600
    pace.note(Usage(800, 0, 1, 4000.0, 10.0))
    assert pace.affords(600) == 200
    pace.note(Usage(800, 0, 1, 40_000.0, 10.0))
    assert pace.affords(600) == 200, "one slow turn is the fault of what ran beside it"
