"""Chats on disk: every message, also the unfinished reply of a killed process.

One SQLite file in WAL mode. Safe to use from any thread; other processes may use the same file.
Knows nothing of models, prompts or memory.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from knowledge.text import one_line, printable
from persona.backends.base import Usage
from persona.chat.events import Status
from persona.chat.schema import migrate
from persona.errors import SessionError

TITLE_LENGTH = 60

TurnRole = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Session:
    """One chat. turns: how many messages `SessionStore.turns` gives for it."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int

    def as_json(self) -> dict[str, Any]:
        """The shape of `sessions list`."""
        return {
            "id": self.id,
            "title": self.title,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "turns": self.turns,
        }


@dataclass(frozen=True, slots=True)
class MemoryRef:
    """A memory a reply was shown: the archive's message id, and why it was chosen. Never its text."""

    id: str
    rank: int
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat.

    number: the exchange it belongs to, from 1; a question and its reply share it.
    thinking_on: whether the model was allowed to think. active: false for a reply that was
    regenerated since. correspondent: who the user spoke as, None for the owner.
    """

    id: str
    session_id: str
    number: int
    role: TurnRole
    text: str
    thinking: str
    status: Status
    created_at: datetime
    correspondent: str | None = None
    memories: tuple[MemoryRef, ...] = ()
    usage: Usage | None = None
    thinking_on: bool = False
    active: bool = True

    def as_json(self) -> dict[str, Any]:
        """The shape of a turn in `sessions show`."""
        return {
            "id": self.id,
            "role": self.role,
            "text": self.text,
            "thinking": self.thinking,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
            "number": self.number,
            "thinking_on": self.thinking_on,
            "correspondent": self.correspondent,
            "memories": [asdict(m) for m in self.memories],
            "usage": asdict(self.usage) if self.usage else None,
            "active": self.active,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A frozen block that stands for exchanges `first_turn` to `last_turn` in the prompt.

    level: 1 for turns folded directly, one more for each merge. turn_ids: the messages folded in.
    """

    n: int
    strategy: str
    level: int
    first_turn: int
    last_turn: int
    text: str
    turn_ids: tuple[str, ...]


