"""How fast this machine reads prompts, and how much it is therefore given to read.

Every token before a reply makes its first word come later; where a model reads slowly, the memories that are
likeliest to help come in time, and the rest would only be waited for. Speeds are kept from one process to the
next, so that a command that runs one turn profits too.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from persona.backends.base import Usage
from persona.whole_file import replace

LEAST = 160
"""Tokens that are always afforded: three or four memories."""

_TELLING = 64
"""Tokens read anew from which their time tells of the machine, and not of starting."""

_KEPT = 5


class Speeds:
    """The reading speeds of one model, tokens a second, in a small file beside those of others.

    model: its name, asked for when it is needed. A file that cannot be read or written is one that is empty.
    """

    def __init__(self, file: Path, model: Callable[[], str]) -> None:
        self._file = file
        self._model = model

    def read(self) -> list[float]:
        """Those that were kept, the latest last."""
        kept = self._held().get(self._model())
        return [s for s in kept if isinstance(s, int | float) and s > 0] if isinstance(kept, list) else []

    def keep(self, speeds: Sequence[float]) -> None:
        """Write these in place of what was kept."""
        held = {**self._held(), self._model(): [round(speed, 1) for speed in speeds]}
        with suppress(OSError):
            replace(self._file, json.dumps(held, indent=1, ensure_ascii=False))

    def _held(self) -> dict[str, Any]:
        try:
            held = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}


class Pace:
    """The reading speed of the last few turns. seconds: the longest that memories may take; 0 for any.
    kept: where speeds outlive the process."""

    def __init__(self, seconds: float, kept: Speeds | None = None) -> None:
        self._seconds = seconds
        self._kept = kept
        self._read: deque[float] | None = None

    def note(self, usage: Usage) -> None:
        """Learn from a turn."""
        read = usage.prompt_tokens - usage.cached_tokens
        if read >= _TELLING and usage.ttft_ms > 0:
            self._speeds.append(read / usage.ttft_ms * 1000)
            if self._kept is not None:
                self._kept.keep(self._speeds)

    def affords(self, tokens: int) -> int:
        """Of `tokens`, as many as are read in time; all of them before anything was measured."""
        if not self._speeds or not self._seconds:
            return tokens
        # the fastest: what else the machine did during the others says nothing of the next
        return min(tokens, max(LEAST, int(max(self._speeds) * self._seconds)))

    @property
    def _speeds(self) -> deque[float]:
        if self._read is None:
            self._read = deque(self._kept.read() if self._kept is not None else (), maxlen=_KEPT)
        return self._read
