"""Facebook Messenger and Instagram: the download as JSON, `message_1.json` and on, newest first.

Both write UTF-8 read as Latin-1. Messages have no ids: one is known by its chat, its millisecond and a
number among those of the same millisecond. The chats that Messenger encrypts come in a download of
their own, with other names for the same things.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from knowledge.importers.json_stream import array_items, envelope
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 64 << 10
_PLAIN = (b'"sender_name"', b'"timestamp_ms"')
_ENCRYPTED = (b'"senderName"', b'"timestamp"', b'"threadName"')
_INSTAGRAM = (b"your_instagram_activity", b"instagram_shared", b'"original_content_owner"')
_NEAR = 7
"""How many folders around a file may name its service: as many as the downloads have."""
_NUMBERED = re.compile(r"_(\d{6,})$")
_FILES = ("photos", "videos", "audio_files", "files", "gifs", "media")
_EVENT_TYPES = {"Call", "Subscribe", "Unsubscribe", "Plan", "Payment"}
_NOTE = re.compile(
    r"Reacted \S+ to your message ?|Liked a message|You(?: a|['’])re now connected on Messenger\.?"
)
_EVENT = re.compile(
    r"""(?:sent[ ]an?[ ](?:attachment|photo|video|GIF|sticker|voice[ ]message|link|location)
    |named[ ]the[ ]group.*|(?:set|cleared)[ ][^.]{1,60}[ ]nickname.*|changed[ ]the[ ](?:theme|group[ ]photo).*
    |(?:started|joined|ended)[ ](?:an?|the)[ ](?:video[ ]|audio[ ])?(?:call|chat)
    |missed[ ](?:your|an?)[ ](?:video[ ]|audio[ ])?(?:call|chat)(?:[ ]from[ ].*)?
    |(?:added|removed)[ ].{1,80}[ ](?:to|from)[ ]the[ ]group|(?:left|created)[ ]the[ ]group
    |unsent[ ]a[ ]message)\.?""",
    re.VERBOSE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError)


class MetaImporter:
    """One of the two: they share a format, and are told apart by the folders and links they name."""

    folders = False

    def __init__(self, name: str) -> None:
        self.name = name

    def sniff(self, source: Source) -> float:
        """1 for a file of one chat that is of this service."""
        if not source.lone:
            return 0.0
        name = next(iter(source.members))
        try:
            head = source.head(name, _SNIFFED)
        except UNREADABLE:
            return 0.0
        if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") or b'"messages"' not in head:
            return 0.0
        if not (
            b'"participants"' in head and any(all(m in head for m in marks) for marks in (_PLAIN, _ENCRYPTED))
        ):
            return 0.0
        return 1.0 if _service(source.place(name), head) == self.name else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """File by file; what a chat is called stands behind its messages, so each is read twice."""
        for name in source.members:
            try:
                with source.open(name) as stream:
                    chat = _Chat.of(self.name, envelope(stream, "messages"), name)
                with source.open(name) as stream:
                    records = array_items(stream, "messages")
                    next(records)
                    yield from chat.messages(records, name, report)
            except _BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _service(place: Path, head: bytes) -> str:
    """Whose file this is: as what it links to says, else the nearest folder that names a service."""
    if any(mark in head for mark in _INSTAGRAM):
        return "instagram"
    for part in reversed(place.parts[-_NEAR:]):
        for service, named in (("instagram", "instagram"), ("messenger", "facebook")):
            if named in part.lower():
                return service
    return "messenger"


@dataclass(slots=True)
class _Chat:
    """The conversation of one file. last, number: the millisecond before and how often it occurred."""

    source: str
    key: str
    name: str
    last: int = -1
    number: int = 0

    @classmethod
    def of(cls, source: str, head: Mapping[str, Any], place: str) -> "_Chat":
        people = [repaired(_name(person)) for person in head.get("participants") or ()]
        path = (
            str(head.get("thread_path") or head.get("threadName") or "") or PurePosixPath(place).parent.name
        )
        folder = PurePosixPath(path).name
        numbered = _NUMBERED.search(folder)
        title = head.get("title") or (folder[: numbered.start()] if numbered else "")
        key = numbered[1] if numbered else folder or ",".join(sorted(people))
        return cls(source, key, repaired(str(title)) or ", ".join(people)[:80] or source)

    def messages(self, records: Iterator[Any], place: str, report: ImportReport) -> Iterator[Message]:
        """Every record; a broken one is counted and left out."""
        for record in records:
            try:
                message = self._message(record)
            except _BROKEN as error:
                report.fail_record(place, error)
                continue
            report.seen += 1
            yield message

    def _message(self, record: Mapping[str, Any]) -> Message:
        stamp = int(record["timestamp_ms"] if "timestamp_ms" in record else record["timestamp"])
        sender = repaired(str(record.get("sender_name") or record.get("senderName") or "")) or "Unknown"
        text = repaired(str(record.get("content") or record.get("text") or ""))
        self.number = self.number + 1 if stamp == self.last else 0
        self.last = stamp
        own = f"{self.source}:{self.key}:{stamp}" + (f"-{self.number + 1}" if self.number else "")
        return Message(
            id=own,
            source=self.source,
            conversation_id=f"{self.source}:{self.key}",
            conversation=self.name,
            author=Identity(f"{self.source}:{sender}", sender, (sender,)),
            sent_at=_EPOCH + timedelta(milliseconds=stamp),
            text=text,
            kind=_kind(record, sender, text),
            flags=_flags(record),
        )


def repaired(text: str) -> str:
    """`text` with UTF-8 that was read as Latin-1 put right; what never was so stays as it is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _name(person: Any) -> str:
    return str(person.get("name") or "") if isinstance(person, dict) else str(person)


def _kind(record: Mapping[str, Any], sender: str, text: str) -> Kind:
    event = record.get("type") in _EVENT_TYPES or "call_duration" in record or _unsent(record)
    return Kind.SYSTEM if event or _tells_an_event(sender, text) else Kind.SPEECH


def _tells_an_event(sender: str, text: str) -> bool:
    """Whether the service wrote this (in English) in the sender's name: then it begins with that name."""
    heads = [f"{who} " for who in (sender, sender.split()[0], "You")]
    told = (_EVENT.fullmatch(text.removeprefix(head)) for head in heads if text.startswith(head))
    return bool(_NOTE.fullmatch(text)) or any(told)


def _unsent(record: Mapping[str, Any]) -> bool:
    return bool(record.get("is_unsent") or record.get("isUnsent"))


def _flags(record: Mapping[str, Any]) -> tuple[str, ...]:
    found = {
        "deleted": _unsent(record),
        "files": any(record.get(key) for key in _FILES),
        "sticker": record.get("sticker"),
        "link": record.get("share"),
        "reactions": record.get("reactions"),
    }
    return tuple(flag for flag, there in found.items() if there)
