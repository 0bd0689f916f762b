"""Folded turns put before the model for facts, at idle time, where the settings want it."""

import json
import threading
from pathlib import Path

import pytest
from house import House, make_house

from knowledge.extraction import INSTRUCTION
from persona.chat.extracting import TurnReader
from persona.config import MemorySettings, Settings
from persona.errors import ModelError

SAID = "Whoever waters the ferns on Sundays: Odile, from Kassel."


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path / "sessions.sqlite3", context=3000)


@pytest.fixture
def chat(house: House) -> str:
    """A chat whose first two exchanges are folded, the third is not."""
    session = house.sessions.create()
    for text in (SAID, "My dog is called Rufus.", "Is Odile late?"):
        turn = house.sessions.add_user(session.id, text)
        house.sessions.add_reply(session.id, turn.number, text="Noted.", status="complete")
    turns = house.sessions.turns(session.id)
    house.engine.facts.learn(turns)
    house.sessions.add_summary(session.id, strategy="extractive", turns=turns[:4], text="- (turn 1) user: x")
    return session.id


def answer(*facts: tuple[int, str, str]) -> str:
    rows = [
        {
            "from": [n],
            "about": about,
            "kind": "other",
            "fact": text,
            "since": "",
            "until": "",
            "confidence": 1.0,
        }
        for n, about, text in facts
    ]
    return json.dumps({"facts": rows})


def read(house: House, chat: str, cancel: threading.Event | None = None) -> None:
    TurnReader(house.engine.facts, house.backend).read(chat, cancel or threading.Event())


def test_what_a_model_finds_in_folded_turns_is_kept_with_its_name(house: House, chat: str) -> None:
    house.backend.reply(
        answer(
            (1, "Odile", "Odile waters the ferns on Sundays."), (2, "user", "The user's dog is called Rex.")
        )
    )
    read(house, chat)
    [rufus, ferns] = sorted(house.engine.facts.told(chat), key=lambda fact: -fact.number)
    assert (ferns.text, ferns.origin, ferns.model, ferns.number) == (SAID, "model", "queued", 1)
    assert ferns.confidence < rufus.confidence
    [prompt] = house.backend.prompts
    assert prompt.messages[0].content == INSTRUCTION
    assert "Odile late" not in prompt.messages[1].content, "it is in the prompt of the chat still"
    assert json.loads(house.backend.samplings[0].schema)["required"] == ["facts"]


def test_no_turn_is_read_twice_and_none_is_lost(house: House, chat: str) -> None:
    stopped = threading.Event()
    stopped.set()
    house.backend.reply(answer())
    read(house, chat, stopped)
    house.backend.say.queue.clear()
    house.backend.say.put(ModelError("no schema here", "none"))
    read(house, chat)
    assert house.engine.facts.unread(chat, "queued"), "cut short, and failed: to be read again"
    house.backend.reply(answer((1, "Odile", "Odile waters the ferns on Sundays.")))
    read(house, chat)
    assert len(house.engine.facts.told(chat)) == 2
    asked = len(house.backend.prompts)
    read(house, chat)
    assert len(house.backend.prompts) == asked
    [fact] = [f for f in house.engine.facts.told(chat) if f.origin == "model"]
    assert house.engine.facts.forget(fact.id) == 1
    assert SAID not in [turn.text for turn in house.sessions.turns(chat)]


@pytest.mark.parametrize("wanted", [True, False])
def test_idle_time_reads_where_the_settings_want_it(tmp_path: Path, wanted: bool) -> None:
    from persona.chat.opening import put_together

    house = make_house(tmp_path / "sessions.sqlite3", context=3000)
    engine = put_together(
        Settings(memory=MemorySettings(model_facts=wanted)),
        memory=house.shelf,  # type: ignore[arg-type]
        sessions=house.sessions,
        backend=house.backend,
        card=house.engine.card,
    )
    session = house.sessions.create()
    asked = house.sessions.add_user(session.id, SAID)
    said = house.sessions.add_reply(session.id, 1, text="Noted.", status="complete")
    turns = [asked, said]
    house.sessions.add_summary(session.id, strategy="extractive", turns=turns, text="- (turn 1) user: x")
    house.backend.reply(answer((1, "Odile", "Odile waters the ferns on Sundays.")))
    engine.idle(session.id)
    assert [fact.text for fact in engine.facts.told(session.id)] == ([SAID] if wanted else [])
    assert house.backend.prefilled, "the prefix comes back into the cache afterwards"
