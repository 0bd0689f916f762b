"""Blank what Chroma's vector files hold beyond their vectors.

hnswlib writes its buffers whole at their first persist, the unused slots with whatever the heap held
there, which may be text that was just forgotten (github.com/chroma-core/chroma/issues/7688).
"""

import struct
from pathlib import Path

_HEADER = struct.Struct("<i4Q")
"""The start of header.bin: version, offset of level 0, slots, slots in use, bytes of a slot of level 0."""

_LENGTH_BYTES = 4
"""A slot of length.bin: one float32."""


def blank(folder: Path) -> None:
    """Zero the unused slots of every index segment below `folder`, which no process may have open.

    Raises OSError when a file cannot be written.
    """
    for header in folder.rglob("header.bin"):
        _, _, _, used, slot = _HEADER.unpack_from(header.read_bytes())
        _zero_from(header.with_name("data_level0.bin"), used * slot)
        _zero_from(header.with_name("length.bin"), used * _LENGTH_BYTES)


def _zero_from(file: Path, start: int) -> None:
    unused = max(0, file.stat().st_size - start)
    with file.open("r+b") as out:
        out.seek(start)
        out.write(bytes(unused))
