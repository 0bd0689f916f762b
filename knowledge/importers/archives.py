"""Zip and tar archives, also compressed and within one another, read in place.

No member is ever written under its name: members are opened as streams, and one that would lie outside
the archive's folder or is a link is refused. An archive that blows up when read is refused before any
member is opened. What can only be read from its beginning (a compressed tar, an archive in an archive)
is laid in a nameless temporary file that is gone with the program.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from knowledge.errors import ImportFailed
from knowledge.importers.source import (
    DEEPEST,
    UNREADABLE,
    FileBox,
    FolderBox,
    Limits,
    Member,
    Source,
    utc,
)
from knowledge.records import Problem

_RATIO_MATTERS_FROM = 1 << 20
"""Unpacked bytes below which no ratio is suspicious: a small member of one repeated byte harms nobody."""
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"_rels/", b"META-INF/")
"""First members of office documents, e-books and the like, which are zip archives too."""
_COMPRESSED: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_CHUNK = 1 << 20
_ENTRY = 160
"""Bytes of a zip's directory for each member that is allowed: more of them would fill the memory."""
_END = b"PK\x05\x06"
"""Where a zip's directory ends; what follows tells its size, and a comment of up to 64 KB."""
_ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


class ZipBox:
    """A zip archive; its directory is judged before any member is opened.

    file: a path, or a seekable stream. packed: its size in bytes. Raises ImportFailed when the archive
    as a whole is damaged or beyond `limits`. Single members that are unsafe or encrypted are refused,
    and the rest stays readable.
    """

    def __init__(self, label: Path, file: Path | BinaryIO, packed: int, limits: Limits) -> None:
        if (directory := _directory_size(file)) > limits.members * _ENTRY:
            raise _refused(label, f"a directory of {directory} bytes, too many members")
        try:
            self._zip = zipfile.ZipFile(file)
        except UNREADABLE as error:
            raise ImportFailed(f"{label} is a damaged zip archive", "Export or download it again.") from error
        files = [info for info in self._zip.infolist() if not info.filename.endswith("/")]
        sizes = [info.file_size for info in files]
        _check(label, len(files), sum(sizes), packed, limits)
        if any(_swells(info.file_size, info.compress_size, limits) for info in files):
            raise _refused(label, f"a member unpacks to more than {limits.ratio:.0f} times its size")
        self.refused: list[Problem] = []
        self.members: dict[str, Member] = {}
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in files:
            name = info.filename.replace("\\", "/")
            link = stat.S_ISLNK(info.external_attr >> 16)
            if reason := _unsafe(name, link=link) or ("encrypted" if info.flag_bits & 1 else ""):
                self.refused.append(Problem(name or "(unnamed)", reason))
            else:
                self.members[name] = Member(name, info.file_size, _zip_time(info))
                self._infos[name] = info

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._zip.open(self._infos[name]))


class TarBox:
    """A tar archive that is not compressed any more.

    Raises ImportFailed when nothing of it can be read or it is beyond `limits`. Of one that breaks off
    the members before the break stay readable. packed: the size of the file it came from, in bytes.
    """

    def __init__(self, label: Path, file: BinaryIO, packed: int, limits: Limits) -> None:
        self.refused: list[Problem] = []
        self.members: dict[str, Member] = {}
        self._infos: dict[str, tarfile.TarInfo] = {}
        count = total = 0
        try:
            self._tar = tarfile.TarFile(fileobj=cast(Any, _Frugal(file)))
            for info in self._tar:
                count, total = count + 1, total + info.size
                _check(label, count, total, packed, limits)
                self._add(info)
        except UNREADABLE as error:
            if not self.members:
                raise ImportFailed(
                    f"{label} is a damaged tar archive", "Export or download it again."
                ) from error
            self.refused.append(Problem(str(label), "the archive breaks off"))
        else:
            self._tar.fileobj = file

    def _add(self, info: tarfile.TarInfo) -> None:
        name = str(PurePosixPath(info.name))
        if info.isdir():
            return
        if reason := _unsafe(name, link=not info.isfile()) or ("sparse" if info.issparse() else ""):
            self.refused.append(Problem(name, reason))
        else:
            self.members[name] = Member(name, info.size, utc(info.mtime))
            self._infos[name] = info

    def open(self, name: str) -> BinaryIO:
        stream = self._tar.extractfile(self._infos[name])
        if stream is None:
            raise FileNotFoundError(name)
        return cast(BinaryIO, stream)


