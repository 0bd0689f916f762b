"""How a batch of messages is merged into the archive: in a handful of statements, none per message.

The same export twice changes nothing; of two versions of a message the later edited one stays, and of
equally old ones that in which every mention is resolved, whatever order they come in; what a later export
adds to an unchanged message (that it opened a thread) is filled in.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, overload

from knowledge.records import UNRESOLVED, ImportReport, Kind, Message
from knowledge.text import whole

_COLUMNS = (
    "key, id, conversation, author, kind, sent_at, sent_offset, text, thread, reply_to, raw, edited_at, "
    "flags, exported_at"
)
_INSERT = f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = f"""
    {_INSERT} ON CONFLICT (key) DO UPDATE SET
        conversation = excluded.conversation, author = excluded.author, kind = excluded.kind,
        sent_at = excluded.sent_at, sent_offset = excluded.sent_offset, text = excluded.text,
        thread = COALESCE(excluded.thread, thread), reply_to = COALESCE(excluded.reply_to, reply_to),
        raw = excluded.raw, edited_at = excluded.edited_at, flags = excluded.flags
"""
_LAST_KEY = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'messages'"
_STRINGS = tuple(
    map(attrgetter, ("id", "conversation_id", "conversation", "text", "thread", "reply_to", "raw"))
)
_KINDS = {kind: kind.value for kind in Kind}
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
_ASK = 500
"""Values in one `IN (…)`; older SQLite builds allow 999."""


@dataclass(slots=True)
class _Old:
    """What must be known of a stored message to merge another version of it."""

    key: int
    kind: str
    text: str
    thread: str | None
    reply_to: str | None
    edited_at: int | None
    flags: str
    exported_at: int | None


@dataclass(slots=True)
class _Batch:
    """What a batch comes to: rows to insert, to replace (with the old version) and to complete.

    seen: the time of the newest export that holds it, and the key, of messages met again in one.
    """

    new: dict[str, Message]
    changed: dict[str, tuple[_Old, Message]]
    completed: list[tuple[str | None, str | None, int]]
    seen: list[tuple[int, int]]


def write(db: sqlite3.Connection, messages: Sequence[Message], report: ImportReport) -> None:
    """Merge `messages` into the archive and count each in `report`; runs inside a transaction."""
    messages = _storable(messages)
    people = _identity_keys(db, messages)
    places = _conversation_keys(db, messages)
    batch = _merge(_stored(db, [m.id for m in messages]), messages, report)
    (last,) = db.execute(_LAST_KEY).fetchone()
    new = [_row(key, m, places, people) for key, m in enumerate(batch.new.values(), last + 1)]
    changed = [_row(old.key, m, places, people) for old, m in batch.changed.values()]
    unsaid = [(old.key, old.text) for old, _ in batch.changed.values() if _is_speech(old)]
    said = [(old.key, m.text) for old, m in batch.changed.values() if _is_speech(m)]
    # external content: the index must be told the old words before they are gone
    db.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", unsaid)
    db.executemany(_INSERT, new)
    db.executemany(_REPLACE, changed)
    db.executemany("UPDATE messages SET thread = ?, reply_to = ? WHERE key = ?", batch.completed)
    db.executemany("UPDATE messages SET exported_at = ? WHERE key = ?", batch.seen)
    db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", said)
    db.execute("INSERT INTO words (rowid, text) SELECT key, text FROM speech WHERE key > ?", (last,))
    # a message that stopped being speech waits too: its vectors have to go
    waiting = dict.fromkeys(key for key, _ in (*said, *unsaid))
    db.executemany("INSERT OR REPLACE INTO waiting (message) VALUES (?)", [(key,) for key in waiting])
    db.execute("INSERT INTO waiting (message) SELECT key FROM speech WHERE key > ?", (last,))
    if new or changed or batch.completed:
        touch(db)


def touch(db: sqlite3.Connection) -> None:
    """Mark that messages or people have changed, for those who keep something made from them."""
    db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', hex(randomblob(8)))")


def _merge(stored: dict[str, _Old], messages: Sequence[Message], report: ImportReport) -> _Batch:
    batch = _Batch({}, {}, [], [])
    for message in messages:
        if (known := batch.new.get(message.id)) is not None:
            report.duplicates += 1
            better = message if _better(message, micro(known.edited_at), known.flags) else known
            newest = max((d for d in (known.exported_at, message.exported_at) if d), default=None)
            batch.new[message.id] = replace(better, exported_at=newest)
            continue
        if (old := stored.get(message.id)) is None:
            report.imported += 1
            batch.new[message.id] = message
            continue
        exported = micro(message.exported_at)
        if exported is not None and _later(exported, old.exported_at):
            old.exported_at = exported
            batch.seen.append((exported, old.key))
        if _better(message, old.edited_at, old.flags.split()):
            if message.id in batch.changed or (old.text, old.kind) == (message.text, message.kind):
                report.duplicates += 1
            else:
                report.updated += 1
            batch.changed[message.id] = (old, message)
            old.edited_at, old.flags = micro(message.edited_at), " ".join(message.flags)
        else:
            report.duplicates += 1
            if (message.thread and not old.thread) or (message.reply_to and not old.reply_to):
                old.thread, old.reply_to = old.thread or message.thread, old.reply_to or message.reply_to
                batch.completed.append((old.thread, old.reply_to, old.key))
    return batch


def _storable(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages without lone surrogates, which SQLite cannot hold."""
    try:
        for strings in _STRINGS:
            "".join([string for string in map(strings, messages) if string]).encode()
        for author in {m.author.id: m.author for m in messages}.values():
            "".join((author.id, author.name, *author.aliases)).encode()
    except UnicodeEncodeError:
        return [_mended(m) for m in messages]
    return messages


