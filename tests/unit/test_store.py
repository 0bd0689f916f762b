"""Chats survive: what is written is read back by another store on the same file, in order, for good."""

import sqlite3
from pathlib import Path

import pytest

from persona.backends.base import TextDelta, ThinkingDelta, Usage
from persona.chat.recorder import INTERVAL_S, ReplyRecorder
from persona.chat.schema import MIGRATIONS, migrate
from persona.chat.store import MemoryRef, SessionStore
from persona.errors import SessionError

USAGE = Usage(10, 5, 3, 12.5, 40.0, 8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "sessions.sqlite3"


@pytest.fixture
def store(file: Path) -> SessionStore:
    return SessionStore(file)


def test_a_session_takes_its_title_from_its_first_message(store: SessionStore) -> None:
    session = store.create()
    store.add_user(session.id, "  Where did I\nleave " + "my very long list of things " * 5)
    store.add_user(session.id, "and then?")
    title = store.get(session.id).title
    assert title.startswith("Where did I leave my very long list")
    assert len(title) <= 60
    assert title.endswith("…")


def test_session_ids_are_short_and_readable(store: SessionStore) -> None:
    session = store.create()
    assert session.id.startswith("s-")
    assert len(session.id) == 8
    assert int(session.id[2:], 16) >= 0


def test_turns_come_back_whole_from_another_process(store: SessionStore, file: Path) -> None:
    session = store.create("A title")
    asked = store.add_user(session.id, "Olá 👋 \x1b[31m", correspondent="Jonas")
    reply = store.add_reply(
        session.id, asked.number, memories=[MemoryRef("slack:C1:1", 1, 0.5, "words: ring")], thinking_on=True
    )
    store.update_reply(reply.id, text="Olá!", thinking="hm", status="complete", usage=USAGE)
    again = SessionStore(file)
    first, second = again.turns(session.id)
    assert first == asked
    assert (first.role, first.text, first.correspondent) == ("user", "Olá 👋 \x1b[31m", "Jonas")
    assert (second.text, second.thinking, second.status) == ("Olá!", "hm", "complete")
    assert second.usage == USAGE
    assert second.memories[0].id == "slack:C1:1"
    assert second.thinking_on
    assert second.number == first.number == 1
    assert again.get(session.id).turns == 2


def test_show_json_has_the_promised_keys(store: SessionStore) -> None:
    session = store.create()
    asked = store.add_user(session.id, "hi")
    shown = asked.as_json()
    assert {"id", "role", "text", "thinking", "status", "created_at"} <= shown.keys()
    assert shown["created_at"].endswith("+00:00")
    assert {"id", "title", "created_at", "updated_at", "turns"} <= store.get(session.id).as_json().keys()


def test_a_regenerated_reply_stays_as_an_alternative(store: SessionStore) -> None:
    session = store.create()
    asked = store.add_user(session.id, "hi")
    old = store.add_reply(session.id, asked.number, text="hello", status="complete")
    new = store.add_reply(session.id, asked.number, text="good day", status="complete")
    assert [t.id for t in store.turns(session.id)] == [asked.id, new.id]
    assert [t.id for t in store.turns(session.id, alternatives=True)] == [asked.id, old.id, new.id]
    assert not store.turn(old.id).active
    assert store.get(session.id).turns == 2


def test_the_latest_used_session_is_listed_first(store: SessionStore) -> None:
    one, two = store.create("one"), store.create("two")
    store.add_user(one.id, "again")
    assert next(s.id for s in store.list()) == one.id
    assert {s.id for s in store.list()} == {one.id, two.id}


def test_rename_and_delete(store: SessionStore) -> None:
    session = store.create("old")
    store.add_user(session.id, "a rare word: zanzibar")
    assert store.rename(session.id, "new").title == "new"
    store.delete(session.id)
    assert store.list() == []
    assert store.search("zanzibar") == []
    with pytest.raises(SessionError, match=session.id):
        store.get(session.id)


@pytest.mark.parametrize("call", ["get", "turns", "delete"])
def test_an_unknown_session_is_a_session_error_with_a_hint(store: SessionStore, call: str) -> None:
    with pytest.raises(SessionError, match="s-nope") as caught:
        getattr(store, call)("s-nope")
    assert "sessions list" in caught.value.hint


def test_search_finds_words_whatever_their_case_and_accents(store: SessionStore) -> None:
    session = store.create()
    asked = store.add_user(session.id, "We met in São Paulo, remember?")
    reply = store.add_reply(session.id, asked.number, text="first words", status="partial")
    store.update_reply(reply.id, text="Under the jacaranda", thinking="", status="complete")
    assert [t.id for t in store.search("sao PAU")] == [asked.id]
    assert [t.id for t in store.search("jacaranda")] == [reply.id]
    assert store.search("first") == []
    assert store.search('paulo "quoted') == []
    assert store.search("  ") == []


def test_lone_surrogates_do_not_break_the_store(store: SessionStore) -> None:
    session = store.create()
    assert store.add_user(session.id, "half \ud83d").text == "half ?"


# Summaries


def test_a_merged_summary_stands_for_those_it_replaces(store: SessionStore) -> None:
    session = store.create()
    turns = [store.add_user(session.id, f"message {n}") for n in range(3)]
    for turn in turns[:2]:
        store.add_summary(session.id, strategy="extractive", turns=[turn], text=turn.text)
    first, second = store.summaries(session.id, "extractive")
    assert (first.level, first.first_turn, first.turn_ids) == (1, 1, (turns[0].id,))
    store.add_summary(
        session.id, strategy="extractive", turns=turns[:2], text="both", replaces=[first, second]
    )
    [merged] = store.summaries(session.id, "extractive")
    assert (merged.level, merged.first_turn, merged.last_turn) == (2, 1, 2)
    assert store.summaries(session.id, "abstractive") == []


# Migrations


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_every_older_file_opens_with_its_chats(file: Path, version: int) -> None:
    file.parent.mkdir()
    db = sqlite3.connect(file, isolation_level=None)
    migrate(db, upto=version)
    if version:
        db.execute("INSERT INTO sessions VALUES ('s-old', 'Old', '2026-01-01T00:00Z', '2026-01-01T00:00Z')")
        db.execute(
            "INSERT INTO turns(id, session, number, role, text, status, created_at)"
            " VALUES ('t-1', 's-old', 1, 'user', 'an ancient word', 'complete', '2026-01-01T00:00Z')"
        )
    db.close()
    store = SessionStore(file)
    if version:
        assert [t.text for t in store.turns("s-old")] == ["an ancient word"]
        assert [t.id for t in store.search("ancient")] == ["t-1"]
    assert store.create("new") in store.list()


def test_an_upgraded_file_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    def schema(steps: range) -> list[tuple[str, ...]]:
        db = sqlite3.connect(":memory:", isolation_level=None)
        for upto in steps:
            migrate(db, upto=upto)
        return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    latest = len(MIGRATIONS)
    assert schema(range(1, latest + 1)) == schema(range(latest, latest + 1))


def test_a_file_of_a_newer_version_is_refused_unharmed(file: Path) -> None:
    SessionStore(file).create("kept")
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(SessionError, match="newer version"):
        SessionStore(file)


def test_a_damaged_file_is_a_session_error(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"this is no database, " * 100)
    with pytest.raises(SessionError, match="cannot be opened"):
        SessionStore(file)


# The recorder


def test_a_reply_is_on_disk_from_its_first_delta_and_then_by_the_clock(
    store: SessionStore, file: Path
) -> None:
    now = 100.0
    session = store.create()
    asked = store.add_user(session.id, "hi")
    recorder = ReplyRecorder(store, session.id, asked.number, thinking_on=True, clock=lambda: now)
    other = SessionStore(file)
    assert len(other.turns(session.id)) == 1
    recorder.add(ThinkingDelta("hm"))
    [_, reply] = other.turns(session.id)
    assert (reply.thinking, reply.text, reply.status) == ("hm", "", "partial")
    now += INTERVAL_S / 2
    recorder.add(TextDelta("Hel"))
    now += INTERVAL_S / 2
    recorder.add(TextDelta("lo"))
    assert other.turns(session.id)[1].text == "Hello"
    recorder.add(TextDelta("!"))
    recorder.usage = USAGE
    recorder.finish("complete")
    done = other.turns(session.id)[1]
    assert (done.id, done.text, done.status, done.usage) == (reply.id, "Hello!", "complete", USAGE)
