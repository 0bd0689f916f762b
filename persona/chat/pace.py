"""How fast this machine reads prompts, and how much it is therefore given to read.

Every token before a reply makes its first word come later; where a model reads slowly, the memories that are
likeliest to help come in time, and the rest would only be waited for.
"""

from collections import deque

from persona.backends.base import Usage

LEAST = 160
"""Tokens that are always afforded: three or four memories."""

_TELLING = 64
"""Tokens read anew from which their time tells of the machine, and not of starting."""

_KEPT = 5


class Pace:
    """The reading speed of the last few turns. seconds: the longest that memories may take; 0 for any."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._speeds: deque[float] = deque(maxlen=_KEPT)

    def note(self, usage: Usage) -> None:
        """Learn from a turn."""
        read = usage.prompt_tokens - usage.cached_tokens
        if read >= _TELLING and usage.ttft_ms > 0:
            self._speeds.append(read / usage.ttft_ms * 1000)

    def affords(self, tokens: int) -> int:
        """Of `tokens`, as many as are read in time; all of them before anything was measured."""
        if not self._speeds or not self._seconds:
            return tokens
        # the fastest: what else the machine did during the others says nothing of the next
        return min(tokens, max(LEAST, int(max(self._speeds) * self._seconds)))
