"""Notes: Markdown and text files, Obsidian vaults. All of them are the owner's own words."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

from knowledge.importers.source import UNREADABLE, Member, Source
from knowledge.records import Identity, ImportReport, Message

OWNER = Identity("notes:owner", "me")
"""The archive takes this identity for the owner always."""

SUFFIXES = (".md", ".markdown", ".txt")

_LARGEST = 16 << 20
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(\w[\w -]*?)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"%%.*?%%", re.DOTALL)
_LINK = re.compile(r"!?\[\[([^\[\]|\n]*)(?:\|([^\[\]\n]*))?\]\]")
_CODE = re.compile(r"(^(`{3,}|~{3,}).*?^\2[ \t]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_NAME_DATE = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?!\d)")
_TITLES = {"readme", "license", "changelog", "contributing", "security", "licence", "code_of_conduct"}


class NotesImporter:
    """A folder of notes, or one note."""

    name = "notes"
    folders = True

    def sniff(self, source: Source) -> float:
        """A vault is sure, a folder that is mostly notes likely, a single text file possible."""
        members = source.members
        notes = [name for name in members if is_note(name)]
        if source.lone:
            return 0.2 if notes and _is_text(source, notes[0]) else 0.0
        if any(name.startswith(".obsidian/") for name in members):
            return 1.0
        if len({name.partition("/")[0] for name in members}) == 1:
            return 0.0  # one folder holds everything: that one is the root, so that ids stay the same
        written = [name for name in notes if PurePosixPath(name).stem.lower() not in _TITLES]
        markdown = any(not name.endswith(".txt") for name in written)
        mostly = len(notes) * 2 > sum(not _attachment(name) for name in members)
        return 0.6 if written and markdown and mostly else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Every non-empty note once; embeds are left as names, so that cycles cannot occur."""
        for name, member in source.members.items():
            if not is_note(name) or _hidden(name):
                continue
            try:
                text = _text(source, member)
            except UNREADABLE as error:
                report.fail(name, f"unreadable: {type(error).__name__}")
                continue
            message = _message(member, text)
            if message.text:
                report.seen += 1
                yield message
            else:
                report.skip("empty", name)


def is_note(name: str) -> bool:
    """Whether a file can be a note, going by its ending; text has no other mark."""
    return name.lower().endswith(SUFFIXES)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _attachment(name: str) -> bool:
    """Files that live beside notes without being notes."""
    endings = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf", ".mp3", ".mp4", ".canvas", ".css")
    return _hidden(name) or name.lower().endswith(endings) or "." not in PurePosixPath(name).name


def _is_text(source: Source, name: str) -> bool:
    try:
        head = source.head(name)
    except UNREADABLE:
        return True  # read() will say so in the report
    return b"\x00" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))


def _text(source: Source, member: Member) -> str:
    """The note's text whatever its encoding. Raises one of UNREADABLE, or ValueError when far too large."""
    if member.size > _LARGEST:
        raise ValueError("too large for a note")
    with source.open(member.name) as stream:
        data = stream.read()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _message(member: Member, original: str) -> Message:
    body, fields = _split_front(original.replace("\r\n", "\n"))
    stem = PurePosixPath(member.name).stem
    sent_at, guessed = _date(fields, stem, member.modified)
    text = _plain(body)
    identity = "notes:" + _readable(member.name)
    return Message(
        id=identity,
        source="notes",
        conversation_id=identity,
        conversation=_readable(fields.get("title") or stem),
        author=OWNER,
        sent_at=sent_at,
        text=text,
        raw=original if text != original else None,
        flags=("date-guessed",) if guessed else (),
    )


def _split_front(text: str) -> tuple[str, dict[str, str]]:
    """The body, and the flat `key: value` lines of the YAML block before it, keys in lower case.

    Only dates and a title are wanted of it, so no YAML parser meets this untrusted text.
    """
    match = _FRONT.match(text)
    if not match:
        return text, {}
    fields = {m[1].lower(): m[2].strip("\"'") for m in _FIELD.finditer(match[1])}
    return text[match.end() :], fields


def _plain(body: str) -> str:
    """Links as their words, embeds as their names, comments dropped; code is left alone."""
    pieces = _CODE.split(_COMMENT.sub("", body))
    # _CODE has two groups: text, code, fence, text, code, fence, ...
    for position in range(0, len(pieces), 3):
        pieces[position] = _LINK.sub(_link_words, pieces[position])
    kept = [piece for position, piece in enumerate(pieces) if position % 3 != 2 and piece is not None]
    return "".join(kept).strip()


def _link_words(match: re.Match[str]) -> str:
    return (match[2] if match[2] is not None else match[1]).strip()


def _date(fields: dict[str, Any], stem: str, modified: datetime) -> tuple[datetime, bool]:
    """From the frontmatter, the file name, else the file's own time, which is flagged as a guess."""
    for key in ("date", "created", "created at", "created_at"):
        if found := _iso(fields.get(key, "")):
            return found, False
    if match := _NAME_DATE.search(stem):
        try:
            return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC), False
        except ValueError:
            pass
    return modified, True


def _iso(value: str) -> datetime | None:
    """An ISO date or time as frontmatter writes it; one without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            found = datetime.combine(date.fromisoformat(value.strip()[:10]), datetime.min.time())
        except ValueError:
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _readable(name: str) -> str:
    """A file name without the surrogates that stand for bytes that are no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
