"""Jira's CSV ("Export Excel CSV, all fields"): an issue a row, a column for every comment.

Column names repeat. A comment's cell is `time;account;text`. Times have no zone.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from knowledge.importers.csv_rows import Row, header, rows
from knowledge.importers.derived_ids import digest
from knowledge.importers.jira_text import own_words
from knowledge.importers.json_records import BROKEN
from knowledge.importers.wall_clock import ZONE_GUESSED, wall_clock
from knowledge.records import Identity, ImportReport, Message

_COLUMNS = {"Summary", "Issue key", "Created"}
_ROLES = ("Reporter", "Creator", "Assignee")
_TIME = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>[A-Za-z]{3})/(?P<year>\d\d|\d{4}) "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?: ?(?P<half>[AP])M)?",
    re.IGNORECASE,
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_SEVERAL_PARTS = 3


def is_export(head: bytes) -> bool:
    """Whether this is how such a file begins."""
    return set(header(head)) >= _COLUMNS


def read(stream: BinaryIO, place: str, report: ImportReport) -> Iterator[Message]:
    """Issue by issue; the name of an account is known once a row has named it."""
    names: dict[str, str] = {}
    for row in rows(stream):
        first = dict(reversed(row))
        for role in _ROLES:
            if own := first.get(f"{role} Id"):
                names.setdefault(own, first.get(role) or own)
        yield from _row(row, first, names, place, report)


def _row(
    row: Row, first: dict[str, str], names: dict[str, str], place: str, report: ImportReport
) -> Iterator[Message]:
    """An issue and its comments; one that cannot be read costs no other."""
    cells = [value for name, value in row if name == "Comment" and value.strip()]
    for position, cell in enumerate([None, *cells]):
        try:
            message = _issue(first, names) if cell is None else _comment(cell, first, names)
        except BROKEN as error:
            what = f"comment {position}" if position else "issue"
            report.fail(f"{place} {first.get('Issue key', '')}", f"bad {what}: {type(error).__name__}")
            continue
        report.seen += 1
        yield message


def _issue(first: dict[str, str], names: dict[str, str]) -> Message:
    key = first["Issue key"]
    author = first.get("Reporter Id") or first.get("Reporter") or first.get("Creator") or ""
    return _message(key, key, first["Created"], author, names, first.get("Description", ""), first["Summary"])


def _comment(cell: str, first: dict[str, str], names: dict[str, str]) -> Message:
    parts = cell.split(";", _SEVERAL_PARTS - 1)
    if len(parts) < _SEVERAL_PARTS:
        raise ValueError("no time and author")
    shown, author, body = parts
    key = first["Issue key"]
    own = f"{key}/comment/{digest(_time(shown).isoformat(), author, body.strip())}"
    return _message(own, key, shown, author, names, body)


def _message(
    own: str, key: str, shown: str, author: str, names: dict[str, str], body: str, title: str = ""
) -> Message:
    if not key:
        raise ValueError("no issue")
    words, original = own_words(body)
    text = "\n\n".join(part for part in (title, words) if part)
    whole = "\n\n".join(part for part in (title, original) if part)
    return Message(
        id=f"jira:{own}",
        source="jira",
        conversation_id=f"jira:{key}",
        conversation=key,
        author=_person(author, names),
        sent_at=wall_clock(_time(shown)),
        text=text,
        raw=whole if whole != text else None,
        flags=(ZONE_GUESSED,) if text else (ZONE_GUESSED, "quoted-only"),
    )


def _person(own: str, names: dict[str, str]) -> Identity:
    name = names.get(own) or own or "Anonymous"
    known = tuple(dict.fromkeys(part for part in (name, own) if part))
    return Identity(f"jira:{own or 'anonymous'}", name, known)


def _time(shown: str) -> datetime:
    """`09/Jan/24 3:55 PM`, or ISO, naive. Raises ValueError for other forms."""
    match = _TIME.fullmatch(shown.strip().replace("\u202f", " "))
    if not match:
        return datetime.fromisoformat(shown.strip()).replace(tzinfo=None)
    year, hour = int(match["year"]), int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].upper() == "P" else 0)
    month = _MONTHS.index(match["month"].lower()) + 1
    return datetime(year if year > 99 else 2000 + year, month, int(match["day"]), hour, int(match["minute"]))
