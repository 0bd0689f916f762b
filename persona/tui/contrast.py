"""What two replies to one message are compared in: a setting, or who gives them. Knows nothing of Textual."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from persona.chat.events import TurnRequest
from persona.config import ModelSettings

ANOTHER = "another draw"
_MODEL, _ADAPTER = "model ", "adapter "


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to answer. name: as it is stored with a choice. model: who answers in place of the model that
    talks, None for that one."""

    name: str
    request: TurnRequest
    model: ModelSettings | None = None


def contrasts(request: TurnRequest) -> list[str]:
    """What a second reply could differ in from one to `request`."""
    folds = [mode for mode in ("off", "extractive", "abstractive") if mode != request.compression]
    return ["memory", "thinking", *(f"compression {mode}" for mode in folds), ANOTHER]


def others(model: ModelSettings) -> Iterator[tuple[str, str]]:
    """The other models and adapters on this machine that could give the second reply, and what to know of
    each. Looks at the disk."""
    from persona import models
    from persona.models.adapters import NONE, adapters

    if model.adapter:
        yield f"{_ADAPTER}{NONE}", "the same model without what was laid over it"
    for adapter in adapters(model):
        if str(adapter.path) != model.adapter:
            yield f"{_ADAPTER}{adapter.name}", "over the same model, which is loaded a second time"
    for entry in models.catalogue().values():
        if entry.available and entry.name != model.name:
            yield f"{_MODEL}{entry.name}", f"takes another {entry.memory_gb:g} GB" if entry.memory_gb else ""
    for found in models.found():
        if found.name != model.name:
            yield f"{_MODEL}{found.name}", f"found in {found.store}"


def arms(request: TurnRequest, contrast: str, model: ModelSettings | None = None) -> tuple[Arm, Arm]:
    """The request as it is, and as it is with one thing changed. model: the one that talks.

    Raises ModelError where the adapter to compare with is not there or fits another model.
    """
    model = model or ModelSettings()
    if contrast.startswith(_MODEL):
        name = contrast.removeprefix(_MODEL)
        other = model.model_copy(update={"name": name, "adapter": ""})
        return Arm(f"{_MODEL}{_short(model.name)}", request), Arm(f"{_MODEL}{_short(name)}", request, other)
    if contrast.startswith(_ADAPTER):
        from persona.models.adapters import NONE, named

        name = contrast.removeprefix(_ADAPTER)
        other = model.model_copy(update={"adapter": named(model, name)})
        used = _short(model.adapter) if model.adapter else NONE
        return Arm(f"{_ADAPTER}{used}", request), Arm(f"{_ADAPTER}{name}", request, other)
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


def _short(name: str) -> str:
    """A model's name, or that of its file."""
    return Path(name).stem if name.endswith(".gguf") else name


def _word(on: bool | None) -> str:
    return "on" if on else "off"
