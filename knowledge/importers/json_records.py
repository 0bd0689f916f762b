"""What importers of JSON share: a look at the keys near the beginning, then record by record."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from knowledge.importers.json_stream import documents
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import ImportReport, Message

BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError)
"""What a file or a record that is not as its kind should be may raise."""

Convert = Callable[[Any, str, ImportReport], Iterable[Message]]
"""One record of a file, the file's name, the report; counts what it skips, raises one of BROKEN."""

_SNIFFED = 64 << 10
_KEY = re.compile(rb'"(\w{1,60})"\s*:')


def keys(source: Source) -> frozenset[bytes]:
    """The names of all keys near the beginning of a lone JSON file; none for anything else."""
    head = start(source)
    return frozenset(_KEY.findall(head)) if head[:1] in (b"[", b"{") else frozenset()


def start(source: Source) -> bytes:
    """The beginning of a lone file, without a byte order mark and blanks; empty where it cannot be read."""
    if not source.lone:
        return b""
    try:
        head = source.head(next(iter(source.members)), _SNIFFED)
    except UNREADABLE:
        return b""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def read_each(source: Source, report: ImportReport, convert: Convert) -> Iterator[Message]:
    """Every file of a source, record by record; a bad record or the rest of a bad file is one failure."""
    for name in source.members:
        try:
            with source.open(name) as stream:
                yield from converted(documents(stream), name, report, convert)
        except BROKEN as error:
            report.fail(name, f"unreadable: {type(error).__name__}")


def converted(
    records: Iterable[Any], place: str, report: ImportReport, convert: Convert
) -> Iterator[Message]:
    """The messages of all records; one that cannot be converted is counted as failed."""
    for record in records:
        try:
            for message in convert(record, place, report):
                report.seen += 1
                yield message
        except BROKEN as error:
            report.fail_record(place, error)


def moment(stamp: Any) -> datetime:
    """Unix seconds, or ISO 8601 (UTC where no zone is said). Raises one of BROKEN for anything else."""
    if isinstance(stamp, int | float) and not isinstance(stamp, bool):
        return datetime.fromtimestamp(stamp, UTC)
    if not isinstance(stamp, str):
        raise TypeError("no time")
    found = datetime.fromisoformat(stamp)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
