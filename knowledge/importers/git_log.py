"""Commit messages: the text of `git log`, or a local repository, read with the git program.

A commit is the same record in both. Trailers are cut; merges and bots are kept, marked as what they are.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from knowledge.importers.json_records import BROKEN, start
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_COMMIT = re.compile(rb"commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b")
_HEAD = re.compile(rb"commit [0-9a-f]{40}[^\n]*\n(?:[A-Z]\w+:[^\n]*\n)*Author: ")
_DATE = re.compile(
    r"(?:\w{3} )?(?P<month>\w{3}) (?P<day>\d+) (?P<time>[\d:]{8}) (?P<year>\d{4}) (?P<zone>[+-]\d{4})"
)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ]([\d:]{8}) ?([+-]\d\d:?\d\d|Z)")
_PERSON = re.compile(r"(?P<name>.*?)\s*<(?P<address>[^<>]*)>\s*")
_TRAILER = re.compile(r"[A-Za-z0-9][\w-]*: .*|[ \t].*|\(cherry picked from commit \w+\)|git-svn-id: .*")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LINE = 1 << 20
"""Bytes of one line; what is beyond in it starts a new one."""
_LONGEST = 1 << 20
"""Bytes of one commit; the rest is left out."""

_LOG = (
    "git -c log.showSignature=false -c gpg.program=false -c core.fsmonitor=false --no-pager log "
    "--pretty=fuller --date=iso-strict --encoding=UTF-8 --no-decorate --no-color --no-notes "
    "--no-show-signature --no-patch"
).split()
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C"}
"""A repository is data from elsewhere: its settings must start no program, its objects fetch nothing."""


class GitImporter:
    """Text files of `git log`, and the repository that the user names."""

    name = "git"
    folders = True

    def sniff(self, source: Source) -> float:
        """1 for a repository's own folder on disk, or a file that begins as `git log` does."""
        if source.lone:
            return 1.0 if _HEAD.match(start(source)) else 0.0
        return 1.0 if is_repository(source) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Commit by commit, newest first."""
        if is_repository(source):
            yield from _of_repository(source.path, report)
            return
        for name in source.members:
            try:
                with source.open(name) as stream:
                    yield from _messages(stream, "git log", name, report)
            except BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def is_repository(source: Source) -> bool:
    """Whether these are the files git keeps of the very folder that was named."""
    named = source.prefix in ("", ".git/") and source.path.is_dir()
    return (
        named
        and {"HEAD", "config"} <= source.members.keys()
        and (source.path / source.prefix / "objects").is_dir()
    )


def _of_repository(path: Path, report: ImportReport) -> Iterator[Message]:
    if not shutil.which("git"):
        report.fail(
            str(path), "a repository, but there is no git program: install git, or import a `git log` file"
        )
        return
    name = path.resolve().name.removesuffix(".git")
    with _log(path) as (stream, process):
        yield from _messages(stream, name, str(path), report)
        if process.wait() and not stream.read(1):
            report.fail(str(path), f"git log ended with status {process.returncode}: try it there by hand")


@contextmanager
def _log(path: Path) -> Iterator[tuple[BinaryIO, "subprocess.Popen[bytes]"]]:
    process = subprocess.Popen(
        _LOG, cwd=path, env={**os.environ, **_QUIET}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield cast(BinaryIO, process.stdout), process
    finally:
        process.kill()
        process.wait()
        cast(BinaryIO, process.stdout).close()


def _messages(stream: BinaryIO, place: str, file: str, report: ImportReport) -> Iterator[Message]:
    for lines in _commits(stream):
        try:
            message = _message(lines, place)
        except BROKEN as error:
            report.fail_record(file, error)
            continue
        if message.text:
            report.seen += 1
            yield message
        else:
            report.skip("empty", file)


def _commits(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of each commit, without its list of files; a lone CR ends no line."""
    lines: list[bytes] = []
    size = 0
    while line := stream.readline(_LINE):
        if _COMMIT.match(line):
            if lines:
                yield lines
            lines, size = [line], 0
        elif lines and size < _LONGEST and not line.startswith(b":"):
            lines.append(line)
            size += len(line)
    if lines:
        yield lines


def _message(lines: list[bytes], place: str) -> Message:
    match = _COMMIT.match(lines[0])
    if not match:
        raise ValueError("no commit")
    own = match[1].decode()
    fields: dict[str, str] = {}
    said: list[str] = []
    for line in (_decoded(line).rstrip("\r\n") for line in lines[1:]):
        key, colon, value = line.partition(":")
        if line.startswith("    "):
            said.append(line[4:])
        elif not line.strip():
            said += [""] if said else []
        elif colon and not said:
            fields.setdefault(key, value.strip())
    whole = "\n".join(said).strip()
    author = _person(fields["Author"])
    text = _without_trailers(whole)
    return Message(
        id=f"git:{own}",
        source="git",
        conversation_id=f"git:{place}",
        conversation=place,
        author=author,
        sent_at=_time(fields.get("AuthorDate") or fields["Date"]),
        text=text,
        kind=_kind(fields, author),
        raw=whole if whole != text else None,
    )


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _person(field: str) -> Identity:
    match = _PERSON.fullmatch(field)
    name, address = (match["name"], match["address"].lower()) if match else (field, "")
    own = address or name
    if not own:
        raise ValueError("no author")
    return Identity(f"git:{own}", name or own, tuple(dict.fromkeys(part for part in (name, address) if part)))


def _kind(fields: dict[str, str], author: Identity) -> Kind:
    if "Merge" in fields:
        return Kind.SYSTEM
    return Kind.BOT if author.name.endswith("[bot]") else Kind.SPEECH


def _time(field: str) -> datetime:
    """Git's own date, or `--date=iso`; git writes English everywhere. Raises ValueError for other forms."""
    if match := _DATE.fullmatch(field):
        month = _MONTHS.index(match["month"]) + 1
        return datetime.fromisoformat(
            f"{match['year']}-{month:02}-{int(match['day']):02}T{match['time']}{match['zone']}"
        )
    if match := _ISO.fullmatch(field):
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3]}")
    raise ValueError("no date")


def _without_trailers(text: str) -> str:
    """The message without a last paragraph that is nothing but `Signed-off-by: …` and the like."""
    body, gap, last = text.rpartition("\n\n")
    trailers = gap and all(_TRAILER.fullmatch(line) for line in last.split("\n"))
    return body.rstrip() if trailers else text
