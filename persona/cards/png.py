"""The text chunks of PNG files: read without the picture, and written into one.

Written by hand because a picture library would decode the picture, which is not wanted and may be hostile.
Source: PNG specification (third edition), 5 and 11.3.3.
"""

import struct
import zlib
from collections.abc import Container, Iterator, Mapping
from io import BytesIO
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_TEXT = 8 * 2**20
"""A text longer than this (bytes) is refused."""

_MOST_CHUNKS = 20_000
_LONGEST_KEYWORD = 79
_FRAME = 12
"""Bytes of a chunk besides its data: length, kind, checksum."""


class NotReadable(Exception):
    """The file is no PNG, damaged, or holds a text that is too long."""


def texts(stream: IO[bytes], wanted: Container[str]) -> dict[str, bytes]:
    """The first tEXt chunk of each `wanted` keyword. Nothing else is held in memory. Raises NotReadable."""
    found: dict[str, bytes] = {}
    for kind, length in _chunks(stream):
        if kind != b"tEXt":
            continue
        begin = stream.read(min(length, _LONGEST_KEYWORD + 1))
        keyword, separator, _ = begin.partition(b"\0")
        name = keyword.decode("latin-1")
        if not separator or name in found or name not in wanted:
            continue
        if length > MOST_TEXT:
            raise NotReadable(f"its `{name}` text is longer than {MOST_TEXT // 2**20} MB")
        data = begin + stream.read(length - len(begin))
        if struct.pack(">I", zlib.crc32(kind + data)) != stream.read(4):
            raise NotReadable(f"the checksum of its `{name}` text is wrong")
        found[name] = data[len(keyword) + 1 :]
    return found


def with_texts(picture: bytes, new: Mapping[str, bytes], instead_of: Container[str] = ()) -> bytes:
    """`picture` with these tEXt chunks, and without those it has of keywords in `instead_of`.

    Raises NotReadable.
    """
    stream = BytesIO(picture)
    out = [SIGNATURE]
    for kind, length in _chunks(stream):
        data = stream.read(length)
        if kind == b"IEND":
            out += [_chunk(b"tEXt", name.encode("latin-1") + b"\0" + text) for name, text in new.items()]
        if kind != b"tEXt" or data.partition(b"\0")[0].decode("latin-1") not in instead_of:
            out.append(_chunk(kind, data))
    return b"".join(out)


def plain(width: int = 400, height: int = 600, grey: int = 64) -> bytes:
    """A picture of one grey."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([grey]) * width) * height, 9)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk up to IEND; the stream then stands at its data."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(len(SIGNATURE)) != SIGNATURE:
        raise NotReadable("it is no PNG file")
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (size, b"")
        if at + _FRAME + length > size:
            raise NotReadable("it ends in the middle")
        yield kind, length
        if kind == b"IEND":
            return
        at += _FRAME + length
        stream.seek(at)
    raise NotReadable("it has too many parts")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
