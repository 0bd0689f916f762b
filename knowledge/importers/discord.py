"""Discord: DiscordChatExporter's JSON, and the official data package.

The official package holds only its owner's own messages: enough for style, but it has nobody's
questions. DiscordChatExporter gives both sides.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from knowledge.importers.json_stream import array_items
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import Identity, ImportReport, Kind, Message

_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_SPEECH = {"Default", "Reply"}
_CHANNEL_FILE = re.compile(r"^(?:([^/]+)/)?(c?\d+)/channel\.json$")
_SNIFFED = 64 << 10
_MARKUP = re.compile(r"<(?:@[!&]?(\d+)|#(\d+)|a?:(\w+):\d+|t:(-?\d{1,12})(?::\w)?)>")
_BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError, csv.Error)


class DiscordImporter:
    """Exports of single channels as JSON files, and the package Discord itself sends."""

    name = "discord"
    folders = True

    def sniff(self, source: Source) -> float:
        """1 for a channel's JSON export or for the structure of the official package."""
        if source.lone:
            return 1.0 if _is_export(source, next(iter(source.members))) else 0.0
        return 1.0 if any(_messages_file(source, name) for name in source.members) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Channel by channel; overlapping exports give the same ids."""
        package = _Package.of(source)
        for name in source.members:
            try:
                if file := _messages_file(source, name):
                    yield from _package_channel(source, name, file, package, report)
                elif _is_export(source, name):
                    yield from _exported_channel(source, name, report)
            except _BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _is_export(source: Source, name: str) -> bool:
    try:
        head = source.head(name, _SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
    except UNREADABLE:
        return False
    return head.startswith(b"{") and all(mark in head for mark in (b'"guild"', b'"channel"', b'"dateRange"'))


def _exported_channel(source: Source, name: str, report: ImportReport) -> Iterator[Message]:
    """One file of DiscordChatExporter. Its `messageCount` is not to be trusted and not looked at."""
    with source.open(name) as stream:
        items = array_items(stream, "messages")
        place = _Channel.of(next(items))
        for record in items:
            try:
                message = place.message(record)
            except _BROKEN as error:
                report.fail(name, f"bad record: {type(error).__name__}")
                continue
            report.seen += 1
            yield message


@dataclass(slots=True)
class _Channel:
    """Where the records of one file were said. first: id of a thread's first message."""

    id: str
    name: str
    is_thread: bool
    first: str | None = None

    @classmethod
    def of(cls, head: Mapping[str, Any]) -> "_Channel":
        channel = head["channel"]
        kind = str(channel.get("type", ""))
        name = str(channel.get("name") or channel["id"])
        if kind.endswith("Thread"):
            return cls(str(channel["id"]), f"#{channel.get('category') or ''} › {name}", True)
        return cls(str(channel["id"]), f"{'@' if kind.startswith('Direct') else '#'}{name}", False)

    def message(self, record: Mapping[str, Any]) -> Message:
        """A record as a message. Raises KeyError and the like for a broken one."""
        identity = f"discord:{int(record['id'])}"
        edited = record.get("timestampEdited")
        if self.is_thread:
            self.first = self.first or identity
        author = record["author"]
        return Message(
            id=identity,
            source="discord",
            conversation_id=f"discord:{self.id}",
            conversation=self.name,
            author=_identity(author),
            sent_at=_time(record["timestamp"], record["id"]),
            text=_plain(record.get("content") or "", record.get("mentions") or ()),
            kind=_kind(record["type"], author),
            thread=self.first,
            reply_to=_answered(record),
            edited_at=_time(edited, record["id"]) if edited else None,
            flags=_flags(record),
        )


def _kind(kind: str, author: Mapping[str, Any]) -> Kind:
    if kind not in _SPEECH:
        return Kind.SYSTEM
    return Kind.BOT if author.get("isBot") else Kind.SPEECH


def _answered(record: Mapping[str, Any]) -> str | None:
    """Only a reply answers: forwards, pins and channel news carry a reference too."""
    reference = record.get("reference") or {}
    answered = reference.get("messageId") if record["type"] == "Reply" else None
    return f"discord:{int(answered)}" if answered else None


def _flags(record: Mapping[str, Any]) -> tuple[str, ...]:
    marks = {"files": "attachments", "sticker": "stickers", "embed": "embeds", "forward": "forwardedMessage"}
    return tuple(flag for flag, key in marks.items() if record.get(key))


