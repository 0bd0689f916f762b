"""How long a bench still takes: what is left to embed, read and write, at the speeds known so far.

A stage that has begun to count goes by its own pace. Before the model's speed is measured it is guessed from
its size, by what a processor of two cores does.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from knowledge.progress import Progress

_GUESSED_READ, _GUESSED_WRITTEN = 4e10, 1e10
"""Tokens a second, times the bytes of a model: measured at Qwen3-0.6B in Q4_K_M, 2 cores."""

_MESSAGES_A_SECOND = 200
_TELLING = 0.1
"""Share of a stage after which its own pace tells more than its plan."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage does. read, written: tokens. messages: to embed. seconds: of all else."""

    read: int = 0
    written: int = 0
    messages: int = 0
    seconds: float = 0


class Forecast:
    """Adds to each report of progress the seconds left of all `stages`, in their order."""

    def __init__(
        self, stages: Mapping[str, Work], model_bytes: int, report: Callable[[Progress], None]
    ) -> None:
        self._stages = dict(stages)
        self._report = report
        self._stage = next(iter(stages))
        self._began = time.monotonic()
        self.found(_GUESSED_READ / model_bytes, _GUESSED_WRITTEN / model_bytes)

    def found(self, read: float, written: float) -> None:
        """The model's speeds, in tokens a second."""
        self._read, self._written = read, written

    def __call__(self, now: Progress) -> None:
        """Pass a report on. Stages that are not planned are told without a time."""
        if now.stage not in self._stages:
            self._report(now)
            return
        if now.stage != self._stage:
            self._stage, self._began = now.stage, time.monotonic()
        names = list(self._stages)
        later = sum(self._planned(name) for name in names[names.index(now.stage) + 1 :])
        self._report(replace(now, left=self._rest(now) + later))

    def _rest(self, now: Progress) -> float:
        """Seconds left of the stage that runs."""
        share = now.done / now.total if now.total else 0
        if share < _TELLING:
            return self._planned(now.stage) * (1 - share)
        return (time.monotonic() - self._began) * (1 - share) / share

    def _planned(self, stage: str) -> float:
        work = self._stages[stage]
        tokens = work.read / self._read + work.written / self._written
        return tokens + work.messages / _MESSAGES_A_SECOND + work.seconds
