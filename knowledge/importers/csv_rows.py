"""CSV files row by row, with their repeated and unknown columns."""

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

_LONGEST = 16 << 20
"""Characters of one cell; a longer one is a damaged file."""

Row = list[tuple[str, str]]
"""Every cell with the name of its column, in the file's order; a name may come more than once."""


def header(head: bytes) -> list[str]:
    """The column names in the first line of a file's beginning; [] where it holds no such line."""
    try:
        line = head.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
        return next(csv.reader([line]), [])
    except (UnicodeDecodeError, csv.Error):
        return []


def lines(stream: BinaryIO) -> Iterator[str]:
    """Lines with their ends, for the library's readers; bytes that are no UTF-8 are replaced.

    Endless lines come in pieces, and an endless cell becomes a csv.Error.
    """
    csv.field_size_limit(_LONGEST)  # the library has one limit for the whole program
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    while line := text.readline(_LONGEST):
        yield line


def rows(stream: BinaryIO) -> Iterator[Row]:
    """Every row below the header. Raises ValueError or csv.Error where the file is no CSV any more."""
    reader = csv.reader(lines(stream))
    names = next(reader, [])
    for cells in reader:
        if cells:
            yield list(zip(names, cells, strict=False))
