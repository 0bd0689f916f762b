"""Reads the header of a GGUF file: its key-value pairs and the sizes of its tensors, no weights.

Written from the format's specification (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md),
so that listing models and building a tokenizer need neither an engine nor a conversion package.
Knows nothing of what the keys mean.
"""

import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona.errors import ModelError

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MOST_ENTRIES = 1 << 20
_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """values: the key-value pairs, arrays as lists. parameters: elements of all tensors together.

    tensor_bytes: what each tensor takes in the file, by name, in bytes.
    """

    values: dict[str, Any]
    parameters: int
    size_bytes: int
    tensor_bytes: dict[str, int] = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """A string value, `default` where it is absent or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, str) else default

    def number(self, key: str) -> int | None:
        """An integer value, None where it is absent or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, int) else None


def read_header(path: Path) -> GgufHeader:
    """The header of `path`.

    Raises ModelError when the file is missing, is no GGUF, or ends inside its header.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except FileNotFoundError:
        raise ModelError(f"there is no model file at {path}", "give the path of a GGUF file") from None
    except (OSError, ValueError, struct.error, IndexError, KeyError, OverflowError) as error:
        raise ModelError(
            f"{path} is not a readable GGUF model ({error or type(error).__name__})",
            "the download may be incomplete: fetch it again",
        ) from None


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> GgufHeader:
        if self._data[:4] != b"GGUF":
            raise ValueError("the file does not begin with GGUF")
        self._at = 4
        version = self._scalar("I")
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version} is not supported")
        tensors, pairs = self._count(), self._count()
        values = {}
        for _ in range(pairs):
            key = self._string()
            values[key] = self._value(self._scalar("I"))
        found = [self._tensor() for _ in range(tensors)]
        parameters = sum(elements for _, elements, _ in found)
        return GgufHeader(values, parameters, len(self._data), self._sizes(found, values))

    def _sizes(self, found: list[tuple[str, int, int]], values: dict[str, Any]) -> dict[str, int]:
        """Bytes of each tensor: from where it begins to where the next one does."""
        alignment = values.get("general.alignment", _ALIGNMENT)
        data = math.ceil(self._at / alignment) * alignment
        begins = sorted((offset, name) for name, _, offset in found)
        ends = [*(offset for offset, _ in begins[1:]), max(0, len(self._data) - data)]
        return {name: max(0, end - begin) for (begin, name), end in zip(begins, ends, strict=False)}

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _count(self) -> int:
        count: int = self._scalar("Q")
        if count > _MOST_ENTRIES:
            raise ValueError("implausible number of entries")
        return count

    def _string(self) -> str:
        length = self._scalar("Q")
        end = self._at + length
        if end > len(self._data):
            raise ValueError("the file ends inside its header")
        text = self._data[self._at : end].decode("utf-8", errors="replace")
        self._at = end
        return text

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._scalar(_SCALARS[kind])
        item = self._scalar("I")
        count = self._count()
        if item == _STRING:
            return [self._string() for _ in range(count)]
        if item == _ARRAY:
            return [self._value(_ARRAY) for _ in range(count)]
        layout = f"<{count}{_SCALARS[item]}"
        values = list(struct.unpack_from(layout, self._data, self._at))
        self._at += struct.calcsize(layout)
        return values

    def _tensor(self) -> tuple[str, int, int]:
        """Name, elements, and where the data begins after the header, in bytes."""
        name = self._string()
        dimensions = [self._scalar("Q") for _ in range(self._scalar("I"))]
        self._scalar("I")
        return name, math.prod(dimensions), self._scalar("Q")
