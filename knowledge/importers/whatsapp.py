"""WhatsApp: the text that "Export chat" gives, from Android and iPhones, alone or zipped with its media.

The export has neither ids nor a time zone. An id is made from the chat, the minute, the author, the
words and a number among equal ones, so that overlapping exports merge; times are taken as this
computer's. A file is read twice: once to learn its shape, the order of its dates and who speaks.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from knowledge.importers.derived_ids import DerivedIds, digest
from knowledge.importers.source import UNREADABLE, Source
from knowledge.importers.wall_clock import ZONE_GUESSED, wall_clock
from knowledge.importers.whatsapp_dates import DayOrder, Order, header
from knowledge.importers.whatsapp_text import LRM, plain_name, words
from knowledge.records import Identity, ImportReport, Kind, Message

_SNIFFED = 64 << 10
_LINE = 1 << 20
"""Longest line, in bytes, and longest message, in characters: WhatsApp's own limit is 65,536."""
_SPEAKERS = 2048
"""Authors that are remembered of one file; a community holds no more."""
_SURE_OF_NAME = 3
_SPOKEN = re.compile(r"(?P<author>[^\n]{1,120}?): (?P<text>.*)", re.DOTALL)
_TITLE = re.compile(
    r"^.*?WhatsApp\b.*?(?:\s-\s|\s(?:with|mit|con|com|avec|met|med|с|z|s|kanssa|dengan|với)\s)(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_COPY = re.compile(r"\s*\(\d+\)$")
_SYSTEM = Identity("whatsapp:system", "WhatsApp")


class WhatsAppImporter:
    """Exported chats, one text file each."""

    name = "whatsapp"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where several lines begin like WhatsApp's and somebody speaks, less where it is one line."""
        if not source.lone:
            return 0.0
        try:
            head = source.head(next(iter(source.members)), _SNIFFED)
        except UNREADABLE:
            return 0.0
        lines = head.decode("utf-8-sig", "replace").lstrip("\r\n ").split("\n")
        first = header(lines[0])
        if not first:
            return 0.0
        found = [h for line in lines if (h := header(line)) and h.shape == first.shape]
        if not any(_SPOKEN.match(h.rest) for h in found):
            return 0.0
        return 1.0 if len(found) > 1 else 0.7

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Line by line; a file whose order of day and month is not certain is left out and says so."""
        for name in source.members:
            try:
                with source.open(name) as stream:
                    survey = _Survey.of(stream)
                order = survey.order(source.day_first)
                if survey.shape is None:
                    report.fail(name, "no line of it begins like WhatsApp's")
                elif order is None:
                    report.fail(name, UNCERTAIN)
                    report.notices.append(REMEDY)
                else:
                    with source.open(name) as stream:
                        yield from _Chat(survey, order, _title(source, name)).messages(stream, name, report)
            except UNREADABLE as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


UNCERTAIN = "day or month first? its dates can be read both ways"
REMEDY = (
    "a WhatsApp chat can be read with the day or the month first\n  → say `--day-first` or `--month-first`"
)


@dataclass(slots=True)
class _Survey:
    """What a file as a whole tells. speakers: for each author, what is common to all they say up to ": "."""

    shape: tuple[object, ...] | None = None
    days: DayOrder = field(default_factory=DayOrder)
    speakers: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, stream: BinaryIO) -> "_Survey":
        survey = cls()
        for line in _lines(stream):
            found = header(line)
            if found and survey.shape in (None, found.shape):
                survey.shape = found.shape
                survey.days.add(found)
                survey._hear(found.rest)
        return survey

    def order(self, day_first: bool | None) -> Order | None:
        """As the file tells it, else as the user says, else None."""
        said: Order | None = None if day_first is None else "dmy" if day_first else "mdy"
        return self.days.result() or said

    def _hear(self, rest: str) -> None:
        match = _SPOKEN.match(rest)
        if match and not match["text"].startswith(LRM):
            author = match["author"]
            more = match["text"].partition(": ")[0] if ": " in match["text"] else ""
            common, count = self.speakers.get(author, (more, 0))
            if count or len(self.speakers) < _SPEAKERS:
                self.speakers[author] = (common if common == more else "", count + 1)

    def split(self, rest: str) -> tuple[str, str]:
        """(author, text) of a line, ("", rest) where nobody speaks.

        A name may hold a colon itself: then everything under its first half goes on in the same way.
        A quotation mark that is opened and not closed belongs to an event ("… changed the subject to").
        """
        match = _SPOKEN.match(rest)
        if not match or _open_quote(match["author"]):
            return "", rest
        author, text = match["author"], match["text"]
        common, count = self.speakers.get(author, ("", 0))
        if common and count >= _SURE_OF_NAME:
            author, text = f"{author}: {common}", text.removeprefix(f"{common}: ")
        return plain_name(author), text


class _Chat:
    """One file whose shape and order are known."""

    def __init__(self, survey: _Survey, order: Order, title: str) -> None:
        self._survey = survey
        self._order = order
        speakers = sorted({plain_name(name) for name in survey.speakers if not _open_quote(name)})
        self._name = title or ", ".join(speakers)[:80] or "WhatsApp"
        self._key = title.casefold() if title else digest(*speakers)
        self._ids = DerivedIds(self._key)

    def messages(self, stream: BinaryIO, name: str, report: ImportReport) -> Iterator[Message]:
        """Every record with its continuation lines; counts what is no record or too long."""
        for when, written in self._records(_lines(stream)):
            if when is None:
                report.skip("text before the first message", name)
                continue
            if len(written) > _LINE:
                report.fail(name, "longer than any message of WhatsApp's")
                continue
            try:
                message = self._message(when, written)
            except (ValueError, OverflowError) as error:
                report.fail_record(name, error)
                continue
            report.seen += 1
            yield message

    def _records(self, lines: Iterator[str]) -> Iterator[tuple[datetime | None, str]]:
        """(time, author and text) of each record; of an endless one only a little more than is allowed."""
        begun: datetime | None = None
        parts: list[str] = []
        size = 0
        for line in lines:
            found = header(line)
            when = found.moment(self._order) if found and found.shape == self._survey.shape else None
            if found and when:
                if begun or any(part.strip() for part in parts):
                    yield begun, "\n".join(parts)
                begun, parts, size = when, [found.rest], len(found.rest)
            elif size <= _LINE:
                parts.append(line)
                size += len(line) + 1
        if begun:
            yield begun, "\n".join(parts)

    def _message(self, when: datetime, written: str) -> Message:
        author, said = self._survey.split(written)
        heard = words(said)
        kind = heard.kind if author else Kind.SYSTEM
        return Message(
            id="whatsapp:" + self._ids.of(when.replace(second=0), author, heard.text),
            source=WhatsAppImporter.name,
            conversation_id=f"whatsapp:{self._key}",
            conversation=self._name,
            author=_identity(author) if author and (kind is Kind.SPEECH or heard.flags) else _SYSTEM,
            sent_at=wall_clock(when),
            text=heard.text,
            kind=kind,
            raw=said if said != heard.text else None,
            flags=(*heard.flags, ZONE_GUESSED),
        )


def _identity(author: str) -> Identity:
    number = re.sub(r"[\s().-]", "", author)
    if re.fullmatch(r"\+\d{6,}", number):
        return Identity(f"whatsapp:{number}", author, (author, number))
    return Identity(f"whatsapp:{author}", author, (author,))


def _title(source: Source, name: str) -> str:
    """The chat's name where a file is named as WhatsApp names it, else "".

    iPhones call the file `_chat.txt`, and name the archive around it.
    """
    file, *around = reversed(source.place(name).parts)
    for part in (file, *around[:2]) if file.startswith("_chat") else (file,):
        stem = unicodedata.normalize("NFC", re.sub(r"\.(txt|zip)$", "", part, flags=re.IGNORECASE))
        if match := _TITLE.match(_COPY.sub("", stem)):
            return plain_name(match[1])
    return ""


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Lines without their ends, of bounded length; bytes that are no UTF-8 are replaced."""
    start = "utf-8-sig"
    while line := stream.readline(_LINE):
        yield line.decode(start, "replace").removesuffix("\n").removesuffix("\r")
        start = "utf-8"


def _open_quote(name: str) -> bool:
    return name.count('"') % 2 == 1 or any(name.count(o) > name.count(c) for o, c in ("“”", "«»", "„“"))
