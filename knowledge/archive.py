"""Every message, verbatim: the ground truth that everything else can be made from again.

SQLite in WAL mode: what was committed survives a kill, and readers never wait for a writer. One
connection behind a lock, so that any thread may call. Knows nothing of vectors or of ranking.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from knowledge.errors import ArchiveError
from knowledge.records import Identity, ImportReport, Kind, Message, StoredMessage
from knowledge.schema import migrate
from knowledge.sentences import asked
from knowledge.tombstones import Tombstones
from knowledge.writing import write

NOTES_OWNER = "notes:owner"
"""The author of notes: the owner, whoever that turns out to be."""

_ALONE = "close it, and run `persona memory forget` to go on"

CALLED = """
    SELECT COALESCE(p.person, p.key) FROM aliases a JOIN identities p ON p.key = a.identity WHERE a.folded {}
"""
"""SQL: the keys of the persons whom a name, case folded, means; to be completed by a comparison."""

_SELECT = """
    SELECT m.key, m.id, c.source, c.id, c.name, i.id, i.name, i.is_self, m.sent_at, m.sent_offset,
           m.text, m.kind, m.thread, m.reply_to, m.raw, m.edited_at, m.flags
    FROM {table} m JOIN conversations c ON c.key = m.conversation JOIN identities i ON i.key = m.author
"""


class Archive:
    """The SQLite file at `file`, made when it is missing; `None` keeps everything in memory.

    Raises ArchiveError when the file is damaged or of a newer version.
    """

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._rehearsing = False
        self.file = file
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(
                file or ":memory:", isolation_level=None, check_same_thread=False, timeout=30
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA cache_size = -65536")  # KiB
            self._db.execute("PRAGMA wal_autocheckpoint = 8192")  # pages: an import rewrites the same ones
            self._db.create_function("asked", 1, asked, deterministic=True)
            migrate(self._db)
        except sqlite3.DatabaseError as error:
            raise ArchiveError(
                f"the archive {file} cannot be opened: {error}",
                "move the file away and import your exports again",
            ) from error

    def close(self) -> None:
        """Close the file; the archive cannot be used afterwards."""
        with self._lock:
            self._db.close()

    # Writing

    def add(self, messages: Sequence[Message], report: ImportReport) -> None:
        """Store one batch, all of it or nothing, and count it in `report`."""
        with self.writing() as db:
            stones = Tombstones(db)
            write(db, stones.lets_in(messages, report) if stones else messages, report)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection inside one transaction, which is undone when the block raises. Nests."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._db
            except BaseException:
                if outermost:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._db.execute("ROLLBACK" if self._rehearsing else "COMMIT")
            finally:
                self._depth -= 1

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything written inside this block is undone at its end."""
        with self._lock:
            self._rehearsing = True
            try:
                with self.writing():
                    yield
            finally:
                self._rehearsing = False

    def scrub(self) -> None:
        """Write the file anew, so that it and its log hold nothing but what is in force.

        Raises ArchiveError while another program has the archive open and reads it.
        """
        with self._lock:
            try:
                self._db.execute("VACUUM")
                ((busy, _, _),) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                raise ArchiveError(f"the archive cannot be written anew: {error}", _ALONE) from error
        if busy:
            raise ArchiveError("another program reads the archive", _ALONE)

    # Reading

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def version(self) -> str | None:
        """A mark that differs whenever anybody, here or in another process, changed messages or people."""
        return self.meta("revision")

    def meta(self, name: str) -> str | None:
        """One remembered value."""
        found = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def set_meta(self, name: str, value: str) -> None:
        """Remember one value."""
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def message(self, id: str) -> StoredMessage | None:
        """One message by its id, None when there is none."""
        found = self.select("WHERE m.id = ?", (id,))
        return found[0][1] if found else None

    def by_key(self, keys: Iterable[int]) -> dict[int, StoredMessage]:
        """Messages by their archive keys; unknown keys are left out."""
        wanted = list(keys)
        found: dict[int, StoredMessage] = {}
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            found.update(self.select(f"WHERE m.key IN ({','.join('?' * len(part))})", part))
        return found

    def messages(
        self,
        *,
        conversation: str | None = None,
        author: str | None = None,
        thread: str | None = None,
        limit: int | None = 50,
        include_all: bool = False,
    ) -> list[StoredMessage]:
        """The newest messages that fit, oldest first.

        conversation: id or shown name. author: a whole name, handle, address or id, case folded.
        All accounts of one person count as one. include_all: system and bot records too.
        """
        where, values = ["1"], []
        if conversation is not None:
            where.append("(c.id = ? OR c.name = ?)")
            values += [conversation, conversation]
        if author is not None:
            where.append(f"COALESCE(i.person, i.key) IN ({CALLED.format('= ?')})")
            values.append(author.strip().casefold())
        if thread is not None:
            where.append("m.thread = ?")
            values.append(thread)
        if not include_all:
            where.append(f"m.kind = '{Kind.SPEECH}'")
        tail = f"WHERE {' AND '.join(where)} ORDER BY m.sent_at DESC, m.key DESC LIMIT ?"
        found = self.select(tail, [*values, -1 if limit is None else limit])
        return [message for _, message in reversed(found)]

    def own_speech(self, limit: int | None = None) -> Iterator[StoredMessage]:
        """What the owner wrote, newest first."""
        tail = "WHERE i.is_self ORDER BY m.sent_at DESC, m.key DESC LIMIT ?"
        for _, message in self.select(tail, (-1 if limit is None else limit,), table="speech"):
            yield message

    def select(
        self, tail: str, parameters: Sequence[Any] = (), table: str = "messages"
    ) -> list[tuple[int, StoredMessage]]:
        """Messages with their keys; `tail` is the SQL after the joins (m, c, i)."""
        owner = self.meta("owner_name")
        return [_stored(row, owner) for row in self.rows(_SELECT.format(table=table) + tail, parameters)]


def _stored(row: tuple[Any, ...], owner: str | None) -> tuple[int, StoredMessage]:
    (key, id, source, conversation_id, conversation, author_id, author, is_self, sent_at, offset) = row[:10]
    (text, kind, thread, reply_to, raw, edited_at, flags) = row[10:]
    return key, StoredMessage(
        id=id,
        source=source,
        conversation_id=conversation_id,
        conversation=conversation,
        author_id=author_id,
        author=owner if owner and author_id == NOTES_OWNER else author,
        is_self=bool(is_self),
        sent_at=moment(sent_at, offset),
        text=text,
        kind=Kind(kind),
        thread=thread,
        reply_to=reply_to,
        raw=raw,
        edited_at=None if edited_at is None else moment(edited_at),
        flags=tuple(flags.split()),
    )


def moment(microseconds: int, offset_minutes: int = 0) -> datetime:
    """An aware datetime from what the archive stores."""
    zone = timezone(timedelta(minutes=offset_minutes)) if offset_minutes else UTC
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).astimezone(zone)


def identities(archive: Archive) -> list[tuple[int, Identity]]:
    """Every identity with its key, and the aliases of all accounts of that person as they were written."""
    aliases: dict[int, dict[str, None]] = {}
    for person, alias in archive.rows(
        "SELECT COALESCE(i.person, i.key), a.alias FROM aliases a JOIN identities i ON i.key = a.identity"
    ):
        aliases.setdefault(person, {})[alias] = None
    rows = archive.rows("SELECT key, COALESCE(person, key), id, name FROM identities ORDER BY key")
    return [(key, Identity(id, name, tuple(aliases.get(person, ())))) for key, person, id, name in rows]
