"""Slack: the official export and slackdump's, as a zip or a folder.

A record is identified by its channel and its `ts`, kept as a string: a float would lose digits.
Day files are cut in the workspace's own time zone, so their names say nothing about the date.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from knowledge.importers.json_stream import array_items
from knowledge.importers.slack_people import Directory
from knowledge.importers.slack_text import SlackText
from knowledge.importers.slackdump import dump_kind, dump_records
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import ImportReport, Kind, Message

_DAY_FILE = re.compile(r"^([^/]+)/\d{4}-\d\d-\d\d\.json$")
_LISTS = ("channels.json", "groups.json", "mpims.json", "dms.json")
_LISTED = {*_LISTS, "users.json", "integration_logs.json"}
_FILES = {"__uploads", "__avatars", "attachments"}
"""Folders in which slackdump lays what was shared."""
_LISTING_MARKS = (b'"profile"', b'"real_name"', b'"members"', b'"creator"')
_SPEECH = {None, "", "file_share", "me_message", "thread_broadcast"}
_SHARED = {"files", "file", "attachments", "attachment"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_LISTED = 1_000_000
"""Users, or conversations, of one export."""
_AT_ONCE = 8 << 20
"""Bytes of a list that is parsed at once, which is quicker than item by item."""
_BAD_RECORD = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def own_members(source: Source) -> set[str]:
    """What belongs to an export: folders of channels with all in them, lists, dumps, and files shared."""
    folders = {match[1] for name in source.members if (match := _DAY_FILE.match(name))} | _FILES
    return {
        name
        for name in source.members
        if name in _LISTED or name.partition("/")[0] in folders or dump_kind(source, name)
    }


class SlackImporter:
    """Official exports, slackdump's exports, its dumps and its archives of chunks."""

    name = "slack"
    folders = True

    def sniff(self, source: Source) -> float:
        """1 for the structure of an export, or for a dump file; 0 else."""
        members = source.members
        if source.lone:
            return 1.0 if dump_kind(source, next(iter(members))) else 0.0
        listed = [name for name in ("users.json", *_LISTS) if name in members]
        if listed and any(_is_listing(source, name) for name in listed):
            return 1.0
        days = [name for name in members if _DAY_FILE.match(name)]
        return 0.9 if days and _is_day(source, days[0]) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Day files channel by channel, then dumps; one file is in memory at a time."""
        directory = Directory(source.made)
        folders: dict[str, list[str]] = {}
        others = []
        for name in source.members:
            if match := _DAY_FILE.match(name):
                folders.setdefault(match[1], []).append(name)
            elif name not in _LISTED:
                others.append(name)
        _load_directory(source, directory, report)
        for folder, names in folders.items():
            channel = directory.folders.get(folder, folder)
            for name in names:
                yield from self._day(source, name, channel, directory, report)
        for name in sorted(others, key=_directories_first):
            if dump_kind(source, name):
                for item in dump_records(source, name, directory, report):
                    if message := _message(item.record, item.channel, name, directory, report):
                        yield message

    def _day(
        self, source: Source, name: str, channel: str, directory: Directory, report: ImportReport
    ) -> Iterator[Message]:
        try:
            for record in _records(source, name):
                if message := _message(record, channel, name, directory, report):
                    yield message
        except UNREADABLE as error:
            report.fail(name, f"unreadable: {type(error).__name__}")


def _records(source: Source, name: str) -> Iterator[Any]:
    """The items of a list, streaming where it is large. Raises one of UNREADABLE."""
    if source.members[name].size > _AT_ONCE:
        with source.open(name) as stream:
            items = array_items(stream)
            next(items)
            yield from items
        return
    content = source.json(name)
    if not isinstance(content, list):
        raise ValueError("no list")
    yield from content


def _load_directory(source: Source, directory: Directory, report: ImportReport) -> None:
    for name in ("users.json", *_LISTS):
        if name not in source.members:
            continue
        try:
            content = list(islice(filter(_has_id, _records(source, name)), _MOST_LISTED))
        except UNREADABLE as error:
            report.fail(name, f"unreadable: {type(error).__name__}")
            continue
        if name == "users.json":
            directory.add_users(content)
        else:
            directory.add_channels(content, direct=name == "dms.json")


def _message(
    record: Any, channel: str, place: str, directory: Directory, report: ImportReport
) -> Message | None:
    """The record as a message; None for a broken one, which is counted and left out."""
    try:
        message = _convert(record, channel, directory)
    except _BAD_RECORD as error:
        report.fail_record(place, error)
        return None
    report.seen += 1
    return message


def _convert(record: Mapping[str, Any], channel: str, directory: Directory) -> Message:
    ts = record["ts"]
    thread = record.get("thread_ts")
    edited = record.get("edited")
    kind = _kind(record, directory)
    text, flags = _words(record, kind, directory.text)
    return Message(
        id=f"slack:{channel}:{ts}",
        source="slack",
        conversation_id=f"slack:{channel}",
        conversation=directory.conversation(channel),
        author=directory.author(record),
        sent_at=_time(ts),
        text=text,
        kind=kind,
        thread=f"slack:{channel}:{thread}" if thread else None,
        reply_to=f"slack:{channel}:{thread}" if thread and thread != ts else None,
        edited_at=_time(edited["ts"]) if edited else None,
        flags=flags,
        exported_at=directory.exported_at,
    )


def _kind(record: Mapping[str, Any], directory: Directory) -> Kind:
    """Modern bots carry no subtype: their account, or a bot id without any account, tells them."""
    subtype = record.get("subtype")
    user = record.get("user")
    if subtype == "bot_message":
        return Kind.BOT
    if subtype not in _SPEECH:
        return Kind.SYSTEM
    if isinstance(user, str) and user in directory.users:
        return Kind.BOT if user in directory.bots else Kind.SPEECH
    unknown_app = record.get("bot_profile") or (record.get("bot_id") and not user)
    return Kind.BOT if unknown_app or user == "USLACKBOT" else Kind.SPEECH


def _words(record: Mapping[str, Any], kind: Kind, reader: SlackText) -> tuple[str, tuple[str, ...]]:
    """The text, and flags. What is quoted in a person's attachments is not that person's words."""
    text = reader.plain(record.get("text") or "")
    if not text.strip():
        text = reader.from_blocks(record.get("blocks"))
    if not text.strip() and kind is not Kind.SPEECH:
        text = reader.from_attachments(record.get("attachments"))
    if _SHARED.isdisjoint(record):
        return text, ()
    return text, tuple(flag for flag in ("files", "attachments") if record.get(flag) or record.get(flag[:-1]))


def _time(ts: str) -> datetime:
    """`1452837318.000002` exactly. Raises ValueError or OverflowError for anything else."""
    seconds, _, fraction = ts.partition(".")
    if not (seconds.isdigit() and (fraction.isdigit() or not fraction)):
        raise ValueError("ts is no time")
    return _EPOCH + timedelta(0, int(seconds), int((fraction + "000000")[:6]))


def _is_listing(source: Source, name: str) -> bool:
    """Whether a file looks like the beginning of users.json or channels.json."""
    try:
        head = source.head(name).lstrip(b"\xef\xbb\xbf \r\n\t")
    except UNREADABLE:
        return False
    return head.startswith(b"[") and b'"id"' in head and any(mark in head for mark in _LISTING_MARKS)


def _has_id(record: object) -> bool:
    return isinstance(record, dict) and "id" in record


def _is_day(source: Source, name: str) -> bool:
    try:
        return any(isinstance(record, dict) and "ts" in record for record in _records(source, name))
    except UNREADABLE:
        return False


def _directories_first(name: str) -> bool:
    """Sort key: slackdump's users and channels before the records that mention them."""
    return not name.startswith(("users.", "channels."))
