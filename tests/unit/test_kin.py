"""A question that says what somebody is to the owner finds what that person told, and who they are."""

from pathlib import Path

import pytest

from knowledge import rules
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.people import set_owner
from knowledge.records import Identity, ImportReport, Message
from knowledge.retrieval import Retriever
from tests.unit.test_retrieval import NOW, START

MIRA = Identity("slack:U1", "mira", ("Mira Sol",))
PEOPLE = {
    "mira": MIRA,
    "noor": Identity("slack:U2", "noor", ("Noor Haddad", "U06NOOR05")),
    "zoë": Identity("slack:U3", "zoë", ("Zoë Oak",)),
    "will": Identity("slack:U4", "will", ("Will May",)),
}
TRADES = (("noor", "I work as a carpenter, three days a week"), ("zoë", "they made me a nurse in May"))


def _asked(folder: Path, question: str, *told: tuple[str, str]) -> tuple[list[str], rules.Reading]:
    archive = Archive(folder / "archive.sqlite3")
    lines = [*TRADES, *told, *(("mira", f"nothing much on day {n}") for n in range(30))]
    messages = [
        Message(
            id=str(n),
            source="slack",
            conversation_id=f"#{n}",
            conversation=f"#{n}",
            author=PEOPLE[who],
            sent_at=START.replace(hour=n % 24, day=1 + n // 24),
            text=text,
        )
        for n, (who, text) in enumerate(lines)
    ]
    archive.add(messages, ImportReport("x", "slack"))
    set_owner(archive, ["mira"])
    embedder = Embedder()
    index = VectorIndex(folder / "index", archive, embedder)
    index.fill()
    retriever = Retriever(archive, index, embedder)
    memories = retriever.search(question, now=NOW, budget_tokens=None, cost=len, k=3)
    return [m.text for m in memories], rules.read(archive, question, NOW)


@pytest.mark.parametrize(
    ("told", "question"),
    [
        ("my sister is called Noor", "What does your sister work as?"),
        ("my sister Noor came by", "what's your sister's job?"),
        ("Noor is my older sister, yes", "What does your sister do for work?"),
        ("my sister's husband Noor cooked", "What is the job of your sister's husband?"),
        ("Noor has been my best friend for years", "What does your best friend work as?"),
        ("meine Schwester heißt Noor", "What work does deine Schwester do?"),
        ("the neighbour, noor, complained again", "What does your neighbour work as?"),
    ],
)
def test_who_is_meant_is_told_by_another_message(tmp_path: Path, told: str, question: str) -> None:
    served, reading = _asked(tmp_path, question, ("mira", told))
    assert list(reading.people.values()) == ["Noor Haddad"]
    assert {*served[:2]} == {"I work as a carpenter, three days a week", told}


def test_who_somebody_is_is_shown_where_nothing_else_is_found(tmp_path: Path) -> None:
    served, _ = _asked(tmp_path, "Who is your godmother?", ("mira", "my godmother is called Noor"))
    assert served[0] == "my godmother is called Noor"


def test_the_newest_who_holds_a_role_is_meant(tmp_path: Path) -> None:
    told = (("mira", "my boss is called Noor"), ("mira", "my new boss is called Zoë"))
    served, reading = _asked(tmp_path, "What did your boss become?", *told)
    assert list(reading.people.values()) == ["Zoë Oak"]
    assert {*served} == {"they made me a nurse in May", *(text for _, text in told)}


@pytest.mark.parametrize(
    "told",
    [
        ("noor", "my sister Zoë came by"),  # hers, not the owner's
        ("mira", "my sister works at night"),
        ("mira", "my sister Ilse came by"),  # nobody of the archive
        ("mira", "my brother Noor came by"),
        ("mira", "My sister will be late again"),
        ("mira", "my sister will be late again"),
    ],
)
def test_a_role_that_nobody_is_known_to_hold_names_nobody(tmp_path: Path, told: tuple[str, str]) -> None:
    _, reading = _asked(tmp_path, "What does your sister work as?", told)
    assert not reading.people
    assert reading.bond is None


def test_a_name_in_the_question_goes_before_a_role(tmp_path: Path) -> None:
    _, reading = _asked(tmp_path, "What did Zoë say to your sister?", ("mira", "my sister is called Noor"))
    assert list(reading.people.values()) == ["Zoë Oak"]
