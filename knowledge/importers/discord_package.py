"""The data package Discord sends on request: its owner's own messages, from every place they wrote in.

Known by its structure, since folders are named in the owner's language: `FOLDER/c123/channel.json` (until
2021 `FOLDER/123/`) with `messages.json` (older: `messages.csv`) beside it, and what names people and
places in the JSON files of the folders at the top.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from knowledge.importers.csv_rows import lines
from knowledge.importers.discord_text import (
    BROKEN,
    archive_id,
    channel_name,
    is_resolved,
    person,
    plain,
    time,
)
from knowledge.importers.json_stream import array_items
from knowledge.importers.source import Source
from knowledge.records import UNRESOLVED, Identity, ImportReport, Message

NOTICE = (
    "Discord's data package holds only what you wrote yourself: it teaches style, but nobody's questions. "
    "For both sides of a talk import what DiscordChatExporter writes (as JSON) too; the messages merge"
)
_FILE = re.compile(r"^(?:([^/]+)/)?c?(\d+)/messages\.(?:json|csv)$")
_DIRECT = re.compile(r"^Direct Message with (.*?)(?:#\d+)?$")
_DIRECT_TYPES = {"1", "3", "DM", "GROUP_DM"}
_THREAD_TYPES = {"10", "11", "12"}
_LARGEST_LIST = 64 << 20
"""Bytes beyond which a JSON file at the top is no list of names."""


def is_package(source: Source) -> bool:
    """Whether these members have the structure of a package."""
    return any(_channel_file(name) in source.members for name in channels(source))


def channels(source: Source) -> list[str]:
    """The files that hold messages, one for each channel."""
    found = [name for name in source.members if _FILE.match(name)]
    return [n for n in found if n.endswith(".json") or n.removesuffix("csv") + "json" not in source.members]


def read(source: Source, channels: list[str], report: ImportReport) -> Iterator[Message]:
    """Channel by channel; one that is broken keeps none of the others from being read."""
    report.notices.append(NOTICE)
    package = _Package.of(source, _folder(_folder(channels[0])))
    described = {name: _channel(source, name) for name in channels}
    # a thread has the id of the message that opened it
    openers = {f"discord:{channel['id']}" for channel in described.values() if _is_thread(channel)}
    for name, channel in described.items():
        try:
            yield from _channel_messages(source, name, channel, openers, package, report)
        except BROKEN as error:
            report.fail(name, f"unreadable: {type(error).__name__}")


def _channel_file(messages: str) -> str:
    return f"{_folder(messages)}/channel.json"


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


@dataclass(slots=True)
class _Package:
    """What the package says beside the messages: names by id, and the index's titles of channels."""

    owner: Identity = field(default_factory=lambda: Identity("discord:owner", "me"))
    people: dict[str, str] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    index: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, messages: str) -> "_Package":
        """messages: the folder that holds the channels' folders."""
        package = cls()
        for name, member in source.members.items():
            if name.count("/") <= 1 and name.endswith(".json") and member.size <= _LARGEST_LIST:
                with suppress(*BROKEN):  # ids and the channels' own files say enough
                    package._learn(source.json(name), _folder(name) == messages)
        return package

    def _learn(self, content: Mapping[str, Any], beside_messages: bool) -> None:
        if "id" in content and "username" in content:
            names = [content.get(key) for key in ("global_name", "username", "email")]
            self.owner = person(content["id"], names)
            self.people |= {self.owner.id.removeprefix("discord:"): self.owner.name}
            self.people |= dict(_friends(content.get("relationships")))
        elif all(key.isdigit() for key in content):
            titles = {key: title for key, title in content.items() if isinstance(title, str)}
            (self.index if beside_messages else self.servers).update(titles)
            self.channels = {own: title.rpartition(" in ")[0] or title for own, title in self.index.items()}

    def conversation(self, channel: Mapping[str, Any], own: str) -> str:
        """`#general in Harbour`, or `@jonas` for a direct message."""
        title = self.index.get(own, "")
        direct = _DIRECT.match(title)
        if direct and direct[1] != "Unknown Participant":
            return f"@{direct[1]}"
        if direct or str(channel.get("type")) in _DIRECT_TYPES:
            return f"@{channel['name']}" if channel.get("name") else self._others(channel, own)
        name = str(channel.get("name") or title.rpartition(" in ")[0] or title or own)
        return channel_name(name, self._server(channel) or _behind(f"{name} in ", title))

    def _others(self, channel: Mapping[str, Any], own: str) -> str:
        """`@jonas, @79`: those of a direct talk who are not the owner."""
        listed = channel.get("recipients")
        mine = self.owner.id.removeprefix("discord:")
        others = [str(one) for one in listed if str(one) != mine] if isinstance(listed, list) else []
        return ", ".join(f"@{self.people.get(other, other)}" for other in others or [own])

    def _server(self, channel: Mapping[str, Any]) -> str:
        guild = channel.get("guild")
        guild = guild if isinstance(guild, dict) else {}
        return str(guild.get("name") or self.servers.get(str(guild.get("id"))) or "")


def _behind(start: str, title: str) -> str:
    return title.removeprefix(start) if title.startswith(start) else ""


def _friends(relationships: object) -> Iterator[tuple[str, str]]:
    for one in relationships if isinstance(relationships, list) else ():
        user = one.get("user") if isinstance(one, dict) else None
        if isinstance(user, dict) and (name := user.get("global_name") or user.get("username")):
            yield str(user.get("id")), str(name)


def _channel_messages(
    source: Source,
    name: str,
    channel: Mapping[str, Any],
    openers: set[str],
    package: _Package,
    report: ImportReport,
) -> Iterator[Message]:
    place = f"discord:{channel['id']}"
    conversation = package.conversation(channel, str(channel["id"]))
    for record in _rows(source, name):
        try:
            own, words = archive_id(record["ID"]), record["Contents"] or ""
            files = ("files",) if record.get("Attachments") else ()
            unresolved = () if is_resolved(words, package.people, package.channels) else (UNRESOLVED,)
            message = Message(
                id=own,
                source="discord",
                conversation_id=place,
                conversation=conversation,
                author=package.owner,
                sent_at=time(record["Timestamp"], record["ID"]),
                text=plain(words, package.people, package.channels),
                thread=place if _is_thread(channel) else own if own in openers else None,
                flags=(*files, *unresolved),
            )
        except BROKEN as error:
            report.fail_record(name, error)
            continue
        report.seen += 1
        yield message


def _is_thread(channel: Mapping[str, Any]) -> bool:
    kind = str(channel.get("type"))
    return kind in _THREAD_TYPES or "THREAD" in kind


def _channel(source: Source, name: str) -> dict[str, Any]:
    """What the package says of a channel; its id is the folder's name too, which cannot be broken."""
    folder = _FILE.match(name)
    known = {"id": folder[2]} if folder else {}
    try:
        content = source.json(_channel_file(name))
    except BROKEN:
        return known
    return content | known if isinstance(content, dict) else known


def _rows(source: Source, name: str) -> Iterator[Any]:
    with source.open(name) as stream:
        if name.endswith(".json"):
            items = array_items(stream)
            next(items)
            yield from items
        else:
            yield from csv.DictReader(lines(stream))
