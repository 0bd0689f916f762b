"""Splitting mbox files, as bytes.

The standard library's `mailbox.mbox` dies on a non-ASCII `From ` line and takes a body line such as
`From Russia with love` for a new message. Here a `From ` line counts only after a blank line (or at
the top) and before a header line.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

BOM = b"\xef\xbb\xbf"

_HEADER = re.compile(rb"^[!-9;-~]+[ \t]*:")
_QUOTED_FROM = re.compile(rb"^>(>*From )")
_LONGEST_LINE = 1 << 20

LARGEST = 48 << 20
"""Bytes of memory for one message, beyond which the rest of it (an attachment's tail) is not kept."""

_A_LINE = 64
"""Bytes that a line takes beside its own."""


def split(stream: BinaryIO) -> Iterator[bytes]:
    """Every message of an mbox, without its `From ` line and with `>From ` unescaped.

    A stream that does not begin with a `From ` line is one single message.
    """
    lines = _lines(stream)
    first = next(lines, b"")
    if not first.startswith(b"From "):
        yield _joined([first, *_limited(lines)])
        return
    message: list[bytes] = []
    size, blank, separator = 0, False, b""
    for line in lines:
        if separator:
            if _HEADER.match(line):
                yield _joined(message)
                message, size = [], 0
            else:
                message.append(separator)
            separator = b""
        if blank and line.startswith(b"From "):
            separator = line
            continue
        blank = not line.strip()
        size += len(line) + _A_LINE
        if size <= LARGEST:
            message.append(_QUOTED_FROM.sub(rb"\1", line))
    if separator:
        message.append(separator)
    yield _joined(message)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines in bounded pieces, the byte order mark and leading blank lines gone."""
    begun = False
    while line := stream.readline(_LONGEST_LINE):
        if not begun:
            line = line.removeprefix(BOM)
            begun = bool(line.strip())
        if begun:
            yield line


def _limited(lines: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for line in lines:
        size += len(line) + _A_LINE
        if size <= LARGEST:
            yield line


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(lines)
