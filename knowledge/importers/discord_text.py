"""What Discord's export forms have in common: ids that hold times, markup, names of people and places."""

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from knowledge.importers.source import UNREADABLE
from knowledge.records import Identity

BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError, csv.Error)
"""What reading a damaged file or record may raise."""

_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_MARKUP = re.compile(r"<(?:@[!&]?(\d+)|#(\d+)|a?:(\w+):\d+|t:(-?\d{1,12})(?::\w)?)>")
_SECOND = timedelta(seconds=1)


def archive_id(own: object) -> str:
    """The archive's id for one of Discord's; raises ValueError or TypeError for what is none."""
    number = int(str(own))
    if number < 0:
        raise ValueError("an id below zero")
    return f"discord:{number}"


def time(stamp: object, own: object) -> datetime:
    """When a message was sent: as exported, UTC where no zone is said, else as its id says.

    Of a time to the second the id knows the rest. Raises ValueError where neither can be read.
    """
    try:
        found = datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return _inside(own)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    exact = _inside(own)
    return exact if not found.microsecond and found <= exact < found + _SECOND else found


def _inside(own: object) -> datetime:
    """The time in a snowflake: milliseconds since 2015 above 22 other bits."""
    return _EPOCH + timedelta(milliseconds=int(str(own)) >> 22)


def person(own: object, names: Iterable[object]) -> Identity:
    """An account with every name it has, the best first; its id where it has none."""
    number = str(int(str(own)))
    known = [name for name in names if isinstance(name, str) and name]
    return Identity(
        f"discord:{number}", known[0] if known else number, tuple(dict.fromkeys([*known, number]))
    )


def channel_name(name: str, server: str = "") -> str:
    """`#general in Harbour`, for a channel or a thread: every server has its #general."""
    return f"#{name} in {server}" if server else f"#{name}"


def is_resolved(text: str, people: Mapping[str, str], channels: Mapping[str, str]) -> bool:
    """Whether the names of all people and channels that a text mentions are known."""
    found = [match.groups()[:2] for match in _MARKUP.finditer(text)]
    return all((not who or who in people) and (not channel or channel in channels) for who, channel in found)


def plain(text: str, people: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Discord's own markup spelled out, with the names by id where they are known."""

    def spelled(match: re.Match[str]) -> str:
        who, channel, emoji, seconds = match.groups()
        if who:
            return f"@{people.get(who, who)}"
        if channel:
            return f"#{channels.get(channel, channel)}"
        if emoji:
            return f":{emoji}:"
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")

    return _MARKUP.sub(spelled, text)
