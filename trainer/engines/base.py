"""What every engine is given and gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from persona.errors import PersonaError
from trainer.engines.encode import Encoded
from trainer.hardware import Device
from trainer.recipe import Recipe


class TrainingError(PersonaError):
    """A training cannot start or go on."""


@dataclass(frozen=True, slots=True)
class Job:
    """model: a folder in Hugging Face form. adapter: where it goes. checkpoints: taken up again when they
    are there; they belong to this recipe and these rows alone."""

    model: Path
    rows: Sequence[Encoded]
    recipe: Recipe
    device: Device
    adapter: Path
    checkpoints: Path


@dataclass(frozen=True, slots=True)
class StepReport:
    """One update. tokens_per_second: of rows, padding left out. memory_mb: most so far. seconds_left: to the
    end at this pace."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    memory_mb: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished training. loss_first, loss_last: means over the first and last tenth of the updates."""

    steps: int
    loss_first: float
    loss_last: float
    tokens_per_second: float
    peak_mb: float


class Engine(Protocol):
    """Trains one adapter; raises OutOfMemory-like errors of its library as they are."""

    name: str

    def train(self, job: Job, report: Callable[[StepReport], object]) -> Outcome:
        """Train to the end and save the adapter; resumes from the newest checkpoint."""
        ...


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
