"""Splits a model's output into thinking and text, and keeps template tags out of both.

Works on text, fed in any pieces: a tag that is one token arrives whole, one that the model spells out
arrives in parts and is held back until it is complete or turns out to be words. However the output is
cut into pieces, the two channels come out the same. Knows no tokens.
"""

import re
from collections.abc import Iterable
from typing import Literal

from persona.backends.base import TextDelta, ThinkingDelta

OPEN, CLOSE = "<think>", "</think>"
Channel = Literal["text", "thinking"]
Delta = TextDelta | ThinkingDelta


class ThinkingSplitter:
    """One reply's state.

    thinking: whether thinking is shown; if not, a think block is dropped. inside: whether the prompt
    itself already opened the block. tags: template tags that never belong to a reply. stops: strings
    that end the reply, looked for in the text only.

    Both channels come out without white space at their ends. A tag dropped from the middle leaves a
    blank, so that what stood around it cannot join into a new tag.
    """

    def __init__(
        self, *, thinking: bool, inside: bool = False, tags: Iterable[str] = (), stops: Iterable[str] = ()
    ) -> None:
        self._show_thinking = thinking
        self._channel: Channel = "thinking" if inside else "text"
        self._stops = frozenset(stop for stop in stops if stop)
        hidden = frozenset({OPEN, CLOSE, *tags})
        self._marks: dict[Channel, frozenset[str]] = {"text": hidden | self._stops, "thinking": hidden}
        self._firsts = {
            channel: re.compile("[" + re.escape("".join({mark[0] for mark in marks})) + "]")
            for channel, marks in self._marks.items()
        }
        self._buffer = ""
        self._blanks: dict[Channel, str] = {"text": "", "thinking": ""}
        self._begun: dict[Channel, bool] = {"text": False, "thinking": False}
        self.stopped = False
        """A stop string was met; what is fed afterwards is ignored."""

    def feed(self, piece: str) -> list[Delta]:
        """The deltas that `piece` completes, in order."""
        out: list[Delta] = []
        if self.stopped:
            return out
        self._buffer += piece
        while found := self._first_mark():
            start, mark = found
            self._emit(self._buffer[:start], out)
            self._buffer = self._buffer[start + len(mark) :]
            if mark in self._stops and self._channel == "text":
                self.stopped, self._buffer = True, ""
                return out
            self._pass(mark)
        ready = self._held_from()
        text, self._buffer = self._buffer[:ready], self._buffer[ready:]
        self._emit(text, out)
        return out

    def finish(self) -> list[Delta]:
        """What was held back as a possible tag and turned out to be words, at the end of the reply."""
        out: list[Delta] = []
        text, self._buffer = self._buffer, ""
        self._emit(text, out)
        return out

    def _first_mark(self) -> tuple[int, str] | None:
        """Start and text of the mark that is complete first; of two, the longer."""
        if not self._firsts[self._channel].search(self._buffer):
            return None
        found = ((self._buffer.find(mark), mark) for mark in self._marks[self._channel])
        complete = [(start + len(mark), start, mark) for start, mark in found if start >= 0]
        if not complete:
            return None
        _, start, mark = min(complete)
        return start, mark

    def _held_from(self) -> int:
        """Where the longest tail begins that may still become a mark; the buffer's length if none."""
        for match in self._firsts[self._channel].finditer(self._buffer):
            tail = self._buffer[match.start() :]
            if any(mark.startswith(tail) for mark in self._marks[self._channel]):
                return match.start()
        return len(self._buffer)

    def _pass(self, mark: str) -> None:
        if mark == OPEN:
            self._channel = "thinking"
        elif mark == CLOSE:
            self._channel = "text"
        for channel, begun in self._begun.items():
            if begun and not self._blanks[channel]:
                self._blanks[channel] = " "

    def _emit(self, text: str, out: list[Delta]) -> None:
        channel = self._channel
        if not text or (channel == "thinking" and not self._show_thinking):
            return
        text = self._blanks[channel] + text if self._begun[channel] else text.lstrip()
        body = text.rstrip()
        self._blanks[channel] = text[len(body) :]
        if body:
            self._begun[channel] = True
            out.append(TextDelta(body) if channel == "text" else ThinkingDelta(body))
