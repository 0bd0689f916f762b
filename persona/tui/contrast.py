"""What two replies to one message are compared in. Knows nothing of Textual."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from persona.chat.events import TurnRequest

ANOTHER = "another draw"


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to answer. name: as it is stored with a choice."""

    name: str
    request: TurnRequest


def contrasts(request: TurnRequest) -> list[str]:
    """What a second reply could differ in from one to `request`."""
    folds = [mode for mode in ("off", "extractive", "abstractive") if mode != request.compression]
    return ["memory", "thinking", *(f"compression {mode}" for mode in folds), ANOTHER]


def arms(request: TurnRequest, contrast: str) -> tuple[Arm, Arm]:
    """The request as it is, and as it is with one thing changed."""
    if contrast == "memory":
        return (
            Arm(f"memory {_word(request.memory)}", request),
            Arm(f"memory {_word(not request.memory)}", replace(request, memory=not request.memory)),
        )
    if contrast == "thinking":
        return (
            Arm(f"thinking {_word(request.thinking)}", request),
            Arm(f"thinking {_word(not request.thinking)}", replace(request, thinking=not request.thinking)),
        )
    if contrast == ANOTHER:
        first = random.randrange(2**31)
        return Arm("a draw", replace(request, seed=first)), Arm(ANOTHER, replace(request, seed=first + 1))
    mode = contrast.removeprefix("compression ")
    for known in ("off", "extractive", "abstractive"):
        if mode == known:
            return (
                Arm(f"compression {request.compression}", request),
                Arm(contrast, replace(request, compression=known)),
            )
    raise ValueError(contrast)


def blind(both: Sequence[Arm]) -> tuple[list[Arm], list[int]]:
    """The arms in the order they answer, and for each the side it stands on (0 left, 1 right)."""
    order = list(both)
    random.shuffle(order)
    sides = [0, 1]
    random.shuffle(sides)
    return order, sides


def _word(on: bool | None) -> str:
    return "on" if on else "off"