class _Frugal:
    """A stream for reading a tar's headers: one that claims to be megabytes long breaks the archive off."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        """As the stream's own. Raises ValueError for what no header needs."""
        if size > _CHUNK:
            raise ValueError("header too long")
        return self._stream.read(size)


def open_source(path: Path, limits: Limits) -> Source:
    """The file, folder or archive at `path`, told apart by content.

    Raises ImportFailed when nothing is there, or when an archive is damaged or beyond `limits`.
    """
    if not path.exists():
        raise ImportFailed(f"{path} does not exist", "Check the spelling of the path.")
    if path.is_dir():
        return Source(path, FolderBox(path))
    if not path.is_file():
        raise ImportFailed(f"{path} is neither a file nor a folder", "Save what it gives as a file first.")
    try:
        box = FileBox(path)
        with open(path, "rb") as stream:
            kind = archive_kind(stream)
        if kind == "zip":
            return Source(path, ZipBox(path, path, path.stat().st_size, limits))
        if kind:
            return Source(path, _tar_box(path, open(path, "rb"), path.stat().st_size, kind, limits))
        return Source(path, box)
    except OSError as error:
        raise ImportFailed(f"{path} cannot be read ({error.strerror})", "Check its permissions.") from error


def archive_kind(stream: BinaryIO) -> str:
    """`zip`, `tar`, `compressed tar`, or "" for anything else, also for documents that are zips inside."""
    head = stream.read(tarfile.BLOCKSIZE)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "" if any(mark in head[:64] for mark in _DOCUMENTS) else "zip"
    if _is_tar(head):
        return "tar"
    opener = _opener(head)
    if opener is None:
        return ""
    try:
        stream.seek(0)
        with opener(stream) as plain:
            return "compressed tar" if _is_tar(plain.read(tarfile.BLOCKSIZE)) else ""
    except UNREADABLE:
        return ""


def is_named_as_archive(name: str) -> bool:
    """Whether somebody would miss what is in this file, were it damaged."""
    return name.lower().endswith(_ENDINGS)


@dataclass(slots=True)
class Nest:
    """What archives within archives may come to. left: bytes in temporary files. archives: how many."""

    left: int
    archives: int = 200
    deepest: int = 3


def open_inner(outer: Source, name: str, limits: Limits, nest: Nest) -> Source:
    """The archive that is a member of `outer`. Raises ImportFailed as `open_source` does."""
    if isinstance(outer.box, FolderBox):
        return open_source(outer.path / name, limits)
    label = outer.path / name
    nest.archives -= 1
    if nest.archives < 0:
        raise _refused(label, "too many archives in archives")
    inner = replace(limits, unpacked=min(limits.unpacked, nest.left))
    packed = outer.members[name].size
    try:
        with outer.open(name) as stream:
            kind = archive_kind(stream)
        with outer.open(name) as stream:
            if kind == "compressed tar":
                box = _tar_box(label, stream, packed, kind, inner)
                nest.left -= sum(member.size for member in box.members.values())
                return Source(label, box)
            file, _ = _laid_aside(label, stream, packed, inner)
    except UNREADABLE as error:
        raise ImportFailed(f"{label} is a damaged archive", "Export or download it again.") from error
    nest.left -= packed
    found = ZipBox(label, file, packed, inner) if kind == "zip" else TarBox(label, file, packed, inner)
    return Source(label, found)