class SessionStore:
    """The chats of one user. Raises SessionError when the file cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            # WAL with NORMAL: a killed process loses nothing that was committed, and a commit a few
            # times a second during a reply costs no disk flush.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA secure_delete = ON")
            migrate(self._db)
        except (sqlite3.Error, OSError) as error:
            raise SessionError(
                f"the chats at {file} cannot be opened: {error}",
                "check that the folder can be written, or move the file away to start afresh",
            ) from error

    # Sessions

    def create(self, title: str | None = None) -> Session:
        """A new chat; without a title it takes that of its first message."""
        now = _now()
        with self._write() as db:
            session_id = _free_id(db)
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)", (session_id, _as_title(title or ""), now, now)
            )
        return self.get(session_id)

    def list(self) -> Sequence[Session]:
        """Every chat, the latest used first."""
        rows = self._read(f"{_SESSIONS} ORDER BY updated_at DESC, id")
        return [_session(row) for row in rows]

    def get(self, session_id: str) -> Session:
        """One chat. Raises SessionError when there is none of that id."""
        rows = self._read(f"{_SESSIONS} WHERE id = ?", (session_id,))
        if not rows:
            raise SessionError(f"there is no session `{session_id}`", "see `persona sessions list`")
        return _session(rows[0])

    def rename(self, session_id: str, title: str) -> Session:
        """Give a chat another title."""
        self.get(session_id)
        with self._write() as db:
            db.execute("UPDATE sessions SET title = ? WHERE id = ?", (_as_title(title), session_id))
        return self.get(session_id)

    def delete(self, session_id: str) -> None:
        """Remove a chat with all its turns and summaries, for good."""
        self.get(session_id)
        with self._write() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    # Turns

    def turns(self, session_id: str, *, alternatives: bool = False) -> Sequence[Turn]:
        """The messages of a chat in their order; with `alternatives`, replaced replies too."""
        self.get(session_id)
        where = "session = ?" if alternatives else "session = ? AND active = 1"
        rows = self._read(f"SELECT * FROM turns WHERE {where} ORDER BY number, n", (session_id,))
        return [_turn(row) for row in rows]

    def turn(self, turn_id: str) -> Turn:
        """One message. Raises SessionError when there is none of that id."""
        rows = self._read("SELECT * FROM turns WHERE id = ?", (turn_id,))
        if not rows:
            raise SessionError(f"there is no turn `{turn_id}`", "see `persona sessions show`")
        return _turn(rows[0])

    def add_user(self, session_id: str, text: str, *, correspondent: str | None = None) -> Turn:
        """Append the user's message, which opens a new exchange."""
        session = self.get(session_id)
        with self._write() as db:
            last = db.execute("SELECT max(number) FROM turns WHERE session = ?", (session_id,)).fetchone()[0]
            turn_id = _insert_turn(
                db, session_id, (last or 0) + 1, "user", text, status="complete", correspondent=correspondent
            )
            if not session.title:
                db.execute("UPDATE sessions SET title = ? WHERE id = ?", (_as_title(text), session_id))
        return self.turn(turn_id)

    def add_reply(
        self,
        session_id: str,
        number: int,
        *,
        text: str = "",
        thinking: str = "",
        status: Status = "partial",
        memories: Sequence[MemoryRef] = (),
        thinking_on: bool = False,
    ) -> Turn:
        """Open the reply of exchange `number`; a reply it already has becomes an alternative."""
        with self._write() as db:
            db.execute(
                "UPDATE turns SET active = 0 WHERE session = ? AND number = ? AND role = 'assistant'",
                (session_id, number),
            )
            turn_id = _insert_turn(
                db,
                session_id,
                number,
                "assistant",
                text,
                status=status,
                thinking=thinking,
                memories=json.dumps([asdict(m) for m in memories]),
                thinking_on=thinking_on,
            )
        return self.turn(turn_id)

    def update_reply(
        self, turn_id: str, *, text: str, thinking: str, status: Status, usage: Usage | None = None
    ) -> None:
        """Write what the reply has become."""
        counted = json.dumps(asdict(usage)) if usage else None
        with self._write() as db:
            db.execute(
                "UPDATE turns SET text = ?, thinking = ?, status = ?, usage = ? WHERE id = ?",
                (_storable(text), _storable(thinking), status, counted, turn_id),
            )
            db.execute(
                "UPDATE sessions SET updated_at = ? WHERE id = (SELECT session FROM turns WHERE id = ?)",
                (_now(), turn_id),
            )

    def search(self, text: str, limit: int = 50) -> Sequence[Turn]:
        """Messages that hold every word of `text` (the last one may be a beginning), best first."""
        words = ['"' + word.replace('"', '""') + '"' for word in text.split()]
        if not words:
            return []
        rows = self._read(
            "SELECT turns.* FROM turns_text JOIN turns ON turns.n = turns_text.rowid"
            " WHERE turns_text MATCH ? ORDER BY turns_text.rank, turns.n DESC LIMIT ?",
            (" ".join(words) + "*", limit),
        )
        return [_turn(row) for row in rows]

    # Summaries

    def summaries(self, session_id: str, strategy: str) -> Sequence[Summary]:
        """The summaries in force for one strategy, oldest turns first; merged ones are left out."""
        rows = self._read(
            "SELECT * FROM summaries WHERE session = ? AND strategy = ? ORDER BY first_turn, n",
            (session_id, strategy),
        )
        gone = {n for row in rows for n in json.loads(row["replaces"])}
        return [_summary(row) for row in rows if row["n"] not in gone]

    def add_summary(
        self,
        session_id: str,
        *,
        strategy: str,
        turns: Sequence[Turn],
        text: str,
        replaces: Iterable[Summary] = (),
    ) -> None:
        """Freeze a summary of `turns` (not empty); those it `replaces` stay stored, out of force."""
        merged = list(replaces)
        with self._write() as db:
            db.execute(
                "INSERT INTO summaries(session, strategy, level, first_turn, last_turn, text, turns,"
                " replaces, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    session_id,
                    strategy,
                    1 + max((s.level for s in merged), default=0),
                    min(t.number for t in turns),
                    max(t.number for t in turns),
                    text,
                    json.dumps([t.id for t in turns]),
                    json.dumps([s.n for s in merged]),
                    _now(),
                ),
            )

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; everything in it is stored, or nothing."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._failed("written", error) from error

    def _read(self, query: str, values: Sequence[object] = ()) -> Sequence[sqlite3.Row]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._failed("read", error) from error

    def _failed(self, what: str, error: sqlite3.Error) -> SessionError:
        return SessionError(
            f"the chats at {self._file} cannot be {what}: {error}",
            "check the free disk space and that no other program holds the file",
        )


_SESSIONS = (
    "SELECT *, (SELECT count(*) FROM turns WHERE session = sessions.id AND active = 1) AS turns FROM sessions"
)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _as_title(text: str) -> str:
    title = one_line(printable(text))
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1].rstrip() + "…"


def _storable(text: str) -> str:
    """`text` without lone surrogates, which SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _free_id(db: sqlite3.Connection) -> str:
    while True:
        session_id = f"s-{secrets.token_hex(3)}"
        if db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is None:
            return session_id


def _insert_turn(
    db: sqlite3.Connection, session_id: str, number: int, role: TurnRole, text: str, **values: object
) -> str:
    turn_id = f"t-{secrets.token_hex(6)}"
    now = _now()
    row = {
        "id": turn_id,
        "session": session_id,
        "number": number,
        "role": role,
        "text": _storable(text),
        "created_at": now,
        **values,
    }
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO turns({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    db.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (now, session_id))
    return turn_id


def _session(row: sqlite3.Row) -> Session:
    return Session(
        row["id"],
        row["title"],
        datetime.fromisoformat(row["created_at"]),
        datetime.fromisoformat(row["updated_at"]),
        row["turns"],
    )


def _turn(row: sqlite3.Row) -> Turn:
    return Turn(
        id=row["id"],
        session_id=row["session"],
        number=row["number"],
        role=row["role"],
        text=row["text"],
        thinking=row["thinking"],
        status=row["status"],
        created_at=datetime.fromisoformat(row["created_at"]),
        correspondent=row["correspondent"],
        memories=tuple(MemoryRef(**m) for m in json.loads(row["memories"])),
        usage=Usage(**json.loads(row["usage"])) if row["usage"] else None,
        thinking_on=bool(row["thinking_on"]),
        active=bool(row["active"]),
    )


def _summary(row: sqlite3.Row) -> Summary:
    return Summary(
        n=row["n"],
        strategy=row["strategy"],
        level=row["level"],
        first_turn=row["first_turn"],
        last_turn=row["last_turn"],
        text=row["text"],
        turn_ids=tuple(json.loads(row["turns"])),
    )
