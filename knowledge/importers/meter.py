"""How far the reading of an export has come, counted in the bytes that an importer takes."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, cast

from knowledge.importers.source import Source
from knowledge.progress import Progress

_BUFFER = 1 << 16


def metered(source: Source, importer: str, report: Callable[[Progress], None]) -> Source:
    """The same source; whatever is read of it is told to `report`, with done and total in bytes."""
    return replace(source, watch=_Meter(source, importer, report).watched)


class _Meter:
    """Counts over all members. Mail is read twice (threads first), which begins a second stage."""

    def __init__(self, source: Source, importer: str, report: Callable[[Progress], None]) -> None:
        self._stage = f"reading {importer}: {source.label}"
        self._total = sum(member.size for member in source.members.values())
        self._report = report
        self._read: dict[str, int] = {}
        self._done = 0

    def watched(self, name: str, stream: BinaryIO) -> BinaryIO:
        """The stream of one member, counted."""
        if name in self._read and self._done > self._total / 2:
            self._stage = f"{self._stage.removesuffix(' (again)')} (again)"
            self._read.clear()
            self._done = 0
        self._done -= self._read.pop(name, 0)
        self._read[name] = 0
        return cast(BinaryIO, io.BufferedReader(_Watched(stream, lambda n: self._count(name, n)), _BUFFER))

    def _count(self, name: str, size: int) -> None:
        self._read[name] = self._read.get(name, 0) + size
        self._done += size
        self._report(Progress(self._stage, min(self._done, self._total), self._total))


class _Watched(io.RawIOBase):
    """A stream that tells how many bytes each read gave."""

    def __init__(self, stream: BinaryIO, count: Callable[[int], None]) -> None:
        self._stream = stream
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count(len(data))
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