def _tar_box(label: Path, stream: BinaryIO, packed: int, kind: str, limits: Limits) -> TarBox:
    if kind == "tar":
        return TarBox(label, stream, packed, limits)
    opener = _opener(stream.read(8))
    stream.seek(0)
    if opener is None:
        raise ImportFailed(f"{label} is a damaged archive", "Export or download it again.")
    try:
        with stream, opener(stream) as plain:
            file, whole = _laid_aside(label, plain, packed, limits)
    except UNREADABLE as error:
        raise ImportFailed(f"{label} is a damaged archive", "Export or download it again.") from error
    box = TarBox(label, file, packed, limits)
    if not whole:
        box.refused.append(Problem(str(label), "the archive breaks off"))
    return box


def _laid_aside(label: Path, stream: BinaryIO, packed: int, limits: Limits) -> tuple[BinaryIO, bool]:
    """A nameless file with what a stream gives, and whether that was all of it; bounded as archives are."""
    file, total = cast(BinaryIO, tempfile.TemporaryFile()), 0  # noqa: SIM115 (the box keeps it open)
    try:
        # read1 gives what there is before a break, where read would give nothing of it
        while data := cast(io.BufferedReader, stream).read1(_CHUNK):
            total += len(data)
            _check(label, 1, total, packed, limits)
            file.write(data)
    except UNREADABLE:
        if not total:
            raise
        whole = False
    except ImportFailed:
        file.close()
        raise
    else:
        whole = True
    file.seek(0)
    return file, whole


def _directory_size(file: Path | BinaryIO) -> int:
    """Bytes of a zip's directory as its end tells it (zip64's too), 0 where there is no end."""
    with open(file, "rb") if isinstance(file, Path) else nullcontext(file) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - (1 << 16) - 22))
        tail = stream.read()
    found = tail[tail.rfind(_END) :][:22] if _END in tail else b""
    if len(found) < 22:
        return 0
    told = int.from_bytes(found[12:16], "little")
    large = tail.rfind(b"PK\x06\x06")  # zip64
    if large >= 0:
        told = int.from_bytes(tail[large + 40 : large + 48], "little")
    return min(told, size)


def _opener(head: bytes) -> Callable[[BinaryIO], Any] | None:
    return next((opener for mark, opener in _COMPRESSED.items() if head.startswith(mark)), None)


def _is_tar(block: bytes) -> bool:
    """Whether a first block is a member's header: it holds a sum of itself."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _check(label: Path, members: int, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse a bomb. The packed size is the file's own, so members that share bytes count once."""
    if members > limits.members:
        raise _refused(label, f"{members} members, {limits.members} are allowed")
    if unpacked > limits.unpacked:
        raise _refused(label, f"{unpacked} bytes unpacked, {limits.unpacked} are allowed")
    if _swells(unpacked, packed, limits):
        times = unpacked / max(1, packed)
        raise _refused(
            label, f"it unpacks to {times:.0f} times its size, {limits.ratio:.0f} times are allowed"
        )


def _swells(unpacked: int, packed: int, limits: Limits) -> bool:
    return unpacked > _RATIO_MATTERS_FROM and unpacked > max(1, packed) * limits.ratio


def _refused(label: Path, problem: str) -> ImportFailed:
    return ImportFailed(f"{label} is refused: {problem}", "If you trust it, unpack it and import the folder.")


def _unsafe(name: str, *, link: bool) -> str:
    """Why a member must not be opened, or ""."""
    if not name:
        return "no name"
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or name[1:2] == ":":
        return "absolute path in the archive"
    if ".." in path.parts:
        return "path leaves the archive's folder"
    if len(path.parts) > DEEPEST:
        return "folders too deep"
    return "link in the archive" if link else ""


def _zip_time(info: zipfile.ZipInfo) -> datetime:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:  # slackdump writes the 0th of the 0th month
        return datetime(1980, 1, 1, tzinfo=UTC)
