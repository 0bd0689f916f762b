"""Chats on disk: every message, also the unfinished reply of a killed process.

One SQLite file in WAL mode. Safe to use from any thread; other processes may use the same file.
Knows nothing of models, prompts or memory.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from persona.backends.base import Usage
from persona.chat import writes
from persona.chat.events import Status
from persona.chat.schema import migrate
from persona.chat.search import FIND, Hit, hit_of, match
from persona.chat.turns import (
    Author,
    MemoryRef,
    Session,
    Summary,
    Turn,
    TurnRole,
    session_of,
    summary_of,
    turn_of,
)
from persona.errors import SessionError

__all__ = ["Hit", "MemoryRef", "Session", "SessionStore", "Summary", "Turn", "TurnRole"]

_SESSIONS = (
    "SELECT *, (SELECT count(*) FROM turns WHERE session = sessions.id AND active = 1) AS turns FROM sessions"
)
_NOT_DISCARDED = "id NOT IN (SELECT session FROM discarded)"

T = TypeVar("T")

DISCARDED_FOR = timedelta(hours=1)
"""How long a discarded chat can be brought back when its store was never closed (a killed process)."""


class SessionStore:
    """The chats of one user. Raises SessionError when the file cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._discarded: set[str] = set()
        self._version = (0, 0)
        self._read: dict[tuple[str, str], Sequence[Any]] = {}
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
        self._purge("at < ?", (datetime.now(UTC) - DISCARDED_FOR).isoformat(timespec="microseconds"))

    # Sessions

    def create(self, title: str | None = None) -> Session:
        """A new chat; without a title it takes that of its first message."""
        now = writes.now()
        with self.writing() as db:
            session_id = writes.free_session_id(db)
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)",
                (session_id, writes.as_title(title or ""), now, now),
            )
        return self.get(session_id)

    def list(self) -> Sequence[Session]:
        """Every chat, the latest used first."""
        rows = self.rows(f"{_SESSIONS} WHERE {_NOT_DISCARDED} ORDER BY updated_at DESC, id")
        return [session_of(row) for row in rows]

    def get(self, session_id: str) -> Session:
        """One chat. Raises SessionError when there is none of that id."""
        rows = self.rows(f"{_SESSIONS} WHERE id = ? AND {_NOT_DISCARDED}", (session_id,))
        if not rows:
            raise SessionError(f"there is no session `{session_id}`", "see `persona sessions list`")
        return session_of(rows[0])

    def rename(self, session_id: str, title: str) -> Session:
        """Give a chat another title."""
        self.get(session_id)
        with self.writing() as db:
            db.execute("UPDATE sessions SET title = ? WHERE id = ?", (writes.as_title(title), session_id))
        return self.get(session_id)

    def delete(self, session_id: str) -> None:
        """Remove a chat with all its turns and summaries, for good."""
        self.get(session_id)
        with self.writing() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    def discard(self, session_id: str) -> None:
        """Hide a chat; it is deleted when this store is closed, unless `restore` brings it back."""
        self.get(session_id)
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO discarded VALUES (?, ?)", (session_id, writes.now()))
        self._discarded.add(session_id)

    def restore(self, session_id: str) -> Session:
        """Bring a discarded chat back. Raises SessionError when it is gone for good."""
        with self.writing() as db:
            db.execute("DELETE FROM discarded WHERE session = ?", (session_id,))
        self._discarded.discard(session_id)
        return self.get(session_id)

    def _purge(self, which: str, *values: str) -> None:
        with self.writing() as db:
            db.execute(
                f"DELETE FROM sessions WHERE id IN (SELECT session FROM discarded WHERE {which})", values
            )

    # Drafts

    def draft(self, session_id: str | None) -> str:
        """What was written in a chat and not sent; None is the chat that is not begun yet, any other name a
        place where one writes outside of chats."""
        rows = self.rows("SELECT text FROM drafts WHERE session = ?", (session_id or "",))
        return str(rows[0]["text"]) if rows else ""

    def keep_draft(self, session_id: str | None, text: str) -> None:
        """Store what is written so far, in place of what was; "" when there is nothing any more."""
        with self.writing() as db:
            db.execute("DELETE FROM drafts WHERE session = ?", (session_id or "",))
            if text:
                db.execute("INSERT INTO drafts VALUES (?, ?)", (session_id or "", writes.storable(text)))

    # Turns

    def turns(self, session_id: str, *, alternatives: bool = False) -> Sequence[Turn]:
        """The messages of a chat in their order; with `alternatives`, replaced replies too."""
        self.get(session_id)
        where = "session = ?" if alternatives else "session = ? AND active = 1"
        query = f"SELECT * FROM turns WHERE {where} ORDER BY number, n"
        return self._once(
            (query, session_id), lambda: tuple(turn_of(row) for row in self.rows(query, (session_id,)))
        )

    def _once(self, key: tuple[str, str], read: Callable[[], Sequence[T]]) -> Sequence[T]:
        """What `read` gives, read anew when anything was written since: one turn asks several times."""
        with self._lock:
            version = (self.rows("PRAGMA data_version")[0][0], self._db.total_changes)
            if version != self._version:
                self._version, self._read = version, {}
            if key not in self._read:
                self._read[key] = read()
            return self._read[key]

    def turn(self, turn_id: str) -> Turn:
        """One message. Raises SessionError when there is none of that id."""
        rows = self.rows("SELECT * FROM turns WHERE id = ?", (turn_id,))
        if not rows:
            raise SessionError(f"there is no turn `{turn_id}`", "see `persona sessions show`")
        return turn_of(rows[0])

    def add_user(
        self,
        session_id: str,
        text: str,
        *,
        correspondent: str | None = None,
        channel: str | None = None,
        at: datetime | None = None,
    ) -> Turn:
        """Append the user's message, which opens a new exchange. at: when it is written, aware."""
        session = self.get(session_id)
        with self.writing() as db:
            last = db.execute("SELECT max(number) FROM turns WHERE session = ?", (session_id,)).fetchone()[0]
            turn_id = writes.insert_turn(
                db,
                session_id,
                (last or 0) + 1,
                "user",
                text,
                status="complete",
                correspondent=correspondent,
                channel=channel,
                **({"created_at": writes.utc(at)} if at else {}),
            )
            if not session.title:
                db.execute("UPDATE sessions SET title = ? WHERE id = ?", (writes.as_title(text), session_id))
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
        """Open the reply of exchange `number`; a reply it already has becomes an alternative, and no
        summary is made of it any more."""
        with self.writing() as db:
            had = db.execute(
                "SELECT id FROM turns WHERE session = ? AND number = ? AND role = 'assistant'",
                (session_id, number),
            )
            writes.unsummarise(db, session_id, {row["id"] for row in had})
            db.execute(
                "UPDATE turns SET active = 0 WHERE session = ? AND number = ? AND role = 'assistant'",
                (session_id, number),
            )
            turn_id = writes.insert_turn(
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
        with self.writing() as db:
            db.execute(
                "UPDATE turns SET text = ?, thinking = ?, status = ?, usage = ? WHERE id = ?",
                (writes.storable(text), writes.storable(thinking), status, counted, turn_id),
            )
            db.execute(
                "UPDATE sessions SET updated_at = ? WHERE id = (SELECT session FROM turns WHERE id = ?)",
                (writes.now(), turn_id),
            )

    def delete_turn(self, turn_id: str) -> None:
        """Remove one message for good; a question goes with its replies.

        So do the facts it proves and every summary made of it. What those summaries stood for is then
        in the prompt again, or in the smaller ones they had replaced, until the next fold makes new ones.
        """
        turn = self.turn(turn_id)
        whole = "session = ? AND number = ?" if turn.role == "user" else "id = ?"
        where = (turn.session_id, turn.number) if turn.role == "user" else (turn_id,)
        with self.writing() as db:
            gone = {row["id"] for row in db.execute(f"SELECT id FROM turns WHERE {whole}", where)}
            writes.unsummarise(db, turn.session_id, gone)
            db.execute(f"DELETE FROM turns WHERE {whole}", where)

    def search(self, text: str, limit: int = 50) -> Sequence[Turn]:
        """Messages that hold every word of `text` (the last one may be a beginning), best first."""
        wanted = match(text)
        if not wanted:
            return []
        rows = self.rows(
            "SELECT turns.* FROM turns_text JOIN turns ON turns.n = turns_text.rowid"
            " WHERE turns_text MATCH ? AND turns.session NOT IN (SELECT session FROM discarded)"
            " ORDER BY turns_text.rank, turns.n DESC LIMIT ?",
            (wanted, limit),
        )
        return [turn_of(row) for row in rows]

    def find(self, text: str, limit: int = 100) -> Sequence[Hit]:
        """Messages in force that hold every word of `text`, newest first, with the words marked."""
        wanted = match(text)
        return [hit_of(row) for row in self.rows(FIND, (wanted, limit))] if wanted else []

    # Summaries

    def summaries(self, session_id: str, strategy: str) -> Sequence[Summary]:
        """The summaries in force for one strategy, oldest turns first; merged ones are left out."""
        return [s for s in self.all_summaries(session_id) if s.strategy == strategy and s.in_force]

    def all_summaries(self, session_id: str) -> Sequence[Summary]:
        """Every summary of a chat with its strategy, oldest turns first, those out of force too."""
        query = "SELECT * FROM summaries WHERE session = ? ORDER BY first_turn, n"

        def read() -> tuple[Summary, ...]:
            rows = self.rows(query, (session_id,))
            gone = {n for row in rows for n in json.loads(row["replaces"])}
            return tuple(summary_of(row, row["n"] not in gone) for row in rows)

        return self._once((query, session_id), read)

    def add_summary(
        self,
        session_id: str,
        *,
        strategy: str,
        turns: Sequence[Turn],
        text: str,
        replaces: Iterable[Summary] = (),
        made_by: Author = "extractive",
        dropped: int = 0,
        note: str = "",
    ) -> None:
        """Freeze a summary of `turns` (not empty); those it `replaces` stay stored, out of force.

        made_by, dropped, note: as `Summary` has them.
        """
        merged = list(replaces)
        with self.writing() as db:
            db.execute(
                "INSERT INTO summaries(session, strategy, level, first_turn, last_turn, text, turns,"
                " replaces, created_at, made_by, dropped, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    session_id,
                    strategy,
                    1 + max((s.level for s in merged), default=0),
                    min(t.number for t in turns),
                    max(t.number for t in turns),
                    text,
                    json.dumps([t.id for t in turns]),
                    json.dumps([s.n for s in merged]),
                    writes.now(),
                    made_by,
                    dropped,
                    note,
                ),
            )

    def close(self) -> None:
        """Delete what was discarded, and close the file; the store cannot be used afterwards."""
        with self._lock:
            try:
                while self._discarded:
                    self._purge("session = ?", self._discarded.pop())
            finally:
                self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
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

    def rows(self, query: str, values: Sequence[object] = ()) -> Sequence[sqlite3.Row]:
        """All rows of one query."""
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise self._failed("read", error) from error

    def scrub(self) -> None:
        """Write the file anew, so that it and its log hold no byte of what was deleted.

        Raises SessionError while another program holds the file; nothing is lost, and it can be done again.
        """
        with self.writing() as db:
            db.execute("INSERT INTO turns_text(turns_text) VALUES ('rebuild')")
        with self._lock:
            try:
                self._db.execute("VACUUM")
                busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error as error:
                raise self._failed("written anew", error) from error
        if busy:
            raise SessionError(
                "another program holds the chats", "close it, and run `persona memory forget` to go on"
            )

    def _failed(self, what: str, error: sqlite3.Error) -> SessionError:
        return SessionError(
            f"the chats at {self._file} cannot be {what}: {error}",
            "check the free disk space and that no other program holds the file",
        )
