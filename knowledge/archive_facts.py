"""Facts stated in the archive's messages, in the same file: what proves one and the fact go together.

Found by rules, which take what people state of themselves where an attribute is named, and by a model, which
is shown a few messages at a time and believed only where they prove it (`extraction`). What was read is
written down with what was found in it, in one transaction: a kill loses one reading at most, and no message
is read twice by the same reader.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from knowledge.archive import Archive, moment
from knowledge.errors import ArchiveError
from knowledge.extraction import MOST_MESSAGES, Ask, Found, read, worth_reading
from knowledge.facts import SURE, Fact, Origin, hashed_id, in_force, statements
from knowledge.progress import Progress
from knowledge.records import Later, StoredMessage
from knowledge.reldates import resolved
from knowledge.text import one_line, printable
from knowledge.writing import micro

Report = Callable[[Progress], None]

RULES = "rules"

_BATCH = 500
_QUOTED = 300
"""Characters of a message that are shown as the proof of what a model wrote."""


@dataclass(slots=True)
class Extracted:
    """What one extraction gave. read: messages; asked: calls of the model; found: facts that were new;
    dropped: what the model said and no message proves, by reason."""

    read: int = 0
    asked: int = 0
    found: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Row:
    """A fact as it is written down, `Found` or `Statement` before it."""

    subject: str
    told_by_subject: bool
    attribute: str | None
    text: str
    dated: str
    sources: tuple[str, ...]
    confidence: float
    origin: Origin
    model: str = ""
    since: datetime | None = None
    until: datetime | None = None


class ArchiveFacts:
    """The facts of one archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    # Finding

    def by_rules(self, report: Report | None = None) -> Extracted:
        """What people state of themselves in messages that no rule has read yet; newest first."""
        done = Extracted()
        waiting = self._waiting(RULES)
        while messages := self._unread(RULES, _BATCH):
            rows = [
                _Row(m.author, True, s.attribute, s.text, s.dated, (m.id,), s.confidence, "rules")
                for m in messages
                for s in statements(m.text, m.sent_at)
                if s.confidence >= SURE
            ]
            done.found += self._keep(rows, messages, RULES)
            done.read += len(messages)
            if report:
                report(Progress("facts by rules", done.read, waiting))
        return done

    def by_model(
        self, model: str, ask: Ask, most: int | None = None, report: Report | None = None
    ) -> Extracted:
        """What `model` picks out of messages it has not read yet, newest first, in at most `most` calls.

        Ends early when `ask` was cut short. Raises what `ask` does; what was read before stays.
        """
        done = Extracted()
        waiting = self._waiting(model)
        while messages := self._unread(model, _BATCH):
            for some in _together(messages):
                rows: list[_Row] = []
                if worth_reading(some):
                    if most is not None and done.asked >= most:
                        return done
                    reading = read(some, ask)
                    if reading is None:
                        return done
                    done.asked += 1
                    done.dropped += reading.dropped
                    rows = [_row(found, some, model) for found in reading.found]
                done.found += self._keep(rows, some, model)
                done.read += len(some)
                if report:
                    report(Progress(f"facts by {model}", done.read, waiting))
        return done

    # Looking up, and after

    def told(self) -> list[Fact]:
        """Every fact, oldest first, each with what superseded it."""
        return self._told("1", ())

    def later(self, keys: Sequence[int]) -> dict[str, list[Later]]:
        """What was told anew, or corrected, of the facts that these messages prove: by id of the message.

        One query where none of them proves a fact.
        """
        stated = self._archive.rows(
            "SELECT m.id, f.id, f.attribute FROM proofs p JOIN facts f ON f.key = p.fact"
            f" JOIN messages m ON m.key = p.message WHERE p.message IN ({_marks(keys)}) ORDER BY f.key",
            tuple(keys),
        )
        if not stated:
            return {}
        ids, about = {id for _, id, _ in stated}, {attribute for *_, attribute in stated if attribute}
        known = self._told(
            f"f.id IN ({_marks(ids)}) OR f.corrects IN ({_marks(ids)}) OR f.attribute IN ({_marks(about)})",
            (*ids, *ids, *about),
        )
        by_id = {fact.id: fact for fact in known}
        found: dict[str, list[Later]] = {}
        for message, id, _ in stated:
            fact = by_id[id]
            newer = by_id.get(fact.superseded_by or "")
            while newer and newer.corrects and newer.superseded_by in by_id:
                newer = by_id[newer.superseded_by]
            if newer and newer.text != fact.text and (newer.corrects or message not in newer.sources):
                correction = newer.dated if newer.corrects else ""
                later = Later(fact.attribute or "", newer.told_at, correction)
                found.setdefault(message, []).append(later)
        return found

    def _told(self, where: str, values: Sequence[str]) -> list[Fact]:
        """The facts `f` that fit a condition, oldest first, each with what of them superseded it."""
        proofs: dict[int, list[tuple[str, datetime, str]]] = {}
        for fact, id, sent_at, offset, text in self._archive.rows(
            "SELECT p.fact, m.id, m.sent_at, m.sent_offset, m.text FROM proofs p"
            " JOIN messages m ON m.key = p.message JOIN facts f ON f.key = p.fact"
            f" WHERE {where} ORDER BY m.sent_at, m.key",
            values,
        ):
            proofs.setdefault(fact, []).append((id, moment(sent_at, offset), text))
        rows = self._archive.rows(
            "SELECT f.key, f.id, COALESCE(p.name, i.name, f.subject), COALESCE(i.is_self, 0), f.attribute,"
            " f.text, f.dated, f.since, f.until, f.confidence, f.origin, f.model, f.corrects, f.pinned"
            " FROM facts f LEFT JOIN identities i ON i.key = f.teller"
            f" LEFT JOIN identities p ON p.key = i.person WHERE {where} ORDER BY f.key",
            values,
        )
        facts = [_fact(row, proofs[row[0]]) for row in rows]
        return in_force(sorted(facts, key=lambda fact: fact.told_at))

    def get(self, id: str) -> Fact | None:
        """One fact, None where there is none of that id."""
        return next((fact for fact in self.told() if fact.id == id), None)

    def pinned(self) -> list[Fact]:
        """Those that are shown in every chat."""
        if not self._archive.rows("SELECT 1 FROM facts WHERE pinned LIMIT 1"):
            return []
        return [fact for fact in self.told() if fact.pinned]

    def correct(self, id: str, text: str) -> Fact:
        """Write down what holds in place of a fact, which stays and is superseded. Raises ArchiveError
        where there is no such fact, or no text."""
        fact = self._known(id)
        if not (said := one_line(printable(text))):
            raise ArchiveError("a correction needs words", "to take the fact away, forget what proves it")
        new = hashed_id(fact.id, said)
        with self._archive.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO facts"
                " (id, teller, subject, attribute, text, dated, confidence, origin, corrects)"
                " SELECT ?, teller, subject, attribute, ?, ?, 1.0, 'user', id FROM facts WHERE id = ?",
                (new, said, resolved(said, fact.told_at), id),
            )
            _prove(db, new, fact.sources)
        return self._known(new)

    def pin(self, id: str, *, pinned: bool = True) -> Fact:
        """Have a fact shown in every chat, or no more. Raises ArchiveError where there is no such fact."""
        self._known(id)
        with self._archive.writing() as db:
            db.execute("UPDATE facts SET pinned = ? WHERE id = ?", (pinned, id))
        return self._known(id)

    def _known(self, id: str) -> Fact:
        if fact := self.get(id):
            return fact
        raise ArchiveError(f"there is no fact `{id}`", "`persona memory facts` shows the ids")

    # What is read

    def _waiting(self, reader: str) -> int:
        ((count,),) = self._archive.rows(f"SELECT COUNT(*) FROM speech m WHERE {_UNREAD}", (reader,))
        return int(count)

    def _unread(self, reader: str, most: int) -> list[StoredMessage]:
        tail = f"WHERE {_UNREAD} ORDER BY m.sent_at DESC, m.key DESC LIMIT ?"
        return [message for _, message in self._archive.select(tail, (reader, most), table="speech")]

    def _keep(self, rows: Sequence[_Row], read: Sequence[StoredMessage], reader: str) -> int:
        """Write facts down, and that these messages were read; returns how many facts were new."""
        with self._archive.writing() as db:
            new = sum(_write(db, row) for row in rows)
            db.executemany(
                "INSERT OR IGNORE INTO readings SELECT key, ? FROM messages WHERE id = ?",
                [(reader, message.id) for message in read],
            )
        return new


