"""Looking after past chats: search with marks, deleting with a way back, drafts."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from persona.chat.store import DISCARDED_FOR, SessionStore
from persona.errors import SessionError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture
def store(file: Path) -> Iterator[SessionStore]:
    store = SessionStore(file)
    yield store
    store.close()


def test_what_is_found_comes_newest_first_with_its_chat_and_the_words_marked(store: SessionStore) -> None:
    first, second = store.create("Lisbon"), store.create("Porto")
    store.add_user(first.id, "the river Tejo")
    asked = store.add_user(second.id, "is there a river too?")
    store.add_reply(second.id, asked.number, text="Yes, the RIVER Douro.", status="complete")
    hits = store.find("rive")
    assert [(hit.title, hit.turn.role) for hit in hits] == [
        ("Porto", "assistant"),
        ("Porto", "user"),
        ("Lisbon", "user"),
    ]
    assert [f.text for f in hits[0].snippet if f.found] == ["RIVER"]
    assert "".join(f.text for f in hits[0].snippet) == "Yes, the RIVER Douro."


def test_a_replaced_reply_is_not_found(store: SessionStore) -> None:
    session = store.create()
    asked = store.add_user(session.id, "where?")
    store.add_reply(session.id, asked.number, text="in Coimbra", status="complete")
    store.add_reply(session.id, asked.number, text="in Braga", status="complete")
    assert store.find("coimbra") == []
    assert len(store.find("braga")) == 1


@pytest.mark.parametrize(
    "odd", ['"', "*", "a AND", "NEAR(", "^", "-x", "(", "\0", "  ", "?!", "ti:x", "\ud83d"]
)
def test_no_query_is_an_error(store: SessionStore, odd: str) -> None:
    store.add_user(store.create().id, "plain words")
    assert store.find(odd) == []


def test_a_discarded_chat_is_nowhere_until_it_is_restored(store: SessionStore) -> None:
    session = store.create()
    store.add_user(session.id, "a rare word: zanzibar")
    store.discard(session.id)
    assert store.list() == []
    assert store.find("zanzibar") == []
    assert store.search("zanzibar") == []
    with pytest.raises(SessionError, match=session.id):
        store.get(session.id)
    assert store.restore(session.id).turns == 1
    assert len(store.find("zanzibar")) == 1


def test_a_discarded_chat_is_gone_when_its_store_closes(file: Path) -> None:
    store = SessionStore(file)
    gone, kept = store.create("gone"), store.create("kept")
    store.add_user(gone.id, "zanzibar")
    store.keep_draft(gone.id, "unsent")
    for session in (gone, kept):
        store.discard(session.id)
    store.restore(kept.id)
    store.close()
    again = SessionStore(file)
    assert [s.title for s in again.list()] == ["kept"]
    assert again.draft(gone.id) == ""
    with pytest.raises(SessionError, match=gone.id):
        again.restore(gone.id)
    again.close()


def test_after_a_kill_a_discarded_chat_goes_when_its_time_is_over(file: Path) -> None:
    killed = SessionStore(file)
    session = killed.create("x")
    killed.discard(session.id)
    SessionStore(file).restore(session.id)
    killed.discard(session.id)
    past = (datetime.now(UTC) - DISCARDED_FOR - timedelta(seconds=1)).isoformat(timespec="microseconds")
    db = sqlite3.connect(file)
    db.execute("UPDATE discarded SET at = ?", (past,))
    db.commit()
    db.close()
    later = SessionStore(file)
    with pytest.raises(SessionError):
        later.restore(session.id)


def test_each_chat_keeps_its_draft_and_so_does_the_one_to_come(store: SessionStore, file: Path) -> None:
    session = store.create()
    store.keep_draft(session.id, "half a thou")
    store.keep_draft(session.id, "half a thought \ud83d")
    store.keep_draft(None, "something new")
    other = SessionStore(file)
    assert other.draft(session.id) == "half a thought ?"
    assert other.draft(None) == "something new"
    store.keep_draft(None, "")
    assert other.draft(None) == ""
    other.close()