def _mended(m: Message) -> Message:
    author = replace(
        m.author,
        id=whole(m.author.id),
        name=whole(m.author.name),
        aliases=tuple(whole(alias) for alias in m.author.aliases),
    )
    return replace(
        m,
        id=whole(m.id),
        conversation_id=whole(m.conversation_id),
        conversation=whole(m.conversation),
        author=author,
        text=whole(m.text),
        thread=m.thread and whole(m.thread),
        reply_to=m.reply_to and whole(m.reply_to),
        raw=m.raw and whole(m.raw),
    )


def _later(edit: int | None, than: int | None) -> bool:
    return edit is not None and (than is None or edit > than)


def _better(message: Message, edited_at: int | None, flags: Sequence[str]) -> bool:
    """Whether this version replaces one that was edited then and has these flags."""
    edit = micro(message.edited_at)
    resolves = UNRESOLVED in flags and UNRESOLVED not in message.flags
    return _later(edit, edited_at) or (resolves and edit == edited_at)


def _is_speech(message: _Old | Message) -> bool:
    return message.kind == Kind.SPEECH and message.text != ""


def _stored(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, _Old]:
    sql = "SELECT id, key, kind, text, thread, reply_to, edited_at, flags, exported_at FROM messages WHERE id"
    return {row[0]: _Old(*row[1:]) for row in _among(db, sql, ids)}


def _among(db: sqlite3.Connection, sql: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of `sql` for every value, asked in few statements."""
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(values), _ASK):
        part = values[start : start + _ASK]
        found += db.execute(f"{sql} IN ({','.join('?' * len(part))})", part)
    return found


def _identity_keys(db: sqlite3.Connection, messages: Sequence[Message]) -> dict[str, int]:
    """Keys of all authors; names as the latest import has them, aliases collected over all."""
    authors = {m.author.id: (m.author, m.source) for m in messages}
    db.executemany(
        "INSERT INTO identities (id, source, name) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name <> excluded.name",
        [(a.id, source, a.name) for a, source in authors.values()],
    )
    keys = dict(_among(db, "SELECT id, key FROM identities WHERE id", list(authors)))
    db.executemany(
        "INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)",
        [
            (keys[a.id], alias.casefold(), alias)
            for a, _ in authors.values()
            for alias in (s.strip() for s in (a.name, *a.aliases, a.id, a.id.partition(":")[2]))
            if alias
        ],
    )
    return keys


def _conversation_keys(db: sqlite3.Connection, messages: Sequence[Message]) -> dict[str, int]:
    """Keys of all conversations, named as the latest import names them."""
    places = {m.conversation_id: (m.source, m.conversation) for m in messages}
    db.executemany(
        "INSERT INTO conversations (id, source, name) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name <> excluded.name",
        [(id, *place) for id, place in places.items()],
    )
    return dict(_among(db, "SELECT id, key FROM conversations WHERE id", list(places)))


def _row(key: int, m: Message, places: Mapping[str, int], people: Mapping[str, int]) -> tuple[Any, ...]:
    offset = m.sent_at.utcoffset()
    return (
        key, m.id, places[m.conversation_id], people[m.author.id], _KINDS[m.kind], micro(m.sent_at),
        offset // _MINUTE if offset else 0, m.text, m.thread, m.reply_to, m.raw, micro(m.edited_at),
        " ".join(m.flags), _export_time(m.exported_at),
    )  # fmt: skip


@overload
def micro(when: datetime) -> int: ...
@overload
def micro(when: None) -> None: ...
@overload
def micro(when: datetime | None) -> int | None: ...
def micro(when: datetime | None) -> int | None:
    """Microseconds since 1970, exactly; `timestamp()` would go through a float.

    At the two ends of time it stays two days within, so that every zone can tell it.
    """
    if when is None:
        return None
    count = (when - _EPOCH) // _MICROSECOND
    return count if _FIRST <= count <= _LAST else min(max(count, _FIRST), _LAST)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_FIRST = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_export_time = lru_cache(16)(micro)
"""One for all messages of an export."""
