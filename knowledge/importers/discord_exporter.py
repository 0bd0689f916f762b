"""DiscordChatExporter's JSON: one channel or thread, or a part of one, in a file; both sides of a talk.

Written by reading its source (Tyrrrz/DiscordChatExporter, JsonMessageWriter).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knowledge.importers.discord_text import BROKEN, archive_id, channel_name, person, plain, time
from knowledge.importers.json_stream import array_items
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import ImportReport, Kind, Message

_SPEECH = {"Default", "Reply"}
_SNIFFED = 64 << 10
_MARKS = (b'"guild"', b'"channel"', b'"messages"')
_FLAGS = {"files": "attachments", "sticker": "stickers", "embed": "embeds", "forward": "forwardedMessage"}


def is_export(source: Source, name: str) -> bool:
    """Whether a member is one channel's JSON; judged by its head."""
    try:
        head = source.head(name, _SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
    except UNREADABLE:
        return False
    return head.startswith(b"{") and all(mark in head for mark in _MARKS)


def thread_openers(source: Source, names: Iterable[str]) -> set[str]:
    """Archive ids of the messages under which the exported threads hang.

    A thread has the id of the message that opened it, but that message, in the file of the channel
    around, says nothing of the thread.
    """
    return {channel.id for name in names if (channel := _channel(source, name)) and channel.is_thread}


def _channel(source: Source, name: str) -> "_Channel | None":
    try:
        with source.open(name) as stream:
            return _Channel.of(next(array_items(stream, "messages")), source.members[name].modified)
    except BROKEN:
        return None  # reading it as a whole will say so


def read(source: Source, name: str, openers: set[str], report: ImportReport) -> Iterator[Message]:
    """One file. Its `messageCount` is not to be trusted and not looked at."""
    with source.open(name) as stream:
        items = array_items(stream, "messages")
        channel = _Channel.of(next(items), source.members[name].modified)
        for record in items:
            try:
                message = _message(record, channel, openers)
            except BROKEN as error:
                report.fail_record(name, error)
                continue
            report.seen += 1
            yield message


@dataclass(frozen=True, slots=True)
class _Channel:
    """Where the records of one file were said. id: as the archive has it. exported_at: by the file."""

    id: str
    name: str
    is_thread: bool
    exported_at: datetime

    @classmethod
    def of(cls, head: Mapping[str, Any], modified: datetime) -> "_Channel":
        channel = head["channel"]
        own, kind = archive_id(channel["id"]), str(channel.get("type", ""))
        name = str(channel.get("name") or channel["id"])
        exported_at = time(head["exportedAt"], 0) if head.get("exportedAt") else modified
        if kind.startswith("Direct"):
            return cls(own, f"@{name}", False, exported_at)
        shown = channel_name(name, str(head["guild"].get("name") or ""))
        return cls(own, shown, kind.endswith("Thread"), exported_at)


def _message(record: Mapping[str, Any], channel: _Channel, openers: set[str]) -> Message:
    own, author, edited = record["id"], record["author"], record.get("timestampEdited")
    forwarded = record.get("forwardedMessage") or {}
    return Message(
        id=archive_id(own),
        source="discord",
        conversation_id=channel.id,
        conversation=channel.name,
        author=person(author["id"], [author.get("nickname"), author.get("name"), _tag(author)]),
        sent_at=time(record["timestamp"], own),
        text=plain(record.get("content") or "", _mentioned(record), {}),
        kind=_kind(record["type"], author),
        thread=_thread(record, channel, openers),
        reply_to=_answered(record),
        raw=str(forwarded.get("content") or "") or None,
        edited_at=time(edited, own) if edited else None,
        flags=tuple(flag for flag, key in _FLAGS.items() if record.get(key)),
        exported_at=channel.exported_at,
    )


def _tag(author: Mapping[str, Any]) -> str:
    """`mira#1234`, as accounts were named until 2023."""
    number = str(author.get("discriminator") or "").strip("0")
    return f"{author.get('name')}#{author['discriminator']}" if number else ""


def _kind(kind: str, author: Mapping[str, Any]) -> Kind:
    if kind not in _SPEECH:
        return Kind.SYSTEM
    return Kind.BOT if author.get("isBot") else Kind.SPEECH


def _thread(record: Mapping[str, Any], channel: _Channel, openers: set[str]) -> str | None:
    if channel.is_thread:
        return channel.id
    own = archive_id(record["id"])
    if own in openers:
        return own
    opened = (record.get("reference") or {}).get("channelId") if record["type"] == "ThreadCreated" else None
    return archive_id(opened) if opened else None


def _answered(record: Mapping[str, Any]) -> str | None:
    """Only a reply answers: forwards, pins and channel news carry a reference too."""
    answered = (record.get("reference") or {}).get("messageId") if record["type"] == "Reply" else None
    return archive_id(answered) if answered else None


def _mentioned(record: Mapping[str, Any]) -> dict[str, str]:
    mentions = [m for m in record.get("mentions") or () if isinstance(m, dict)]
    return {str(m.get("id")): str(m.get("nickname") or m.get("name") or m.get("id")) for m in mentions}