_UNREAD = "NOT EXISTS (SELECT 1 FROM readings r WHERE r.message = m.key AND r.reader = ?)"


def _together(messages: Sequence[StoredMessage]) -> Iterator[list[StoredMessage]]:
    """A few messages of one conversation at a time, each few in time order."""
    places: dict[str, list[StoredMessage]] = {}
    for message in messages:
        places.setdefault(message.conversation_id, []).append(message)
    for said in places.values():
        for start in range(0, len(said), MOST_MESSAGES):
            yield said[start : start + MOST_MESSAGES][::-1]


def _row(found: Found, messages: Iterable[StoredMessage], model: str) -> _Row:
    when = max(m.sent_at for m in messages if m.id in found.sources)
    return _Row(
        subject=found.subject,
        told_by_subject=found.told_by_subject,
        attribute=found.attribute,
        text=found.text,
        dated=resolved(found.text, when),
        sources=found.sources,
        confidence=found.confidence,
        origin="model",
        model=model,
        since=found.since,
        until=found.until,
    )


def _write(db: sqlite3.Connection, row: _Row) -> bool:
    """Whether the fact was new."""
    id = hashed_id(*row.sources, row.attribute, row.text)
    since, until = (None if when is None else micro(when) for when in (row.since, row.until))
    teller = "SELECT author FROM messages WHERE id = ?" if row.told_by_subject else "SELECT NULL WHERE ? = ''"
    written = db.execute(
        "INSERT OR IGNORE INTO facts (id, teller, subject, attribute, text, dated, since, until, confidence,"
        f" origin, model) VALUES (?, ({teller}), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id, row.sources[0], row.subject, row.attribute, row.text, row.dated, since, until, row.confidence,
         row.origin, row.model),
    )  # fmt: skip
    _prove(db, id, row.sources)
    return written.rowcount > 0


