"""slackdump's own formats: the dump (one JSON object a conversation, replies nested) and the archive
(a database, or gzipped JSON lines, chunks that may repeat what another chunk holds)."""

import gzip
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.importers import slackdump_database
from knowledge.importers.slack_people import Directory
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import ImportReport

_MESSAGES, _REPLIES, _USERS, _CHANNEL = 0, 1, 3, 5
"""Chunk types of slackdump's archive that carry something to import."""

_LINE = 16 << 20
"""Longest chunk line that is read, in bytes; a page of Slack messages is far below it."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One record and the conversation it belongs to."""

    channel: str
    record: Mapping[str, Any]


def dump_kind(source: Source, name: str) -> str:
    """`dump`, `chunks`, `database`, or "" for a member that is none of them."""
    try:
        head = source.head(name, 4096)
        if head.startswith(b"\x1f\x8b"):
            with source.open(name) as stream, gzip.open(stream) as lines:
                head = lines.read(4096)
            return "chunks" if head.startswith(b'{"t":') else ""
        if slackdump_database.is_database(source, name, head):
            return "database"
    except UNREADABLE:
        return ""
    start = b"".join(head.split())
    return "dump" if start.startswith(b'{"channel_id":') and b'"messages":[' in start else ""


def dump_records(source: Source, name: str, directory: Directory, report: ImportReport) -> Iterator[Dump]:
    """The records of a dump or of an archive; a file that breaks off is counted as failed."""
    try:
        kind = dump_kind(source, name)
        if kind == "dump":
            yield from _dump(source.json(name), directory)
        elif kind == "database":
            yield from _database(source, name, directory, report)
        else:
            yield from _chunks(source, name, directory)
    except (*UNREADABLE, sqlite3.Error, TypeError, KeyError, AttributeError) as error:
        report.fail(name, f"unreadable: {type(error).__name__}")


def _dump(content: Mapping[str, Any], directory: Directory) -> Iterator[Dump]:
    channel = str(content["channel_id"])
    if channel not in directory.channels:
        directory.add_channels([{"id": channel, "name": content.get("name")}])
    for record in content["messages"]:
        yield Dump(channel, record)
        for reply in record.get("slackdump_thread_replies") or ():
            yield Dump(channel, reply)


def _chunks(source: Source, name: str, directory: Directory) -> Iterator[Dump]:
    with source.open(name) as stream, gzip.open(stream) as lines:
        while line := lines.readline(_LINE):
            chunk = json.loads(line)
            kind, channel = chunk["t"], str(chunk.get("id", ""))
            if kind == _USERS:
                directory.add_users(chunk.get("u"))
            elif kind == _CHANNEL:
                directory.add_channels([chunk.get("ci")])
            elif kind in (_MESSAGES, _REPLIES):
                for record in chunk.get("m") or ():
                    yield Dump(channel, record)


def _database(source: Source, name: str, directory: Directory, report: ImportReport) -> Iterator[Dump]:
    with slackdump_database.opened(source, name) as db:
        directory.add_users([user for _, user in slackdump_database.records(db, "S_USER", name, report)])
        directory.add_channels([c for _, c in slackdump_database.records(db, "CHANNEL", name, report)])
        messages = slackdump_database.records(db, "MESSAGE", name, report, "CHANNEL_ID")
        yield from (Dump(str(channel), record) for channel, record in messages)
