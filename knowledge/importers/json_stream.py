"""Objects of one long JSON array, one at a time, so that an export of gigabytes fits in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

_CHUNK = 1 << 20
_LARGEST = 32 << 20
"""Characters of one object beyond which the file is given up: no message is that long."""
_HEAD = 16 << 10
"""Characters before an array in which the object around it must begin."""

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
        yield reader.head(_array_at(key))
    yield from reader.items()


def arrays(stream: BinaryIO, key: str) -> Iterator[tuple[str, Iterator[Any]]]:
    """Every array at `key`, wherever it lies: the text between it and the one before, then its items.

    The items must be used up before the next array is asked for. Raises ValueError as `array_items` does.
    """
    reader = _Reader(stream)
    mark = _array_at(key)
    while (before := reader.skip_to(mark)) is not None:
        yield before, reader.items()


def documents(stream: BinaryIO) -> Iterator[Any]:
    """Every value of a file that is an array, arrays joined as `][`, or values one after the other.

    Arrays at the top are opened. Raises ValueError as `array_items` does.
    """
    reader = _Reader(stream)
    while not reader.at_end():
        if reader.at("["):
            reader.expect("[")
            yield from reader.items()
        else:
            yield reader.item()


def innermost(text: str) -> dict[str, Any]:
    """The object that is still open at the end of this part of a document, as far as it has come; else {}."""
    text = text[-_HEAD:].rstrip().removesuffix(",")
    start = text.rfind("{")
    while start >= 0:
        try:
            found = json.loads(text[start:] + "}")
        except ValueError:
            start = text.rfind("{", 0, start)
        else:
            return found if isinstance(found, dict) else {}
    return {}


def envelope(stream: BinaryIO, key: str) -> dict[str, Any]:
    """A document that is one object, without the items of its array at `key`.

    Raises ValueError where the JSON is broken or breaks off.
    """
    reader = _Reader(stream)
    head = reader.head(_array_at(key))
    for _ in reader.items():
        pass
    return {**head, **reader.tail()}


def _array_at(key: str) -> re.Pattern[str]:
    return re.compile(rf'(?<!\\)"{re.escape(key)}"\s*:\s*\[')


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
        before = self.skip_to(mark)
        if before is None:
            raise ValueError("no array where one belongs")
        return json.loads(before.rstrip().removesuffix(",") + "}")

    def tail(self) -> Any:
        """The rest of the object whose array was read to its end."""
        while not self._ended:
            self._more()
        rest = self._text[self._at :].lstrip(_BETWEEN)
        return json.loads("{" + rest)

    def skip_to(self, mark: re.Pattern[str]) -> str | None:
        """The text before `mark`; afterwards the window begins behind it. None: it does not come any more."""
        while not (match := mark.search(self._text, self._at)):
            if self._ended:
                return None
            self._more()
        before = self._text[self._at : match.start()]
        self._at = match.end()
        return before

    def items(self) -> Iterator[Any]:
        """The values of the array that has just begun, and its end."""
        while not self.at("]"):
            yield self.item()
        self._at += 1

    def expect(self, character: str) -> None:
        if not self.at(character):
            raise ValueError(f"no {character} where one belongs")
        self._at += 1

    def at_end(self) -> bool:
        """Whether nothing but white space and commas is left."""
        while not self._ended and not self._text[self._at :].strip(_BETWEEN):
            self._more()
        return not self._text[self._at :].strip(_BETWEEN)

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
            except json.JSONDecodeError as error:
                if self._text.startswith("\\x", error.pos):
                    # Telegram Desktop writes control characters as \x1b, which is no JSON
                    self._text = f"{self._text[: error.pos]}\\u00{self._text[error.pos + 2 :]}"
                else:
                    self._more()
            else:
                return value

    def _more(self) -> None:
        if self._ended or len(self._text) - self._at > _LARGEST:
            raise ValueError("JSON breaks off")
        # as much again as there is: a value that goes on and on is parsed anew a few times only
        data = self._stream.read(max(_CHUNK, len(self._text) - self._at))
        self._ended = not data
        self._text = self._text[self._at :] + self._decode(data, self._ended)
        self._at = 0
