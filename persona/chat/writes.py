"""Rows as they are written to the chat file: their ids, times and texts, and what a write takes with it."""

import json
import secrets
import sqlite3
from collections.abc import Set
from datetime import UTC, datetime

from knowledge.text import one_line, printable
from persona.chat.turns import TurnRole

TITLE_LENGTH = 60

FORGOTTEN = "[forgotten]"
"""What stands in place of a reply or a sentence that was forgotten."""


def unsummarise(db: sqlite3.Connection, session_id: str, gone: Set[str]) -> int:
    """Delete every summary of a chat made of any of these turns (ids), and say how many those were."""
    if not gone:
        return 0
    made = db.execute("SELECT n, turns FROM summaries WHERE session = ?", (session_id,))
    stale = [(row["n"],) for row in made if not gone.isdisjoint(json.loads(row["turns"]))]
    db.executemany("DELETE FROM summaries WHERE n = ?", stale)
    return len(stale)


def now() -> str:
    """The time as it is stored."""
    return utc(datetime.now(UTC))


def utc(when: datetime) -> str:
    """`when` (aware) as it is stored: texts that sort by time."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def as_title(text: str) -> str:
    """A chat's title, made of its first message."""
    title = one_line(printable(text))
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"


def storable(text: str) -> str:
    """`text` without lone surrogates, which SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def free_session_id(db: sqlite3.Connection) -> str:
    """An id that no chat has."""
    while True:
        session_id = f"s-{secrets.token_hex(3)}"
        if db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is None:
            return session_id


def free_turn_id() -> str:
    """An id that no turn has."""
    return f"t-{secrets.token_hex(6)}"


def insert_turn(
    db: sqlite3.Connection, session_id: str, number: int, role: TurnRole, text: str, **values: object
) -> str:
    """Add a turn to a chat, `values` being its other columns, and give its id."""
    turn_id = free_turn_id()
    at = now()
    row = {
        "id": turn_id,
        "session": session_id,
        "number": number,
        "role": role,
        "text": storable(text),
        "created_at": at,
        **values,
    }
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO turns({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    db.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (at, session_id))
    return turn_id
