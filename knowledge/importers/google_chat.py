"""Google Chat from Takeout: `Groups/<space>/messages.json`, each space's name in `group_info.json`.

Dates are written in the words of the account's language. English is read; other languages say so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from knowledge.importers.derived_ids import digest
from knowledge.importers.json_stream import array_items
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 64 << 10
_MARKS = (b'"messages"', b'"creator"', b'"created_date"')
_INFO = "group_info.json"
_DATE = re.compile(
    r"\w+,\s+(?P<month>\w+)\s+(?P<day>\d{1,2}),\s+(?P<year>\d{4})\s+at\s+"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)\s*(?P<half>[AP]M)?\s*UTC",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
}
_BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError)


class GoogleChatImporter:
    """Takeout's files of spaces and direct messages."""

    name = "google-chat"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for a space's messages, and for the file beside them that names it."""
        if not source.lone:
            return 0.0
        name = next(iter(source.members))
        return 1.0 if _is_messages(source, name) or _is_info(source, name) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Space by space, record by record; each file twice, since only replies tell what is a thread."""
        for name in source.members:
            if not _is_messages(source, name):
                continue
            try:
                space = _Space(_name(source, name), _folder(source, name), _threads(source, name))
                for record in _records(source, name):
                    yield from _message(space, record, name, report)
            except _BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _head(source: Source, name: str) -> bytes:
    try:
        head = source.head(name, _SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
    except UNREADABLE:
        return b""
    return head if head.startswith(b"{") else b""


def _is_messages(source: Source, name: str) -> bool:
    head = _head(source, name)
    return all(mark in head for mark in _MARKS)


def _is_info(source: Source, name: str) -> bool:
    return PurePosixPath(name).name == _INFO and b'"user_type"' in _head(source, name)


def _name(source: Source, name: str) -> str:
    """What the space is called; a direct message by those who are in it."""
    try:
        info = source.json(str(PurePosixPath(name).with_name(_INFO)))
        people = [str(member.get("name") or member.get("email")) for member in info.get("members") or ()]
        return str(info.get("name") or ", ".join(people)[:80])
    except _BROKEN:
        return ""


def _folder(source: Source, name: str) -> str:
    """The space's id as its folder has it: `Space AAAA…`, `DM BBBB…`."""
    return source.place(name).parent.name.rpartition(" ")[2]


def _threads(source: Source, name: str) -> set[str]:
    """Topics in which somebody replied."""
    return {topic for record in _records(source, name) if (topic := _topic(record)) and not _opens(record)}


def _records(source: Source, name: str) -> Iterator[Any]:
    with source.open(name) as stream:
        records = array_items(stream, "messages")
        next(records)
        yield from records


def _parts(record: Any) -> list[str]:
    """Space, topic and message, as far as the record has ids."""
    found = record.get("message_id") if isinstance(record, dict) else None
    parts = found.split("/") if isinstance(found, str) else []
    return parts if len(parts) == 3 else []


def _topic(record: Any) -> str:
    parts = _parts(record)
    return f"google-chat:{parts[0]}/{parts[1]}/{parts[1]}" if parts else ""


def _opens(record: Any) -> bool:
    parts = _parts(record)
    return bool(parts) and parts[1] == parts[2]


@dataclass(frozen=True, slots=True)
class _Space:
    """Where the records of one file were said. threads: ids of the first messages of real threads."""

    name: str
    folder: str
    threads: set[str]

    def message(self, record: Mapping[str, Any]) -> Message:
        """A record as a message. Raises KeyError and the like for a broken one."""
        author = _identity(record.get("creator") or {})
        text = str(record.get("text") or "")
        parts = _parts(record)
        key = parts[0] if parts else self.folder
        topic = _topic(record)
        thread = topic if topic in self.threads else None
        quoted = (record.get("quoted_message_metadata") or {}).get("message_id")
        answered = f"google-chat:{quoted}" if quoted else thread if not _opens(record) else None
        edited = record.get("updated_date")
        # records of old exports have no ids
        own = "/".join(parts) or digest(
            key, str(record.get("topic_id")), str(record["created_date"]), author.id, text
        )
        return Message(
            id=f"google-chat:{own}",
            source=GoogleChatImporter.name,
            conversation_id=f"google-chat:{key}",
            conversation=self.name or key or "Google Chat",
            author=author,
            sent_at=_time(record["created_date"]),
            text=text,
            kind=_kind(record),
            thread=thread,
            reply_to=answered,
            edited_at=_time(edited) if edited else None,
            flags=_flags(record),
        )


def _message(space: _Space, record: Any, place: str, report: ImportReport) -> Iterator[Message]:
    try:
        message = space.message(record)
    except _OtherLanguage:
        report.fail(place, "its date is not in English: export again with the account's language set to it")
        return
    except _BROKEN as error:
        report.fail_record(place, error)
        return
    report.seen += 1
    yield message


def _identity(creator: Mapping[str, Any]) -> Identity:
    name, address = str(creator.get("name") or ""), str(creator.get("email") or "").lower()
    own = address or name or "unknown"
    return Identity(f"google-chat:{own}", name or own, tuple(alias for alias in (name, address) if alias))


def _kind(record: Mapping[str, Any]) -> Kind:
    if record.get("message_state") == "DELETED":
        return Kind.SYSTEM
    return Kind.BOT if (record.get("creator") or {}).get("user_type") == "Bot" else Kind.SPEECH


def _flags(record: Mapping[str, Any]) -> tuple[str, ...]:
    found = {
        "deleted": record.get("message_state") == "DELETED",
        "files": record.get("attached_files"),
        "reactions": record.get("reactions"),
    }
    return tuple(flag for flag, there in found.items() if there)


class _OtherLanguage(ValueError):
    """A date in words that are not known here."""


def _time(written: str) -> datetime:
    match = _DATE.fullmatch(written.strip())
    month = match and _MONTHS.get(match["month"].lower())
    if not match or not month:
        raise _OtherLanguage
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].upper() == "PM" else 0)
    day = (int(match["year"]), month, int(match["day"]))
    return datetime(*day, hour, int(match["minute"]), int(match["second"]), tzinfo=UTC)