def _prove(db: sqlite3.Connection, id: str, sources: Iterable[str]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO proofs SELECT m.key, f.key FROM messages m, facts f"
        " WHERE m.id = ? AND f.id = ?",
        [(source, id) for source in sources],
    )


def _fact(row: tuple[Any, ...], proofs: Sequence[tuple[str, datetime, str]]) -> Fact:
    (
        _,
        id,
        subject,
        is_self,
        attribute,
        text,
        dated,
        since,
        until,
        confidence,
        origin,
        model,
        corrects,
        pin,
    ) = row
    quotes = tuple(text if origin == "rules" else _cut(said) for _, _, said in proofs)
    return Fact(
        id=id,
        subject=None if is_self else subject,
        attribute=attribute,
        text=text,
        dated=dated,
        sources=tuple(source for source, _, _ in proofs),
        session_id="",
        number=0,
        told_at=proofs[-1][1],
        confidence=confidence,
        origin=origin,
        valid_until=None if until is None else moment(until),
        corrects=corrects,
        pinned=bool(pin),
        model=model,
        since=None if since is None else moment(since),
        quotes=quotes,
    )


def _marks(values: Sized) -> str:
    """As many question marks as there are values."""
    return ",".join("?" * len(values))


def _cut(text: str) -> str:
    line = one_line(printable(text))
    return line if len(line) <= _QUOTED else line[: _QUOTED - 1].rstrip() + "…"
