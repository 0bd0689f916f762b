"""Messages that a newer export no longer has: kept, and marked.

An export says of each conversation in it: between my first and my last message there was nothing else
when I was made. What an older export held in between has been deleted since. The rule looks at times
alone, so the order in which exports are imported does not matter.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from knowledge.records import DELETED, Message
from knowledge.writing import micro, touch

Span = tuple[datetime, datetime]

_GONE = """
    EXISTS (
        SELECT 1 FROM spans s WHERE s.conversation = messages.conversation
        AND messages.sent_at BETWEEN s.first AND s.last AND s.exported_at > messages.exported_at)
"""
_MARKED = f"(flags <> '' AND ' ' || flags || ' ' LIKE '% {DELETED} %')"


@dataclass(slots=True)
class Spans:
    """From when to when one import held everything, by conversation id and time of export."""

    found: dict[tuple[str, datetime], Span] = field(default_factory=dict)

    def add(self, messages: Iterable[Message]) -> None:
        """Stretch the spans over these messages."""
        times: dict[tuple[str, datetime], list[datetime]] = {}
        for m in messages:
            if m.exported_at is not None:
                times.setdefault((m.conversation_id, m.exported_at), []).append(m.sent_at)
        for key, sent in times.items():
            sent += self.found.get(key, ())
            self.found[key] = min(sent), max(sent)

    def first_told(self, db: sqlite3.Connection, newest: int) -> set[str]:
        """The conversations later than the key `newest` of which one export alone tells: nothing is gone."""
        exports = Counter(conversation for conversation, _ in self.found)
        new = db.execute("SELECT id FROM conversations WHERE key > ?", (newest,))
        return {id for (id,) in new if exports[id] == 1}

    def store(self, db: sqlite3.Connection, first_told: Collection[str]) -> None:
        """Keep the spans for this import and later ones; runs inside a transaction."""
        for (conversation, exported_at), (first, last) in self.found.items():
            bounds = micro(exported_at), micro(first), micro(last)
            if conversation not in first_told and not _is_whole(db, conversation, *bounds):
                continue
            db.execute(
                "INSERT INTO spans SELECT key, ?, ?, ? FROM conversations WHERE id = ? "
                "ON CONFLICT DO UPDATE "
                "SET first = MIN(first, excluded.first), last = MAX(last, excluded.last)",
                (*bounds, conversation),
            )


def mark(db: sqlite3.Connection, conversations: Collection[str]) -> None:
    """Bring the marks in these conversations (ids) up to date; runs inside a transaction."""
    changed = 0
    for id in conversations:
        (key, newest) = db.execute(
            "SELECT MAX(conversation), MAX(exported_at) FROM spans "
            "WHERE conversation = (SELECT key FROM conversations WHERE id = ?)",
            (id,),
        ).fetchone()
        if key is None:
            continue
        changed += db.execute(
            f"UPDATE messages SET flags = TRIM(flags || ' {DELETED}') "
            f"WHERE conversation = ? AND exported_at < ? AND NOT {_MARKED} AND {_GONE}",
            (key, newest),
        ).rowcount
        changed += db.execute(
            f"UPDATE messages SET flags = TRIM(REPLACE(' ' || flags || ' ', ' {DELETED} ', ' ')) "
            f"WHERE conversation = ? AND {_MARKED} AND NOT {_GONE}",
            (key,),
        ).rowcount
    if changed:
        touch(db)


def _is_whole(db: sqlite3.Connection, conversation: str, exported_at: int, first: int, last: int) -> bool:
    """Whether the export can be all of the conversation: of one by a filter most is missing."""
    ((missing, held),) = db.execute(
        "SELECT COALESCE(SUM(exported_at < ?), 0), COALESCE(SUM(exported_at >= ?), 0) FROM messages "
        "WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND sent_at BETWEEN ? AND ?",
        (exported_at, exported_at, conversation, first, last),
    )
    return bool(missing <= held)
