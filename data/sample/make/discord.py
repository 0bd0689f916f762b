"""Writes the talks of `core/discord.txt` as what two tools give of one Discord server.

DiscordChatExporter's JSON holds whole channels and threads with everybody in them; Discord's own data
package holds Mira's messages only, also those of places that were not exported. Ids agree, so both merge.

A talk starts with `== PLACE YYYY-MM-DD HH:MM` (UTC), PLACE being `#channel` or `dm:handle`; with
` | NAME` behind it everything after its first line is in a thread of that name, which a later talk may
go on with. `@Name` mentions a member. One message a line:
`CODE: text`; `CODE>` answers the line before, `CODE>2` the one before that; a text may end in
`[file.jpg]` (attached) and in ` ~` (edited later).
"""

import json
import random
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.sample.make.model import CORE, OWNER

SERVER, SERVER_ID = "Larus Lounge", "611924187136425984"
CHANNELS = {
    "introductions": "611924187853651968",
    "sightings": "611924188092727297",
    "id-help": "611924188482797570",
    "chips-and-theft": "611924188768010243",
}
EXPORTED = ("sightings", "id-help", "chips-and-theft")
DIRECT_ID = "1441134219771744256"
"""The channel of the direct talk with Aoife."""
_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_STAMP = (2026, 10, 31, 0, 0, 0)
_HEAD = re.compile(r"== (\S+) (\d{4}-\d\d-\d\d \d\d:\d\d)(?: \| (.+))?")
_LINE = re.compile(r"([a-z])(>\d?)?: (.*?) ?(?:\[(\S+)\])?( ~)?")
_AT = re.compile(r"@(\w+)")
_SPEECH = ("Default", "Reply")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the server. joined: the day (ISO)."""

    id: str
    handle: str
    name: str
    joined: str
    bot: bool = False


MEMBERS = {
    "m": Member("1426550834712346624", "mira.sol", "Mira", "2025-10-11"),
    "a": Member("418113905271046145", "aoife_tern", "Aoife", "2023-02-04"),
    "b": Member("296431570813714432", "bram.denhelder", "Bram", "2022-05-19"),
    "g": Member("502377420986155009", "moewe.gesa", "Gesa", "2022-06-01"),
    "s": Member("731190342200557568", "salvo.tp", "Salvo", "2024-09-12"),
    "w": Member("1384210977435291648", "wren.bristol", "Wren", "2025-09-27"),
    "r": Member("640335418265305088", "ringo", "Ringo", "2022-05-20", bot=True),
}


class Server:
    """Everything said on the server: the exporter's records by place, a thread's by the id of its opener.

    threads: name and channel of each thread.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.threads: dict[str, tuple[str, str]] = {}
        self.records["#sightings"] += [self._join(member) for member in MEMBERS.values()]
        place, thread, before, at = "", "", list[Record](), _EPOCH
        for number, row in enumerate((CORE / "discord.txt").read_text("utf-8").splitlines(), 1):
            if not row.strip() or row.startswith("# "):
                continue
            if head := _HEAD.fullmatch(row):
                at = datetime.fromisoformat(head[2]).replace(tzinfo=UTC)
                place, thread = head[1], head[3] or ""
                place = next((own for own, known in self.threads.items() if known == (thread, place)), place)
                before = []
            elif line := _LINE.fullmatch(row):
                at += timedelta(seconds=self.rng.randrange(15, 300) if before else 0)
                record = self._record(line, at, before, place)
                self.records[place].append(record)
                if thread and not before and place.startswith("#"):
                    place = self._open_thread(thread, place, record, at)
                before.append(record)
            else:
                raise ValueError(f"discord.txt:{number} is neither a head nor a line")

    def texts(self) -> list[str]:
        """All that people say."""
        every = [record for records in self.records.values() for record in records]
        return [str(record["content"]) for record in every if record["type"] in _SPEECH]

    def write_export(self, path: Path) -> None:
        """What DiscordChatExporter writes of the exported channels and their threads, as a zip."""
        files = {}
        for name in EXPORTED:
            channel = _channel(CHANNELS[name], "GuildTextChat", name, "Gulls", CHANNELS["introductions"])
            files[f"{SERVER} - Gulls - {name} [{CHANNELS[name]}].json"] = (channel, self.records[f"#{name}"])
        for own, (title, place) in self.threads.items():
            parent = place.removeprefix("#")
            channel = _channel(own, "GuildPublicThread", title, parent, CHANNELS[parent])
            shown = re.sub(r'[<>:"/\\|?*]', "_", title)
            files[f"{SERVER} - {parent} - {shown} [{own}].json"] = (channel, self.records[own])
        _write(path, {name: _export(*content) for name, content in files.items()})

    def write_package(self, path: Path) -> None:
        """What Discord sends to Mira: her account, and her own messages from everywhere."""
        aoife = MEMBERS["a"]
        files: dict[str, Any] = {
            "Account/user.json": {
                "id": MEMBERS["m"].id,
                "username": MEMBERS["m"].handle,
                "global_name": OWNER.name,
                "email": OWNER.address,
                "relationships": [
                    {"type": 1, "user": {"id": aoife.id, "username": aoife.handle, "global_name": aoife.name}}
                ],
            },
            "Servers/index.json": {SERVER_ID: SERVER},
        }
        index = {}
        for place, records in sorted(self.records.items()):
            channel, title = self._place(place)
            index[channel["id"]] = title
            folder = f"Messages/c{channel['id']}"
            own = [r for r in records if r["author"]["id"] == MEMBERS["m"].id and r["type"] in _SPEECH]
            files[f"{folder}/channel.json"] = channel
            files[f"{folder}/messages.json"] = [_own_row(record) for record in reversed(own)]
        files["Messages/index.json"] = index
        _write(path, files)

    def _place(self, place: str) -> tuple[Record, str]:
        """A channel as the package describes it, and its line in the index."""
        if place.startswith("dm:"):
            aoife = MEMBERS["a"]
            direct = {"id": DIRECT_ID, "type": "DM", "recipients": [MEMBERS["m"].id, aoife.id]}
            return direct, f"Direct Message with {aoife.handle}#0"
        name = self.threads[place][0] if place in self.threads else place.removeprefix("#")
        kind = "PUBLIC_THREAD" if place in self.threads else "GUILD_TEXT"
        channel = {"id": CHANNELS.get(name, place), "type": kind, "name": name}
        return {**channel, "guild": {"id": SERVER_ID, "name": SERVER}}, f"{name} in {SERVER}"

    def _record(self, line: re.Match[str], at: datetime, before: list[Record], place: str) -> Record:
        code, answers, text, file, edited = line.groups()
        at += timedelta(milliseconds=self.rng.randrange(1000))
        later = at + timedelta(seconds=40) if edited else None
        record = _message(self._snowflake(at), MEMBERS[code], at, text, edited=later)
        record["mentions"] = [
            {"id": member.id, "name": member.handle, "nickname": member.name, "isBot": member.bot}
            for member in MEMBERS.values()
            if f"@{member.name}" in text
        ]
        if file:
            url = f"https://cdn.discordapp.example.org/attachments/{record['id']}/{file}"
            record["attachments"] = [{"id": self._snowflake(at), "url": url, "fileName": file}]
        if answers:
            answered = before[-int(answers[1:] or 1)]
            channel = CHANNELS.get(place.removeprefix("#"), place)
            record["type"] = "Reply"
            record["reference"] = {
                "type": "Default",
                "messageId": answered["id"],
                "channelId": channel,
                "guildId": SERVER_ID,
            }
        return record

    def _open_thread(self, name: str, place: str, opener: Record, at: datetime) -> str:
        """A thread under `opener`, whose id it takes; it begins with a record that points back."""
        own = str(opener["id"])
        self.threads[own] = (name, place)
        start = _message(self._snowflake(at), _author(opener), at, "", kind="21")
        start["reference"] = {"type": "Default", "messageId": own, "channelId": CHANNELS[place[1:]]}
        self.records[own].append(start)
        return own

    def _join(self, member: Member) -> Record:
        at = datetime.fromisoformat(f"{member.joined}T17:00:00+00:00")
        return _message(self._snowflake(at), member, at, "Joined the server.", kind="GuildMemberJoin")

    def _snowflake(self, at: datetime) -> str:
        milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
        return str(milliseconds << 22 | self.rng.randrange(1 << 22))


