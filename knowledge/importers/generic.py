"""The form for everything else: a CSV or JSON Lines file with columns that are described in docs/sources.md.

Needed are `sent_at`, `author` and `text`. May be there: `id`, `author_id`, `conversation`, `reply_to`
(an `id` of the same conversation) and `kind` (speech, bot or system). Other columns are left alone.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from knowledge.importers.csv_rows import header, rows
from knowledge.importers.derived_ids import DerivedIds
from knowledge.importers.json_records import BROKEN, keys, start
from knowledge.importers.source import Source
from knowledge.importers.wall_clock import ZONE_GUESSED, wall_clock
from knowledge.records import Identity, ImportReport, Kind, Message

_NEEDED = {"sent_at", "author", "text"}
_NEEDED_KEYS = {name.encode() for name in _NEEDED}
_CONVERSATION = "Messages"
_LONGEST = 16 << 20
"""Bytes of one line; a longer one is no message."""


class GenericImporter:
    """Files whose columns or keys bear these names."""

    name = "generic"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where all needed columns are there."""
        head = start(source)
        lines = head.startswith(b"{") and keys(source) >= _NEEDED_KEYS
        return 1.0 if lines or set(header(head)) >= _NEEDED else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Row by row; a row that cannot be read costs no other."""
        for name in source.members:
            ids: dict[str, DerivedIds] = {}
            try:
                for record in _records(source, name, report):
                    try:
                        message = _message(record, ids)
                    except BROKEN as error:
                        report.fail_record(name, error)
                        continue
                    report.seen += 1
                    yield message
            except (*BROKEN, csv.Error) as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _records(source: Source, name: str, report: ImportReport) -> Iterator[Mapping[str, Any]]:
    with source.open(name) as stream:
        if not start(source.only([name])).startswith(b"{"):
            for row in rows(stream):
                yield dict(row)
            return
        while line := stream.readline(_LONGEST):
            try:
                if line.strip():
                    yield json.loads(line.decode("utf-8-sig", "surrogatepass"))
            except BROKEN as error:
                report.fail_record(name, error)


def _message(record: Mapping[str, Any], ids: dict[str, DerivedIds]) -> Message:
    when, guessed = _time(record["sent_at"])
    place = str(record.get("conversation") or _CONVERSATION)
    author = str(record["author"]).strip()
    person = str(record.get("author_id") or author)
    text = record["text"]
    if not (author and isinstance(text, str)):
        raise ValueError("no author or no text")
    answered = record.get("reply_to")
    derived = ids.setdefault(place, DerivedIds(place)) if not record.get("id") else None
    naive = when.astimezone(UTC).replace(tzinfo=None)
    own = derived.of(naive, person, text) if derived else str(record["id"])
    return Message(
        id=f"generic:{place}:{own}",
        source="generic",
        conversation_id=f"generic:{place}",
        conversation=place,
        author=Identity(f"generic:{person}", author, tuple(dict.fromkeys((author, person)))),
        sent_at=when,
        text=text,
        kind=Kind(record.get("kind") or "speech"),
        reply_to=f"generic:{place}:{answered}" if answered else None,
        flags=(ZONE_GUESSED,) if guessed else (),
    )


def _time(stamp: Any) -> tuple[datetime, bool]:
    """ISO 8601 or Unix seconds, and whether the zone is this computer's for want of another."""
    try:
        return datetime.fromtimestamp(float(stamp), UTC), False
    except ValueError:
        found = datetime.fromisoformat(str(stamp))
    return (found, False) if found.tzinfo else (wall_clock(found), True)