def _identity(author: Mapping[str, Any]) -> Identity:
    names = [author.get(key) for key in ("nickname", "name")]
    known = [name for name in names if isinstance(name, str) and name]
    own = str(int(author["id"]))
    return Identity(f"discord:{own}", known[0] if known else own, tuple(dict.fromkeys([*known, own])))


def _plain(text: str, mentions: object = ()) -> str:
    """Discord's own markup spelled out, where the export has not done so already."""
    known = [m for m in mentions if isinstance(m, dict)] if isinstance(mentions, list) else []
    people = {str(mention.get("id")): mention.get("nickname") or mention.get("name") for mention in known}

    def spelled(match: re.Match[str]) -> str:
        person, channel, emoji, seconds = match.groups()
        if person:
            return f"@{people.get(person) or person}"
        if channel:
            return f"#{channel}"
        if emoji:
            return f":{emoji}:"
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")

    return _MARKUP.sub(spelled, text)


def _time(stamp: object, snowflake: object) -> datetime:
    """A time as exported; one without a zone is UTC; else the time inside the id."""
    try:
        found = datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return _EPOCH + timedelta(milliseconds=int(str(snowflake)) >> 22)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Package:
    """What the official package says beside the messages. channels: name by channel id."""

    owner: Identity
    channels: Mapping[str, str]

    @classmethod
    def of(cls, source: Source) -> "_Package":
        """Found by structure: folder names are translated into the user's language."""
        owner = Identity("discord:owner", "me")
        channels: dict[str, str] = {}
        for name in source.members:
            if name.count("/") > 1 or not name.endswith(".json"):
                continue
            is_user, is_index = name.endswith("user.json"), name.endswith("index.json")
            try:
                content = source.json(name) if is_user or is_index else None
                if is_user and isinstance(content, dict) and "id" in content:
                    owner = _owner(content)
                elif is_index and isinstance(content, dict):
                    channels |= {str(k): v for k, v in content.items() if isinstance(v, str)}
            except _BROKEN:
                continue  # ids and channel files say enough
        return cls(owner, channels)

    def conversation(self, channel: Mapping[str, Any], identity: str) -> str:
        """`#general`, or `@jonas` for a direct message."""
        shown = self.channels.get(identity, "")
        if match := re.match(r"^Direct Message with (.*?)(?:#\d+)?$", shown):
            return f"@{match[1]}"
        if name := channel.get("name") or shown.partition(" in ")[0]:
            return f"#{name}"
        others = [str(r) for r in channel.get("recipients") or () if f"discord:{r}" != self.owner.id]
        return ", ".join(f"@{other}" for other in others) or f"#{identity}"


def _owner(user: Mapping[str, Any]) -> Identity:
    own = str(int(user["id"]))
    names = [user.get(key) for key in ("global_name", "username", "email")]
    known = [name for name in names if isinstance(name, str) and name]
    return Identity(f"discord:{own}", known[0] if known else own, tuple(dict.fromkeys([*known, own])))


def _messages_file(source: Source, name: str) -> str | None:
    """The messages that belong to a `channel.json` of the official package, or None."""
    if not _CHANNEL_FILE.match(name):
        return None
    folder = name.removesuffix("channel.json")
    return next((f for f in (f"{folder}messages.json", f"{folder}messages.csv") if f in source.members), None)


def _package_channel(
    source: Source, name: str, file: str, package: _Package, report: ImportReport
) -> Iterator[Message]:
    channel = source.json(name)
    identity = str(int(channel["id"]))
    conversation = package.conversation(channel, identity)
    for record in _rows(source, file):
        try:
            own = int(record["ID"])
            message = Message(
                id=f"discord:{own}",
                source="discord",
                conversation_id=f"discord:{identity}",
                conversation=conversation,
                author=package.owner,
                sent_at=_time(record["Timestamp"], own),
                text=_plain(record["Contents"] or ""),
                flags=("files",) if record.get("Attachments") else (),
            )
        except _BROKEN as error:
            report.fail(file, f"bad record: {type(error).__name__}")
            continue
        report.seen += 1
        yield message


def _rows(source: Source, file: str) -> Iterator[Any]:
    with source.open(file) as stream:
        if file.endswith(".json"):
            items = array_items(stream)
            next(items)
            yield from items
        else:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
            yield from csv.DictReader(text)
