"""Objects of one long JSON array, one at a time, so that an export of gigabytes fits in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

_CHUNK = 1 << 20
_LARGEST = 32 << 20
"""Characters of one object beyond which the file is given up: no message is that long."""

_DECODER = json.JSONDecoder()
_BETWEEN = " \t\r\n,"


def array_items(stream: BinaryIO, key: str | None = None) -> Iterator[Any]:
    """The head of the document, then every item of the array at `key` (None: the document itself).

    The head is the object around the array as far as it comes before it, {} where there is none.
    Raises ValueError where the JSON is broken or breaks off; items before that have been given.
    """
    reader = _Reader(stream)
    if key is None:
        reader.expect("[")
        yield {}
    else:
        yield reader.head(re.compile(rf'(?<!\\)"{re.escape(key)}"\s*:\s*\['))
    while not reader.at("]"):
        yield reader.item()


class _Reader:
    """A window of text over a stream of UTF-8; `_at` is how much of it has been used."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogatepass").decode
        self._text = ""
        self._at = 0
        self._ended = False

    def head(self, mark: re.Pattern[str]) -> Any:
        """The object before `mark`, closed there; afterwards the window begins behind the mark."""
        while not (match := mark.search(self._text)):
            self._more()
        self._at = match.end()
        return json.loads(self._text[: match.start()].rstrip().removesuffix(",") + "}")

    def expect(self, character: str) -> None:
        if not self.at(character):
            raise ValueError(f"no {character} where one belongs")
        self._at += 1

    def at(self, character: str) -> bool:
        """Whether this character is next, white space and commas aside."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BETWEEN:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at] == character
            self._more()

    def item(self) -> Any:
        """The next value."""
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                self._more()
            else:
                return value

    def _more(self) -> None:
        if self._ended or len(self._text) - self._at > _LARGEST:
            raise ValueError("JSON breaks off")
        data = self._stream.read(_CHUNK)
        self._ended = not data
        self._text = self._text[self._at :] + self._decode(data, self._ended)
        self._at = 0