def _author(record: Record) -> Member:
    return next(member for member in MEMBERS.values() if member.id == record["author"]["id"])


def _message(
    own: str, author: Member, at: datetime, text: str, kind: str = "Default", edited: datetime | None = None
) -> Record:
    return {
        "id": own,
        "type": kind,
        "timestamp": at.isoformat(timespec="milliseconds"),
        "timestampEdited": edited.isoformat(timespec="milliseconds") if edited else None,
        "isPinned": False,
        "content": text,
        "author": {
            "id": author.id,
            "name": author.handle,
            "discriminator": "0000",
            "nickname": author.name,
            "isBot": author.bot,
        },
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
    }


def _channel(own: str, kind: str, name: str, category: str, category_id: str) -> Record:
    return {
        "id": own,
        "type": kind,
        "categoryId": category_id,
        "category": category,
        "name": name,
        "topic": None,
    }


def _export(channel: Record, records: list[Record]) -> Record:
    return {
        "guild": {"id": SERVER_ID, "name": SERVER},
        "channel": channel,
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2026-10-31T00:00:00+00:00",
        "messages": sorted(records, key=lambda record: int(record["id"])),
        "messageCount": len(records),
    }


def _own_row(record: Record) -> Record:
    return {
        "ID": int(record["id"]),
        "Timestamp": record["timestamp"][:19].replace("T", " "),
        "Contents": _AT.sub(_mention, record["content"]),
        "Attachments": " ".join(file["url"] for file in record["attachments"]),
    }


def _mention(match: re.Match[str]) -> str:
    """`@Aoife` as Discord itself keeps it."""
    return next((f"<@{member.id}>" for member in MEMBERS.values() if member.name == match[1]), match[0])


def _write(path: Path, files: dict[str, Any]) -> None:
    """The zip, byte for byte the same for the same records: stored, since zlib builds differ."""
    with zipfile.ZipFile(path, "w") as box:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _STAMP)
            info.external_attr = 0o644 << 16
            box.writestr(info, json.dumps(content, ensure_ascii=False, indent=1))
