"""The wordings that starter training draws from: enough of them, all fillable, none twice."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from trainer.starter.bank import FOLDER, BankError, Topic, load


def _repeated(lines: Iterable[str]) -> list[str]:
    return [line for line, times in Counter(line.casefold() for line in lines).items() if times > 1]


def _asked(topics: Iterable[Topic]) -> Iterator[str]:
    for topic in topics:
        yield from topic.ask
        yield from topic.ask_other


def test_the_bank_is_broad() -> None:
    bank = load()
    assert len(bank.topics) >= 150
    assert len({topic.id for topic in bank.topics}) == len(bank.topics)
    assert all(len(t.ask) >= 7 and len(t.ask_other) >= 4 and len(t.say) >= 8 for t in bank.topics)
    assert len(bank.opinions) >= 12
    assert len(bank.decisions) >= 10
    assert len(bank.chatter) >= 500
    assert len(bank.smalltalk) >= 25
    assert len(bank.off_ground_asks) >= 250
    assert len(bank.unknown_asks) >= 150
    assert len(bank.told) >= 25
    assert len(bank.chains) >= 12


def test_every_kind_has_enough_seed_values() -> None:
    values = load().values
    assert all(len(seeds) >= 40 for seeds in values.values())
    assert all(len(set(seeds)) == len(seeds) for seeds in values.values())
    floor = {"city": 120, "first_name": 150, "surname": 100, "thing": 190, "activity": 100, "reason": 80}
    assert {kind: len(values[kind]) for kind, least in floor.items() if len(values[kind]) < least} == {}


def test_no_wording_stands_twice() -> None:
    bank = load()
    assert _repeated(bank.chatter) == []
    assert _repeated(line for topic in bank.topics for line in topic.say) == []
    assert _repeated(line for view in (*bank.opinions, *bank.decisions) for line in view.say) == []
    assert _repeated([*bank.off_ground_asks, *bank.unknown_asks]) == []
    assert [t.id for t in bank.topics if _repeated([*t.ask, *t.ask_other])] == []


def test_an_unanswerable_question_is_no_question_of_a_topic() -> None:
    bank = load()
    topics = {ask.casefold() for ask in _asked(bank.topics)}
    assert [ask for ask in bank.unknown_asks if ask.casefold() in topics] == []


def test_refusals_say_what_they_must() -> None:
    bank = load()
    clause = "I'm the starter model, I only know what is in these messages."
    assert all(clause in reply for reply in bank.off_ground_replies)
    assert all("don't know" in reply for reply in bank.dont_know)


def test_an_unknown_slot_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "chatter.toml").write_text('lines = ["a {nonsense} line"]\n', encoding="utf-8")
    with pytest.raises(BankError, match="unknown slot"):
        load(folder)


def test_a_saying_without_its_value_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "topics_home.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("I'm in {v} now btw", "I'm here now btw"), encoding="utf-8"
    )
    with pytest.raises(BankError, match=r"home_city: \{v\} is missing"):
        load(folder)
