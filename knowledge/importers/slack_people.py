"""Who wrote a Slack record, and the names of people and conversations."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from knowledge.importers.slack_text import SlackText, unescape
from knowledge.records import Identity


@dataclass
class Directory:
    """What an export says about its users and conversations; empty where it says nothing.

    exported_at: when it was made. users: user records by id. channels: conversation records by id.
    folders: conversation id by folder name. bots: ids of the users that are programs.
    """

    exported_at: datetime | None = None
    users: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    bots: set[str] = field(default_factory=set)
    _shown: dict[str, str] = field(default_factory=dict)
    _authors: dict[str, Identity] = field(default_factory=dict)

    @cached_property
    def text(self) -> SlackText:
        """What turns stored text into what was read, with the names that are known here."""
        return SlackText(self.user_name, self.channel_name)

    def add_users(self, records: object) -> None:
        """Take in the content of users.json."""
        self.users |= {user["id"]: user for user in _records(records)}
        self.bots = {"USLACKBOT", *(id for id, user in self.users.items() if user.get("is_bot") is True)}
        self._shown.clear()
        self._authors.clear()

    def add_channels(self, records: object, *, direct: bool = False) -> None:
        """Take in channels.json, groups.json, mpims.json or, `direct`, dms.json."""
        self._shown.clear()
        for channel in _records(records):
            identity, name = channel["id"], channel.get("name")
            self.channels[identity] = {**channel, "is_im": direct or channel.get("is_im") is True}
            self.folders[identity] = identity
            if isinstance(name, str) and name:
                self.folders[name] = identity

    def user_name(self, user: str) -> str | None:
        """The display name (real name where there is none), None for a stranger."""
        record = self.users.get(user)
        return _names(record, user)[0] if record else None

    def channel_name(self, channel: str) -> str | None:
        """The bare name, None when unknown."""
        record = self.channels.get(channel, {})
        name = record.get("name")
        return name if isinstance(name, str) and name else None

    def conversation(self, channel: str) -> str:
        """The name to show: `#general`, `@Jonas` for a direct message, `@Jonas, @Ana` for several."""
        if channel not in self._shown:
            self._shown[channel] = self._conversation(channel)
        return self._shown[channel]

    def _conversation(self, channel: str) -> str:
        record = self.channels.get(channel, {})
        name = self.channel_name(channel)
        grouped = record.get("is_mpim") is True or (name or "").startswith("mpdm-")
        members = [m for m in record.get("members") or () if isinstance(m, str)]
        if members and (grouped or record.get("is_im")):
            others = [m for m in members if m != self._exporter()] or members[:1]
            return ", ".join("@" + (self.user_name(m) or m) for m in dict.fromkeys(others))
        return f"#{name or channel}"

    def _exporter(self) -> str | None:
        """Whose direct messages these are: the one in more of them than anybody else."""
        directs = [c.get("members") or () for c in self.channels.values() if c.get("is_im")]
        counts = Counter(m for members in directs for m in set(members)).most_common(2)
        alone = len(counts) == 1 or (len(counts) == 2 and counts[0][1] > counts[1][1])
        return counts[0][0] if alone else None

    def author(self, record: Mapping[str, Any]) -> Identity:
        """The account behind a record: the user, else the bot, else whatever name it carries."""
        user = _text(record, "user") or _text(record.get("comment"), "user")
        if known := self._authors.get(user):
            return known
        if user:
            profile = record.get("user_profile")
            names = _names(self.users.get(user) or _as_user(profile), user)
            found = Identity(f"slack:{user}", names[0], names[1:])
            if user in self.users:
                self._authors[user] = found
            return found
        bot = _text(record, "bot_id")
        shown = _text(record, "username") or _text(record.get("bot_profile"), "name")
        if bot or shown:
            return Identity(f"slack:{bot or 'bot:' + shown}", unescape(shown) or bot)
        return Identity("slack:system", "Slack")


def _as_user(profile: object) -> Mapping[str, Any]:
    """A record's own `user_profile` in the shape of a user record."""
    if not isinstance(profile, dict):
        return {}
    return {"name": profile.get("name"), "real_name": profile.get("real_name"), "profile": profile}


def _names(user: Mapping[str, Any], identity: str) -> tuple[str, ...]:
    """The name to show, then every name, handle, address and the bare id, without repeats."""
    profile = user.get("profile")
    real = _text(user, "real_name") or _text(profile, "real_name")
    display = _text(profile, "display_name")
    every = [display or real or _text(user, "name") or identity, real, display, _text(user, "name")]
    every += [_text(profile, "email"), identity]
    first, *others = (unescape(name) for name in every if name)
    return (first, *dict.fromkeys(others))


def _text(record: object, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _records(records: object) -> Iterable[Mapping[str, Any]]:
    if not isinstance(records, list):
        return []
    return [r for r in records if isinstance(r, dict) and isinstance(r.get("id"), str)]
