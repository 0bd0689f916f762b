"""What the latest import of each export gave, and what of it was left out or unreadable, with the reason."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from knowledge.archive import Archive
from knowledge.records import ImportReport
from knowledge.tombstones import FORGOTTEN, Tombstones


@dataclass(frozen=True, slots=True)
class LoggedProblem:
    """One record or file that an import left out: of which export, when, where in it, and why."""

    path: str
    source: str
    imported_at: datetime
    place: str
    reason: str


def keep(archive: Archive, reports: Iterable[ImportReport]) -> None:
    """Remember these imports instead of earlier ones of the same exports; never the name of somebody
    forgotten, after whom a file may be called."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with archive.writing() as db:
        stones = Tombstones(db)

        def unnamed(said: str) -> str:
            return FORGOTTEN if stones and stones.names(said) else _storable(said)

        for r in reports:
            path = unnamed(r.path)
            db.execute("DELETE FROM imports WHERE path = ? AND source = ?", (path, r.source))
            row = (now, path, r.source, json.dumps({**counts(r), "path": path}, ensure_ascii=True))
            key = db.execute(
                "INSERT INTO imports (at, path, source, counts) VALUES (?, ?, ?, ?)", row
            ).lastrowid
            rows = ((key, unnamed(p.place), unnamed(p.reason)) for p in r.problems)
            db.executemany("INSERT INTO problems VALUES (?, ?, ?)", rows)


def problems(archive: Archive) -> list[LoggedProblem]:
    """Everything left out or unreadable, the newest import first, in the order it was met."""
    rows = archive.rows(
        "SELECT i.path, i.source, i.at, p.place, p.reason FROM problems p JOIN imports i ON i.key = p.import "
        "ORDER BY i.key DESC, p.rowid"
    )
    return [LoggedProblem(p, s, datetime.fromisoformat(at), place, why) for p, s, at, place, why in rows]


def counts(r: ImportReport) -> dict[str, Any]:
    """A report as JSON; without its problems, which may be many."""
    return {
        "path": r.path,
        "source": r.source,
        "seen": r.seen,
        "imported": r.imported,
        "updated": r.updated,
        "duplicates": r.duplicates,
        "skipped": dict(sorted(r.skipped.items())),
        "failed": r.failed,
        "conversations": len(r.conversations),
        "people": len(r.people),
        "first": r.first.isoformat() if r.first else None,
        "last": r.last.isoformat() if r.last else None,
        "notices": r.notices,
    }


def _storable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode()
