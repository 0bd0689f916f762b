"""The records that importers, archive and retrieval exchange."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath


class Kind(StrEnum):
    """What a record is; only speech was written by a person."""

    SPEECH = "speech"
    SYSTEM = "system"
    BOT = "bot"


UNRESOLVED = "unresolved"
"""Flag of a text in which a mention is still a number."""

DELETED = "deleted"
"""Flag of a message that a newer export no longer has."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One account of one person in one source.

    id: `source:own-id`, e.g. `slack:U024BE7LH` or `email:mira@example.org` (addresses lower-cased).
    name: what to show. aliases: everything `--me` may match as a whole, case folded by the archive
    (real name, display name, handle, address, bare id).
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One record of one conversation, as an importer yields it.

    id: made from the source's own ids, the same in every home and after every re-import.
    conversation_id: stable id; conversation: the name to show (`#general`, a mail subject).
    sent_at: aware. text: what the author wrote, unescaped, without quoted mail and signature.
    thread: id of the thread's first message (that message carries its own id), None outside threads.
    reply_to: archive id. raw: the full original where `text` was cut from it.
    edited_at: the last edit; the later edit wins whatever the file order.
    flags: marks such as `forward`, `patch`, `quoted-only`, `date-guessed`; `unresolved` where a mention
    could only be shown as a number, so that another export may know the text better.
    exported_at: when the export was made, where it holds all its conversation had from its first to its
    last message; None where what is missing from it proves nothing. Messages are equal whatever it is.
    """

    id: str
    source: str
    conversation_id: str
    conversation: str
    author: Identity
    sent_at: datetime
    text: str
    kind: Kind = Kind.SPEECH
    thread: str | None = None
    reply_to: str | None = None
    raw: str | None = None
    edited_at: datetime | None = None
    flags: tuple[str, ...] = ()
    exported_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the archive gives it back: `Message` plus what only the archive can know.

    Its flags say `deleted` too, where a newer export no longer has it.
    """

    id: str
    source: str
    conversation_id: str
    conversation: str
    author_id: str
    author: str
    is_self: bool
    sent_at: datetime
    text: str
    kind: Kind
    thread: str | None
    reply_to: str | None
    raw: str | None = None
    edited_at: datetime | None = None
    flags: tuple[str, ...] = ()


_KINDS = 4
"""Endings of files that a notice names."""

MOST_LISTED = 10_000
"""Problems of one export that are listed one by one: a file of garbage has millions."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One record or file that was skipped or failed: where, and why."""

    place: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What one path gave. Always `seen = imported + updated + duplicates + Σ skipped + failed`.

    Importers count `seen`, `skipped` and `failed`; the archive counts `imported`, `updated` and
    `duplicates` for every message it is handed.

    notices: what the user must know of this export as a whole, a sentence each, with a remedy.
    """

    path: str
    source: str
    seen: int = 0
    imported: int = 0
    updated: int = 0
    duplicates: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    conversations: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def skip(self, reason: str, place: str = "") -> None:
        """Count one record that was left out on purpose."""
        self.seen += 1
        self.skipped[reason] += 1
        if place:
            self._list(Problem(place, reason))

    def fail(self, place: str, reason: str) -> None:
        """Count one record that could not be read; it is kept with its reason."""
        self.seen += 1
        self.failed += 1
        self._list(Problem(place, reason))

    def fail_record(self, place: str, error: Exception) -> None:
        """Count one record that is not as its kind should be, by what was raised at reading it."""
        self.fail(place, f"bad record: {_in_words(error)}")

    def note_beside(self, names: Sequence[str]) -> None:
        """List files that are of no known export. They hold no records, so none is counted."""
        if not names:
            return
        endings = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in names)
        kinds = ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common(_KINDS))
        more = " and others" if len(endings) > _KINDS else ""
        self.notices.append(
            f"{len(names):,} files are of no known export and were not read ({kinds}{more})\n"
            "  → `--failed` lists them"
        )
        for name in names:
            self._list(Problem(name, "of no known export"))

    def _list(self, problem: Problem) -> None:
        if len(self.problems) < MOST_LISTED:
            self.problems.append(problem)
        elif len(self.problems) == MOST_LISTED:
            self.problems.append(Problem(problem.place, "and more, counted but not listed"))

    def adds_up(self) -> bool:
        """Whether every record seen is accounted for."""
        done = self.imported + self.updated + self.duplicates
        return self.seen == done + self.skipped.total() + self.failed


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A message shown beside a memory because it was said just before or after it."""

    id: str
    author: str
    is_self: bool
    sent_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Later:
    """What was told later on something that a memory states, and may be so no more.

    attribute: on what, "home"; "" where a correction alone says so. told_at: when, first after the memory.
    correction: what the owner wrote in its place, "" where somebody told otherwise.
    """

    attribute: str
    told_at: datetime
    correction: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """One retrieved message with its neighbours.

    rank: 1 is the best match. score: fused score, comparable within one search only.
    why: short human words on why it matched ("words: ring, road; meaning 0.52; March 2024").
    before, after: neighbours in time order (empty when room was short). later: what was told anew since, of
    the facts that it proves.
    """

    id: str
    text: str
    author: str
    is_self: bool
    sent_at: datetime
    source: str
    conversation: str
    conversation_id: str
    rank: int
    score: float
    why: str
    before: tuple[Neighbour, ...] = ()
    after: tuple[Neighbour, ...] = ()
    later: tuple[Later, ...] = ()


def _in_words(error: Exception) -> str:
    match error:
        case KeyError(args=(str(field),)) if field.isidentifier():
            return f"“{field}” is missing"
        case KeyError():
            return "something it needs is missing"
        case TypeError() | AttributeError():
            return "something in it is of another type than it should be"
        case ValueError() | OverflowError():
            return "a value in it cannot be read"
    return type(error).__name__


def merge_totals(reports: Iterable[ImportReport]) -> ImportReport:
    """One report over many: counts and sets summed, each notice once, first and last taken over all."""
    total = ImportReport(path="total", source="all")
    for r in reports:
        total.seen += r.seen
        total.imported += r.imported
        total.updated += r.updated
        total.duplicates += r.duplicates
        total.skipped += r.skipped
        total.failed += r.failed
        total.conversations |= r.conversations
        total.people |= r.people
        total.problems += r.problems
        total.notices += [notice for notice in r.notices if notice not in total.notices]
        total.first = min((d for d in (total.first, r.first) if d), default=None)
        total.last = max((d for d in (total.last, r.last) if d), default=None)
    return total
