"""How far the computing of vectors is, how fast it goes and how long it takes. Knows nothing of Textual."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Indexing:
    """done of total messages. per_second: since it began, 0 as long as that is not known."""

    done: int
    total: int
    per_second: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """None as long as that is not known."""
        return (self.total - self.done) / self.per_second if self.per_second else None


class Stopwatch:
    """Times one run of it. seconds: a running clock."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._first: tuple[float, int] | None = None

    def at(self, done: int, total: int) -> Indexing:
        """It got that far."""
        now = self._seconds()
        since, begun = self._first = self._first or (now, done)
        return Indexing(done, total, (done - begun) / (now - since) if now > since else 0.0)
