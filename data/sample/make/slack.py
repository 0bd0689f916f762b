"""Writes the talks as an official Slack export."""

import json
import random
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.sample.make.model import BY_CODE, BY_HANDLE, OWNER, USERS, Talk

CHANNELS = {
    "general": ("C06GEN0001", "2024-10-03", "Everything and the weather"),
    "random": ("C06RAN0002", "2024-10-03", "Everything else"),
    "kitchen": ("C06KIT0003", "2024-10-03", "Food, no nuts"),
    "outdoors": ("C06OUT0004", "2024-10-03", "Mountains, water, wheels"),
    "maps": ("C06MAP0005", "2024-10-03", "Contours and quarrels"),
    "music": ("C06MUS0006", "2024-10-03", "Clap at the wrong moment"),
    "porto": ("C06POR0007", "2025-06-15", "Bom dia"),
}
TEAM = "T06LENDKR"
_BOT = "B06CROW001"
_REACTIONS = ("+1", "joy", "heart", "snail", "eyes", "tada", "bread", "ocean")
_WEATHER = (
    "Wind from the west",
    "Fog until ten",
    "Showers after lunch",
    "Clear skies",
    "Mild, some cloud",
)
_STAMP = (2026, 10, 31, 0, 0, 0)
_MENTION = re.compile(r"@(\w+)")
_LINK = re.compile(r"https://[^\s)]+[^\s).,]")

Record = dict[str, Any]


class Export:
    """Collects records by conversation; `ids` maps the keys of lines to archive ids."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.stamps: set[tuple[str, str]] = set()
        self.ids: dict[str, str] = {}

    def add(self, talk: Talk) -> None:
        """One talk, its lines some minutes apart."""
        folder = _folder(talk.place)
        at = talk.at
        root = ""
        for number, line in enumerate(talk.lines):
            if number:
                at += timedelta(seconds=self.rng.randrange(20, 420))
            ts = self._ts(folder, at)
            user = BY_CODE[line.author]
            record: Record = {"type": "message", "user": user.id, "ts": ts, "text": _escape(line.text)}
            record["team"] = TEAM
            if talk.thread and len(talk.lines) > 1:
                root = root or ts
                record["thread_ts"] = root
                if ts != root:
                    record["parent_user_id"] = BY_CODE[talk.lines[0].author].id
                else:
                    record["reply_count"] = len(talk.lines) - 1
            if line.edited:
                edit = f"{int(ts.partition('.')[0]) + 45}.000000"
                record["edited"] = {"user": user.id, "ts": edit}
            if talk.place.startswith("#") and self.rng.random() < 0.12:
                record["reactions"] = [self._reaction(line.author, talk.at)]
            self.records[folder].append(record)
            if line.key:
                self.ids[line.key] = f"slack:{folder_id(folder)}:{ts}"

    def add_joins(self) -> None:
        """The system events with which channels and people begin."""
        for name, (_, created, _) in CHANNELS.items():
            for user in USERS:
                at = datetime.fromisoformat(f"{max(created, user.since)}T08:00:00+00:00")
                self._system(name, at, user.id)

    def _system(self, folder: str, at: datetime, user: str) -> None:
        text = f"<@{user}> has joined the channel"
        ts = self._ts(folder, at)
        joined = {"type": "message", "subtype": "channel_join", "user": user, "ts": ts, "text": text}
        self.records[folder].append(joined)

    def add_bot(self, first: datetime, last: datetime) -> None:
        """A weather bot, every second Monday."""
        at = first
        while at < last:
            text = f"{self.rng.choice(_WEATHER)}. {self.rng.choice(_WEATHER)} at the weekend."
            record = {"type": "message", "subtype": "bot_message", "bot_id": _BOT, "username": "Weather Crow"}
            self.records["outdoors"].append({**record, "ts": self._ts("outdoors", at), "text": text})
            at += timedelta(days=14)

    def write(self, path: Path) -> None:
        """The zip, byte for byte the same for the same records: stored, since zlib builds differ."""
        files: dict[str, Any] = {
            "users.json": [_user(user) for user in USERS],
            "channels.json": [_channel(name) for name in CHANNELS],
            "dms.json": [_direct(folder) for folder in sorted(self.records) if folder.startswith("D")],
            "mpims.json": [_group(folder) for folder in sorted(self.records) if folder.startswith("mpdm")],
            "integration_logs.json": [],
        }
        for folder, records in sorted(self.records.items()):
            days: dict[str, list[Record]] = defaultdict(list)
            for record in sorted(records, key=lambda r: r["ts"]):
                days[f"{datetime.fromtimestamp(float(record['ts']), UTC):%Y-%m-%d}"].append(record)
            files |= {f"{folder}/{day}.json": rows for day, rows in days.items()}
        with zipfile.ZipFile(path, "w") as box:
            for name, content in files.items():
                info = zipfile.ZipInfo(name, _STAMP)
                info.external_attr = 0o644 << 16
                box.writestr(info, json.dumps(content, ensure_ascii=False, indent=1))

    def _ts(self, folder: str, at: datetime) -> str:
        while True:
            ts = f"{int(at.timestamp())}.{self.rng.randrange(1000, 999_999):06d}"
            if (folder, ts) not in self.stamps:
                self.stamps.add((folder, ts))
                return ts

    def _reaction(self, author: str, at: datetime) -> Record:
        day = f"{at:%Y-%m-%d}"
        there = [u.id for u in USERS if u.code != author and u.since <= day] or [OWNER.id]
        users = sorted(self.rng.sample(there, min(len(there), self.rng.choice((1, 1, 2, 3)))))
        return {"name": self.rng.choice(_REACTIONS), "users": users, "count": len(users)}


def folder_id(folder: str) -> str:
    """The conversation's id: folders of channels and group chats carry a name instead."""
    if folder in CHANNELS:
        return CHANNELS[folder][0]
    return "G06TRIO001" if folder.startswith("mpdm") else folder


