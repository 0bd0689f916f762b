"""What importers read from: one set of named members, whether a file, a folder or an archive lies below.

Archives are in archives.py. Neither module knows anything of messages.
"""

import json
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from knowledge.records import Problem

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What opening or decoding a damaged member may raise; one such member must not stop the others."""

DEEPEST = 64
"""Folders within folders beyond which nothing is an export any more."""

_LARGEST_JSON = 24 << 20
"""Bytes of JSON that are parsed at once; the worst of it takes twenty-five times as much memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold. unpacked: bytes. ratio: unpacked to packed. members: files."""

    unpacked: int = 50 * 1000**3
    ratio: float = 200.0
    members: int = 200_000


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source. name: relative POSIX path. size: bytes unpacked. modified: aware."""

    name: str
    size: int
    modified: datetime


class Box(Protocol):
    """The physical side of a source: what members there are, and their bytes."""

    members: dict[str, Member]
    refused: list[Problem]

    def open(self, name: str) -> BinaryIO: ...


@dataclass(frozen=True, eq=False)
class Source:
    """The members of `box` below `prefix`, all of them or only those in `chosen`.

    path: what the user named. prefix: "" or a folder ending in "/". Names given and returned are
    relative to the prefix, so an importer sees the same names in a zip and in a folder.
    lone: one file that is judged by itself, not as the content of a folder.
    day_first: the user's word on whether dates begin with the day, for exports that do not tell.
    beside: files near it that are of no known export, so that somebody is told.
    watch: is given each stream that is opened, by its member's name, and gives what to read instead.
    """

    path: Path
    box: Box
    prefix: str = ""
    chosen: frozenset[str] | None = None
    lone: bool = False
    day_first: bool | None = None
    beside: tuple[str, ...] = ()
    watch: Callable[[str, BinaryIO], BinaryIO] | None = None

    @cached_property
    def members(self) -> dict[str, Member]:
        """Every member by its relative name, in name order."""
        cut = len(self.prefix)
        every = self.box.members
        if self.chosen is None:
            names = sorted(name[cut:] for name in every if name.startswith(self.prefix))
        else:
            names = sorted(self.chosen)
        return {name: replace(every[self.prefix + name], name=name) for name in names}

    @property
    def label(self) -> str:
        """Where this lies, for reports: the path, and the place inside of it."""
        inside = self.prefix + (next(iter(self.members)) if self.lone else "")
        return str(self.path if inside == self.path.name else self.path / inside)

    def place(self, name: str) -> Path:
        """Where a member lies, through archives as through folders."""
        path = self.path.absolute()
        return path if isinstance(self.box, FileBox) else path / self.prefix / name

    @property
    def made(self) -> datetime:
        """When the newest member was written: the best there is for when an export was made."""
        return max((member.modified for member in self.members.values()), default=utc(0))

    def under(self, folder: str, names: Iterable[str]) -> "Source":
        """These members of `folder` ("" for the top), named relative to it."""
        return replace(self, prefix=f"{folder}/" if folder else "", chosen=frozenset(names), lone=False)

    def only(self, names: Iterable[str]) -> "Source":
        """Just these members; a single one is judged by itself."""
        chosen = frozenset(names)
        return replace(self, chosen=chosen, lone=len(chosen) == 1)

    def open(self, name: str) -> BinaryIO:
        """A stream of one member's bytes; raises one of `UNREADABLE`."""
        stream = self.box.open(self.prefix + name)
        return self.watch(name, stream) if self.watch else stream

    def head(self, name: str, size: int = 8192) -> bytes:
        """The first `size` bytes of a member; raises one of `UNREADABLE`."""
        with self.open(name) as stream:
            return stream.read(size)

    def json(self, name: str) -> Any:
        """A member parsed as JSON at once; raises one of `UNREADABLE`, also for what is too large."""
        with self.open(name) as stream:
            data = stream.read(_LARGEST_JSON + 1)
        if len(data) > _LARGEST_JSON:
            raise ValueError("too large to be parsed at once")
        return json.loads(data)


class EmptyBox:
    """What is left of something that cannot be opened."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.refused: list[Problem] = []

    def open(self, name: str) -> BinaryIO:
        raise FileNotFoundError(name)


class FolderBox:
    """A folder on disk. Links are left alone: they may lead anywhere."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refused: list[Problem] = []
        self.members: dict[str, Member] = {}
        for folder, folders, files in os.walk(root, onerror=self._refuse):
            folders.sort()
            inside = Path(folder).relative_to(root)
            if len(inside.parts) >= DEEPEST:
                self.refused.append(Problem(str(inside), "folders too deep"))
                folders.clear()
                continue
            for file in sorted(files):
                self._add(inside / file)

    def _add(self, inside: Path) -> None:
        try:
            status = (self.root / inside).lstat()
        except OSError as error:
            return self._refuse(error)
        if stat.S_ISREG(status.st_mode):
            name = inside.as_posix()
            self.members[name] = Member(name, status.st_size, utc(status.st_mtime))
        return None

    def _refuse(self, error: OSError) -> None:
        self.refused.append(Problem(str(error.filename), error.strerror or "unreadable folder"))

    def open(self, name: str) -> BinaryIO:
        return open(self.root / name, "rb")


class FileBox:
    """One file on disk."""

    def __init__(self, path: Path) -> None:
        status = path.stat()
        self.path = path
        self.refused: list[Problem] = []
        self.members = {path.name: Member(path.name, status.st_size, utc(status.st_mtime))}

    def open(self, name: str) -> BinaryIO:
        return open(self.path, "rb")


def utc(seconds: float) -> datetime:
    """A file's time; the first of 1970 where it is beyond what a time can be."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
