"""Branches of a chat: the other replies to a message, and chats that go on from one of its turns."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from persona.chat.fact_book import copy_facts
from persona.chat.store import Session, SessionStore, Turn
from persona.chat.writes import free_turn_id, unsummarise
from persona.errors import SessionError


def alternatives(sessions: SessionStore, turn_id: str) -> Sequence[Turn]:
    """Every reply to the message that this turn is or answers, oldest first; one of them is `active`.

    Raises SessionError when there is no such turn.
    """
    turn = sessions.turn(turn_id)
    everything = sessions.turns(turn.session_id, alternatives=True)
    return [t for t in everything if t.number == turn.number and t.role == "assistant"]


def put_in_force(sessions: SessionStore, reply_id: str) -> Turn:
    """Make this reply the one the chat goes on with; what was made of the other is made anew when needed.

    Raises SessionError when there is no such reply.
    """
    reply = sessions.turn(reply_id)
    if reply.role != "assistant":
        raise SessionError(f"`{reply_id}` is no reply", "choose one of the replies to a message")
    others = {t.id for t in alternatives(sessions, reply_id)} - {reply_id}
    with sessions.writing() as db:
        unsummarise(db, reply.session_id, others)
        db.execute(
            "UPDATE turns SET active = id = ? WHERE session = ? AND number = ? AND role = 'assistant'",
            (reply_id, reply.session_id, reply.number),
        )
    return sessions.turn(reply_id)


def fork(sessions: SessionStore, session_id: str, upto: int | None = None) -> Session:
    """A new chat with the exchanges of this one up to number `upto` (all of them when None).

    Alternatives, summaries and facts of those exchanges come along; the first chat stays as it is.
    Raises SessionError when there is no such chat, or nothing to begin from.
    """
    old = sessions.get(session_id)
    numbers = [t.number for t in sessions.turns(session_id) if upto is None or t.number <= upto]
    if not numbers:
        raise SessionError("there is nothing to fork from", "begin a new chat instead")
    new = sessions.create(f"{old.title} (fork)")
    with sessions.writing() as db:
        ids = _copy_turns(db, session_id, new.id, max(numbers))
        _copy_summaries(db, session_id, new.id, max(numbers), ids)
        copy_facts(db, ids)
    return sessions.get(new.id)


def _copy_turns(db: sqlite3.Connection, old: str, new: str, upto: int) -> dict[str, str]:
    """The new id of every turn that was copied."""
    ids: dict[str, str] = {}
    rows = db.execute("SELECT * FROM turns WHERE session = ? AND number <= ? ORDER BY n", (old, upto))
    for row in rows.fetchall():
        ids[row["id"]] = free_turn_id()
        _insert(db, "turns", row, id=ids[row["id"]], session=new)
    return ids


def _copy_summaries(db: sqlite3.Connection, old: str, new: str, upto: int, ids: Mapping[str, str]) -> None:
    numbers: dict[int, int] = {}
    rows = db.execute("SELECT * FROM summaries WHERE session = ? AND last_turn <= ? ORDER BY n", (old, upto))
    for row in rows.fetchall():
        made_of = [ids[id] for id in json.loads(row["turns"]) if id in ids]
        replaced = [numbers[n] for n in json.loads(row["replaces"]) if n in numbers]
        numbers[row["n"]] = _insert(
            db, "summaries", row, session=new, turns=json.dumps(made_of), replaces=json.dumps(replaced)
        )


def _insert(db: sqlite3.Connection, table: str, row: sqlite3.Row, **changes: object) -> int:
    values = {key: row[key] for key in row.keys() if key != "n"} | changes  # noqa: SIM118
    marks = ", ".join("?" * len(values))
    written = db.execute(f"INSERT INTO {table}({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
    return int(written.lastrowid or 0)