def _folder(place: str) -> str:
    """`#general` -> `general`, `dm:jonas` -> its D id, `mpim:kofi+noor` -> Slack's name for it."""
    kind, _, who = place.partition(":")
    if kind == "dm":
        return f"D06{who.upper():0<6}1"
    if kind == "mpim":
        return "mpdm-" + "--".join(["mira", *who.split("+")]) + "-1"
    return place.removeprefix("#")


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _LINK.sub(lambda m: f"<{m[0]}>", text)
    return _MENTION.sub(lambda m: f"<@{BY_HANDLE[m[1]].id}>" if m[1] in BY_HANDLE else m[0], text)


def _members(handles: Iterable[str]) -> list[str]:
    return [OWNER.id, *(BY_HANDLE[handle].id for handle in handles)]


def _direct(folder: str) -> Record:
    (handle,) = [user.handle for user in USERS if _folder(f"dm:{user.handle}") == folder]
    return {"id": folder, "created": 1727942400, "members": _members([handle])}


def _group(folder: str) -> Record:
    handles = folder.removeprefix("mpdm-").removesuffix("-1").split("--")[1:]
    return {"id": folder_id(folder), "name": folder, "created": 1727942400, "members": _members(handles)}


def _user(user: Any) -> Record:
    profile = {"real_name": user.name, "display_name": user.handle, "email": user.address}
    return {
        "id": user.id,
        "team_id": TEAM,
        "name": user.handle,
        "real_name": user.name,
        "deleted": False,
        "is_bot": False,
        "tz": "Europe/Vienna",
        "profile": profile,
    }


def _channel(name: str) -> Record:
    identity, created, purpose = CHANNELS[name]
    return {
        "id": identity,
        "name": name,
        "created": int(datetime.fromisoformat(f"{created}T08:00:00+00:00").timestamp()),
        "creator": USERS[1].id,
        "is_archived": False,
        "is_general": name == "general",
        "members": [user.id for user in USERS],
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": purpose, "creator": USERS[1].id, "last_set": 0},
    }
