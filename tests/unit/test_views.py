"""How a chat was left by its reader."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from persona.chat.store import SessionStore
from persona.chat.views import View, keep_view, view


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    store = SessionStore(tmp_path / "sessions.sqlite3")
    yield store
    store.close()


def test_a_chat_is_found_as_it_was_left_last(store: SessionStore) -> None:
    session = store.create()
    turn = store.add_user(session.id, "hello")
    assert view(store, session.id) == View()
    for left in (View(thinking_open=True, at=turn.id), View(at=turn.id), View(thinking_open=True)):
        keep_view(store, session.id, left)
        assert view(store, session.id) == left


def test_reading_a_chat_does_not_count_as_using_it(store: SessionStore) -> None:
    session = store.create()
    before = store.get(session.id)
    keep_view(store, session.id, View(thinking_open=True))
    assert store.get(session.id) == before


def test_what_is_deleted_leaves_nothing_of_itself(store: SessionStore) -> None:
    session = store.create()
    turn = store.add_user(session.id, "hello")
    keep_view(store, session.id, View(thinking_open=True, at=turn.id))
    store.delete_turn(turn.id)
    assert view(store, session.id) == View(thinking_open=True)
    keep_view(store, session.id, View(at="t-gone"))
    assert view(store, session.id) == View()
    store.delete(session.id)
    keep_view(store, session.id, View(thinking_open=True))
    assert view(store, session.id) == View()
