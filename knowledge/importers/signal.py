"""Signal: its own export of all chats (`main.jsonl`), and what signal-export writes (`data.json`, `chat.md`).

signal-export names people only and gives no ids; it calls the owner "Me".
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from knowledge.importers.derived_ids import DerivedIds
from knowledge.importers.signal_backup import Directory
from knowledge.importers.source import UNREADABLE, Source
from knowledge.importers.wall_clock import ZONE_GUESSED, wall_clock
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 64 << 10
_LINE = 16 << 20
"""Longest line, in bytes: one record is far below it."""
_LONGEST = 1 << 20
"""Characters of one message in chat.md; what is beyond is left out."""
_DATA = (b'"date"', b'"sender"', b'"body"', b'"quote"', b'"reactions"')
_HEADER = re.compile(
    r"\[(?P<day>\d{4}-\d\d-\d\d),? (?P<time>\d\d:\d\d(?::\d\d)?)\] (?P<sender>[^\n]{1,200}?): (?P<body>.*)"
)
_REACTIONS = re.compile(r"\n\(- .* -\)\s*$")
_FILES = re.compile(r"!?\[[^\]\n]*\]\(\.{1,2}/[^)\n]*\)\s*$")
_QUOTE = re.compile(r"\A\n\n(?:>[^\n]*\n)+\n?|\A> [^\n]*\n\n")
_BROKEN = (*UNREADABLE, TypeError, KeyError, AttributeError, OverflowError)


class SignalImporter:
    """All three kinds of file."""

    name = "signal"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for each of the three kinds."""
        return 1.0 if source.lone and _kind(source, next(iter(source.members))) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """File by file; of a chat that is there as data and as text, the data."""
        for name in source.members:
            kind = _kind(source, name)
            if kind == "text" and _data_beside(source, name):
                continue
            try:
                if kind == "export":
                    yield from _own_export(source, name, report)
                elif kind:
                    yield from _chat(source, name, kind, report)
                else:
                    report.fail(name, "no export of Signal's")
            except _BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _kind(source: Source, name: str) -> str:
    """`export`, `data`, `text`, or "" for a file that is none of them."""
    try:
        head = source.head(name, _SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
    except UNREADABLE:
        return ""
    line = head.partition(b"\n")[0]
    if line.startswith(b"{"):
        if all(mark in line for mark in _DATA):
            return "data"
        return (
            "export" if b'"backupTimeMs"' in line or (b'"chatItem"' in head and b'"chatId"' in head) else ""
        )
    lines = head.decode("utf-8", "replace").split("\n")
    found = [number for number, text in enumerate(lines) if _HEADER.fullmatch(text.rstrip("\r"))]
    # only signal-export leaves a line empty between messages; WhatsApp's lines look the same
    apart = all(not lines[number - 1].strip() for number in found[1:])
    ended = len(lines) > 1 and any(not text.strip() for text in lines[1:])
    return "text" if found[:1] == [0] and apart and ended else ""


def _data_beside(source: Source, name: str) -> bool:
    data = str(PurePosixPath(name).with_name("data.json"))
    return data in source.members and _kind(source, data) == "data"


def _chat(source: Source, name: str, kind: str, report: ImportReport) -> Iterator[Message]:
    """One chat of signal-export's, named by its folder."""
    chat = source.place(name).parent.name
    ids = DerivedIds(chat.casefold())
    with source.open(name) as stream:
        for record in _data(stream) if kind == "data" else _text(stream):
            try:
                message = _exported(chat, ids, record)
            except _BROKEN as error:
                report.fail_record(name, error)
                continue
            report.seen += 1
            yield message


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LINE):
        if line.strip():
            yield line


def _data(stream: BinaryIO) -> Iterator[Any]:
    """Records of data.json, one a line; a line that is no JSON is handed on as None."""
    for line in _lines(stream):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield None


def _text(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Records of chat.md, as data.json would have them."""
    begun: re.Match[str] | None = None
    body: list[str] = []
    size = 0
    start = "utf-8-sig"
    while data := stream.readline(_LINE):
        line = data.decode(start, "replace").removesuffix("\n").removesuffix("\r")
        start = "utf-8"
        header = _HEADER.fullmatch(line)
        if header and (not body or not body[-1].strip()):
            if begun:
                yield _of_text(begun, body)
            begun, body, size = header, [header["body"]], 0
        elif size <= _LONGEST:
            body.append(line)
            size += len(line) + 1
    if begun:
        yield _of_text(begun, body)


def _of_text(header: re.Match[str], lines: list[str]) -> dict[str, Any]:
    body = "\n".join(lines).rstrip()
    shorter = _REACTIONS.sub("", body)
    reactions = shorter != body
    files = 0
    while (cut := _FILES.sub("", shorter)) != shorter:
        shorter, files = cut, files + 1
    own = _QUOTE.sub("", shorter)
    return {
        "date": f"{header['day']}T{header['time']}",
        "sender": header["sender"],
        "body": own,
        "reactions": [True] * reactions,
        "attachments": [True] * files,
        "deleted": own == "(This message was deleted)",
    }


def _exported(chat: str, ids: DerivedIds, record: Mapping[str, Any]) -> Message:
    written = datetime.fromisoformat(record["date"])
    sender = str(record["sender"]) or "Unknown"
    text = str(record["body"]).rstrip()
    shown = written.replace(microsecond=0, tzinfo=None)
    call = bool(record.get("call")) or sender == "No-Sender"
    deleted = bool(record.get("deleted"))
    found = {
        "deleted": deleted,
        "files": record.get("attachments"),
        "sticker": record.get("sticker"),
        "reactions": record.get("reactions"),
        ZONE_GUESSED: written.tzinfo is None,
    }
    return Message(
        id="signal:" + ids.of(shown, sender, "" if deleted else text),
        source="signal",
        conversation_id=f"signal:{chat.casefold()}",
        conversation=chat or "Signal",
        author=Identity(f"signal:{'me' if sender == 'Me' else sender}", sender, (sender,)),
        sent_at=written if written.tzinfo else wall_clock(written),
        text=text,
        kind=Kind.SYSTEM if call or deleted else Kind.SPEECH,
        flags=tuple(flag for flag, there in found.items() if there),
    )


def _own_export(source: Source, name: str, report: ImportReport) -> Iterator[Message]:
    """Frame by frame: people and chats are learned on the way."""
    directory = Directory()
    with source.open(name) as stream:
        for line in _lines(stream):
            try:
                frame = json.loads(line)
                item = frame.get("chatItem")
                if item is None:
                    directory.learn(frame)
                    continue
                message = directory.message(item)
            except _BROKEN as error:
                report.fail_record(name, error)
                continue
            report.seen += 1
            yield message
