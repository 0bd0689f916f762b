"""Facts: found in what people say of themselves, dated when told, the newest in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.facts import UNSURE, cues, statements
from knowledge.reldates import resolved
from persona.chat.fact_book import FactBook
from persona.chat.store import SessionStore

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I have lived in Porto since March 2023.", "2023-03-01"),
        ("In 2021 I moved to Graz.", "2021-01-01"),
        ("I moved to Porto yesterday.", "2026-11-20"),
        ("I bought my bike last summer.", "2026-06-01"),
        ("Ich wohne seit 2019 in Graz.", "2019-01-01"),
        ("I started at Acme on 3 May 2024.", "2024-05-03"),
        ("I adopted my dog two years ago.", "2024-07-24"),
        ("I worked at Acme until 2019.", "2026-11-21"),
        ("My flight is on 12 December 2026.", "2026-11-21"),
        ("I moved to Porto in November.", "2026-11-21"),
        ("My locker number is 2001.", "2026-11-21"),
        ("My sister's name is May.", "2026-11-21"),
    ],
)
def test_a_fact_holds_from_the_past_time_that_its_sentence_names(
    store: SessionStore, text: str, day: str
) -> None:
    """Facts that rules found held from when they were told, whatever they said."""
    turn = store.add_user(store.create().id, text, at=NOW)
    FactBook(store).learn([turn])
    [fact] = FactBook(store).told()
    assert fact.valid_from.astimezone().date().isoformat() == day
    assert fact.as_json("Mira")["valid_from"] == fact.valid_from.isoformat()


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("My sister's name is Lena.", "sister: name"),
        ("hi! my dog is called Rufus", "dog: name"),
        ("we called our cat Minka", "cat: name"),
        ("I moved to Porto", "home"),
        ("i now live in graz", "home"),
        ("My brother lives in Leipzig.", "brother: home"),
        ("I work at Acme now", "employer"),
        ("I work as a baker", "job"),
        ("I'm 34 years old.", "age"),
        ("my favourite colour is teal", "favourite colour"),
        ("My phone number is 0176 555", "phone number"),
        ("call me Bo", "name"),
        ("Ich wohne in Graz.", "home"),
        ("Mein Hund heißt Bello.", "hund: name"),
    ],
)
def test_what_a_statement_settles(text: str, attribute: str) -> None:
    assert [s.attribute for s in statements(text, NOW)] == [attribute]


@pytest.mark.parametrize(
    "text",
    [
        "I'm vegan",
        "I have a dog, his name is Rex",
        "Remember that the code is 4711.",
        "my train leaves at 9:40",
        "I live in fear of forgetting to feed her",
        "The boat on my birthday was rough, so I owe the captain an apology.",
        "I have a title at last: it is called The Salt Ledger.",
    ],
)
def test_what_may_hold_beside_others_has_no_attribute(text: str) -> None:
    assert [(s.attribute, s.text) for s in statements(text, NOW)] == [(None, text)]


@pytest.mark.parametrize(
    "text",
    [
        "The wedding is on the 14th of June.",
        "The new sofa is turquoise.",
        "Dad's birthday is on 3 March",
        "by the way, the carpenter charges 158 an hour",
        "Uncle Theo owns a vineyard near Asti.",
        "The landlord raised the rent to 915, and nobody in the whole house could do anything about it.",
        "I planted quinces in the garden.",
        "Die Rechnung beträgt 340 Euro",
    ],
)
def test_what_is_asserted_of_something_is_a_fact_that_is_less_sure(text: str) -> None:
    assert [(s.attribute, s.text, s.confidence) for s in statements(text, NOW)] == [(None, text, UNSURE)]


@pytest.mark.parametrize(
    "text",
    [
        "What is my sister's name?",
        "Good morning Ana",
        "Basalt counters suit rainy kitchens.",
        "Sounds good to me",
        "Write me a poem about gulls",
        "The film last night was far too long, but the music in it was lovely.",
        "I think so",
        "Thank you very much",
        "If I moved to Porto, would you come?",
        "I'm fine, thanks",
        "how are you?",
        "I have a question",
        "It rained all day.",
        "I wish I lived in Porto",
        "",
    ],
)
def test_what_states_nothing(text: str) -> None:
    assert statements(text, NOW) == []


def test_a_sentence_may_settle_several_things() -> None:
    found = statements("My dog is called Rufus and I moved to Porto. It rains.", NOW)
    assert [s.attribute for s in found] == ["dog: name", "home"]
    assert len({s.text for s in found}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved yesterday.", "I moved yesterday (20 November 2026)."),
        ("the day after tomorrow", "the day after tomorrow (23 November 2026)"),
        ("next Friday or last friday", "next Friday (27 November 2026) or last friday (20 November 2026)"),
        ("last week", "last week (the week of 9 November 2026)"),
        ("next month, next year", "next month (December 2026), next year (2027)"),
        ("two weeks ago", "two weeks ago (about 7 November 2026)"),
        ("in 3 days", "in 3 days (24 November 2026)"),
        ("vor drei Monaten, gestern", "vor drei Monaten (about August 2026), gestern (20 November 2026)"),
        ("in May 2024", "in May 2024"),
        ("yesterday (20 November 2026)", "yesterday (20 November 2026)"),
    ],
)
def test_relative_dates_are_resolved_when_written(text: str, expected: str) -> None:
    assert resolved(text, NOW) == expected


@given(st.text(max_size=80), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_resolving_only_adds(text: str, now: datetime) -> None:
    left = iter(resolved(text, now))
    assert all(letter in left for letter in text)


def test_a_month_later_has_as_many_days_as_it_has() -> None:
    assert resolved("next month", datetime(2026, 1, 31)) == "next month (February 2026)"
    assert resolved("one month ago", datetime(2026, 3, 31)) == "one month ago (about February 2026)"


def test_questions_ask_for_attributes_in_other_words() -> None:
    assert {"live", "city"} <= set(cues("home"))
    assert {"sister", "called"} <= set(cues("sister: name"))
    assert list(cues(None)) == []


# Kept


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "sessions.sqlite3")


@pytest.fixture
def book(store: SessionStore) -> FactBook:
    return FactBook(store)


def tell(store: SessionStore, book: FactBook, *texts: str, who: str | None = None) -> str:
    session = store.create()
    for n, text in enumerate(texts):
        at = NOW + timedelta(days=n)
        book.learn([store.add_user(session.id, text, at=at, correspondent=who)])
    return session.id


def test_the_newest_is_in_force_and_the_older_one_is_kept(store: SessionStore, book: FactBook) -> None:
    session = tell(store, book, "I live in Porto.", "I moved to Graz yesterday.", "I'm vegan")
    old, new, third = book.told(session)
    assert (old.text, old.superseded_by, old.valid_until) == ("I live in Porto.", new.id, new.told_at)
    assert (new.dated, new.superseded_by) == ("I moved to Graz yesterday (21 November 2026).", None)
    assert third.valid_until is None
    assert [store.turn(f.sources[0]).text for f in (old, new, third)] == [old.text, new.text, third.text]


def test_another_person_supersedes_nothing(store: SessionStore, book: FactBook) -> None:
    tell(store, book, "I live in Porto.")
    tell(store, book, "I live in Graz.", who="Jonas")
    mine, his = book.told()
    assert (mine.subject, his.subject) == (None, "Jonas")
    assert mine.superseded_by is his.superseded_by is None
    assert mine.as_json("Mira Sol")["subject"] == "Mira Sol"


def test_reading_a_turn_twice_adds_nothing(store: SessionStore, book: FactBook) -> None:
    session = tell(store, book, "My sister's name is Lena.")
    book.learn(store.turns(session))
    assert len(book.told()) == 1


def test_a_reply_is_never_a_fact(store: SessionStore, book: FactBook) -> None:
    session = store.create()
    asked = store.add_user(session.id, "hi")
    book.learn([asked, store.add_reply(session.id, asked.number, text="My sister's name is Lena.")])
    assert book.told() == []


def test_a_deleted_turn_takes_its_facts_and_brings_back_the_older(
    store: SessionStore, book: FactBook
) -> None:
    session = tell(store, book, "I live in Porto.", "I live in Graz.")
    store.delete_turn(book.told(session)[1].sources[0])
    [left] = book.told(session)
    assert (left.text, left.superseded_by) == ("I live in Porto.", None)
    store.delete(session)
    assert book.told() == []


@pytest.mark.parametrize(("about", "found"), [("lena", 1), ("Mira", 1), ("len", 0), ("Jonas", 0)])
def test_about_whom(store: SessionStore, book: FactBook, about: str, found: int) -> None:
    tell(store, book, "My sister's name is Lena.")
    [fact] = book.told()
    assert fact.is_about(about, "Mira Sol") == bool(found)
    assert not replace(fact, subject="Jonas").is_about("Mira", "Mira Sol")
