"""iMessage and SMS: the text files of imessage-exporter (`--format txt`), one for each chat.

    May 17, 2022  5:29:42 PM (Read by them after 3 seconds)
    Me
    Hello world

The files have neither ids nor a time zone. A reply stands twice: indented below what it answers, and
in its own place in time, which is the one that is read.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from knowledge.importers.derived_ids import DerivedIds
from knowledge.importers.source import UNREADABLE, Source
from knowledge.importers.wall_clock import ZONE_GUESSED, wall_clock
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 16 << 10
_LINE = 1 << 20
"""Longest line, in bytes, and longest message, in characters."""
_MONTHS = {name: n for n, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_TIME = re.compile(
    r"(?P<month>[A-Z][a-z]{2}) (?P<day>\d\d), (?P<year>\d{4})  ?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d) (?P<half>[AP]M)"
    r"(?: \(Read by [^\n]*\))?(?: (?P<event>[^\n]*))?"
)
_INDENT = "    "
_FILE = re.compile(r"(?:~?/|attachments/)[^\n]*\.\w{2,5}|Attachment missing!")
_EDITED = re.compile(r"Edited \d[\w, ]* later: (.*)", re.DOTALL)
_EFFECT = re.compile(
    r"Sent with (?:Balloons|Confetti|Echo|Fireworks|Heart|Lasers|Love|Shooting Star|Sparkles|Spotlight"
    r"|Slam|Loud|Gentle|Invisible Ink)"
)
_UNSENT = re.compile(r".{1,100} unsent (?:a message|this message part).*!")
_REPLY = "This message responded to an earlier message."
_DELETED = "This message was deleted from the conversation!"
_SYSTEM = Identity("imessage:system", "iMessage")


class IMessageImporter:
    """Files of single chats."""

    name = "imessage"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for a file that begins with the exporter's line of date and time."""
        if not source.lone:
            return 0.0
        try:
            head = source.head(next(iter(source.members)), _SNIFFED)
        except UNREADABLE:
            return 0.0
        return 1.0 if _time(head.decode("utf-8-sig", "replace").lstrip("\r\n").partition("\n")[0]) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Message by message, streaming."""
        for name in source.members:
            chat = PurePosixPath(source.prefix + name).stem
            ids = DerivedIds(chat.casefold())
            try:
                with source.open(name) as stream:
                    for header, lines in _blocks(stream):
                        yield from _message(chat, ids, header, lines, name, report)
            except UNREADABLE as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _blocks(stream: BinaryIO) -> Iterator[tuple[re.Match[str] | None, list[str]]]:
    """(date line, lines below it) of each message; None for what stands before the first."""
    begun: re.Match[str] | None = None
    lines: list[str] = []
    size = 0
    blank = False
    start = "utf-8-sig"
    while data := stream.readline(_LINE):
        line = data.decode(start, "replace").removesuffix("\n").removesuffix("\r")
        start = "utf-8"
        header = _time(line)
        # the versions of an edited message begin with a time too, but right below its author
        if header and (begun is None or blank):
            if begun or any(lines):
                yield begun, lines
            begun, lines, size = header, [], 0
        elif size <= _LINE:
            lines.append(line)
            size += len(line) + 1
        blank = not line
    if begun:
        yield begun, lines


def _time(line: str) -> re.Match[str] | None:
    match = _TIME.fullmatch(line.removesuffix("\r"))
    return match if match and match["month"] in _MONTHS else None


def _message(
    chat: str,
    ids: DerivedIds,
    header: re.Match[str] | None,
    lines: list[str],
    place: str,
    report: ImportReport,
) -> Iterator[Message]:
    if header is None:
        report.skip("text before the first message", place)
        return
    event = header["event"]
    sender, text, flags = ("", event, ()) if event else _words(lines)
    if len(text) >= _LINE:
        report.fail(place, "longer than any message")
        return
    try:
        when = _moment(header)
        sent_at = wall_clock(when)
    except (ValueError, OverflowError):
        report.fail(place, "bad record: no such time")
        return
    report.seen += 1
    written = event or "\n".join(lines[1:]).strip("\n")
    system = event or not sender or _UNSENT.fullmatch(text)
    yield Message(
        id="imessage:" + ids.of(when, sender, text),
        source=IMessageImporter.name,
        conversation_id=f"imessage:{chat.casefold()}",
        conversation=chat,
        author=_identity(sender) if sender and not event else _SYSTEM,
        sent_at=sent_at,
        text=text,
        kind=Kind.SYSTEM if system else Kind.SPEECH,
        raw=written if written != text else None,
        flags=(*flags, ZONE_GUESSED),
    )


def _moment(m: re.Match[str]) -> datetime:
    hour = int(m["hour"]) % 12 + (12 if m["half"] == "PM" else 0)
    return datetime(
        int(m["year"]), _MONTHS[m["month"]], int(m["day"]), hour, int(m["minute"]), int(m["second"])
    )


def _words(lines: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """(sender, text, flags) of the lines below a date, without what the exporter put among them."""
    sender = lines[0].strip() if lines else ""
    kept: list[str] = []
    flags: list[str] = []
    edited = ""
    for line in _own_lines(lines[1:]):
        if line == _DELETED:
            flags.append("deleted")
        elif _FILE.fullmatch(line):
            flags.append("files")
        elif match := _EDITED.fullmatch(line):
            edited = match[1]
        elif line != _REPLY and not _EFFECT.fullmatch(line):
            kept.append(line)
    if edited:
        flags.append("edited")
        kept = [edited]
    text = "\n".join(kept).strip("\n")
    if _UNSENT.fullmatch(text):
        flags.append("deleted")
    return sender, text, tuple(dict.fromkeys(flags))


def _own_lines(lines: list[str]) -> Iterator[str]:
    """The message's own lines: neither reactions to it nor the replies that are shown below it."""
    aside = False
    for line in lines:
        if line == "Tapbacks:" or (line.startswith(_INDENT) and _time(line.lstrip(" "))):
            aside = True
        elif aside and line and not line.startswith(_INDENT):
            aside = False
        if not aside:
            yield line


def _identity(sender: str) -> Identity:
    own = "me" if sender == "Me" else sender
    return Identity(f"imessage:{own}", sender, (sender,))
