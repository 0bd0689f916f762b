"""What importers read from: one set of named members, whether a file, a folder or a zip lies below.

Nothing is ever unpacked to disk: members are opened as streams, and an archive that would write
outside its folder, holds links, or blows up when read is refused before any member is opened.
This module knows nothing of messages.
"""

import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

from knowledge.errors import ImportFailed
from knowledge.records import Problem

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What opening or decoding a damaged member may raise; one such member must not stop the others."""

_RATIO_MATTERS_FROM = 1 << 20
"""Unpacked bytes below which no ratio is suspicious: a small member of one repeated byte harms nobody."""


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
    """

    path: Path
    box: Box
    prefix: str = ""
    chosen: frozenset[str] | None = None
    lone: bool = False
    day_first: bool | None = None

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

    def under(self, folder: str, names: Iterable[str]) -> "Source":
        """These members of `folder` ("" for the top), named relative to it."""
        return replace(self, prefix=f"{folder}/" if folder else "", chosen=frozenset(names), lone=False)

    def only(self, names: Iterable[str]) -> "Source":
        """Just these members; a single one is judged by itself."""
        chosen = frozenset(names)
        return replace(self, chosen=chosen, lone=len(chosen) == 1)

    def open(self, name: str) -> BinaryIO:
        """A stream of one member's bytes; raises one of `UNREADABLE`."""
        return self.box.open(self.prefix + name)

    def head(self, name: str, size: int = 8192) -> bytes:
        """The first `size` bytes of a member; raises one of `UNREADABLE`."""
        with self.open(name) as stream:
            return stream.read(size)

    def json(self, name: str) -> Any:
        """A member parsed as JSON; raises one of `UNREADABLE`."""
        with self.open(name) as stream:
            return json.loads(stream.read())


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
            for file in sorted(files):
                path = Path(folder, file)
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    name = path.relative_to(root).as_posix()
                    self.members[name] = Member(name, status.st_size, _utc(status.st_mtime))

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
        self.members = {path.name: Member(path.name, status.st_size, _utc(status.st_mtime))}

    def open(self, name: str) -> BinaryIO:
        return open(self.path, "rb")


class ZipBox:
    """A zip archive; its directory is judged before any member is opened.

    Raises ImportFailed when the archive as a whole is damaged or beyond `limits`. Single members
    that are unsafe or encrypted are refused, and the rest stays readable.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except UNREADABLE as error:
            raise ImportFailed(f"{path} is a damaged zip archive", "Export or download it again.") from error
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        _check(path, files, limits)
        self.refused: list[Problem] = []
        self.members: dict[str, Member] = {}
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in files:
            name = info.filename.replace("\\", "/")
            if reason := _unsafe(name, info):
                self.refused.append(Problem(name, reason))
            else:
                self.members[name] = Member(name, info.file_size, _zip_time(info))
                self._infos[name] = info

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._zip.open(self._infos[name]))


def open_source(path: Path, limits: Limits) -> Source:
    """The file, folder or zip archive at `path`, told apart by content.

    Raises ImportFailed when nothing is there, or when an archive is damaged or beyond `limits`.
    """
    if not path.exists():
        raise ImportFailed(f"{path} does not exist", "Check the spelling of the path.")
    if path.is_dir():
        return Source(path, FolderBox(path))
    try:
        zipped = _starts_like_zip(path)
        return Source(path, ZipBox(path, limits) if zipped else FileBox(path))
    except OSError as error:
        raise ImportFailed(f"{path} cannot be read ({error.strerror})", "Check its permissions.") from error


def is_zip(head: bytes) -> bool:
    """Whether these first bytes are those of a zip archive (an empty one too)."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _starts_like_zip(path: Path) -> bool:
    with open(path, "rb") as stream:
        return is_zip(stream.read(4))


def _check(path: Path, files: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse a bomb. The packed size is the file's own, so members that share bytes count once."""
    total = sum(info.file_size for info in files)
    packed = max(1, path.stat().st_size)
    if len(files) > limits.members:
        problem = f"{len(files)} members, {limits.members} are allowed"
    elif total > limits.unpacked:
        problem = f"{total} bytes unpacked, {limits.unpacked} are allowed"
    elif total > _RATIO_MATTERS_FROM and total / packed > limits.ratio:
        problem = f"it unpacks to {total / packed:.0f} times its size, {limits.ratio:.0f} times are allowed"
    elif any(_swells(info, limits) for info in files):
        problem = f"a member unpacks to more than {limits.ratio:.0f} times its size"
    else:
        return
    raise ImportFailed(f"{path} is refused: {problem}", "If you trust it, raise the limits in the settings.")


def _swells(info: zipfile.ZipInfo, limits: Limits) -> bool:
    return info.file_size > _RATIO_MATTERS_FROM and info.file_size > max(1, info.compress_size) * limits.ratio


def _unsafe(name: str, info: zipfile.ZipInfo) -> str:
    """Why this member must not be opened, or ""."""
    path = PurePosixPath(name)
    if path.is_absolute() or name[1:2] == ":":
        return "absolute path in the archive"
    if ".." in path.parts:
        return "path leaves the archive's folder"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in the archive"
    return "encrypted" if info.flag_bits & 1 else ""


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:  # slackdump writes the 0th of the 0th month
        return datetime(1980, 1, 1, tzinfo=UTC)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
