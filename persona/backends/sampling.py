"""The sampling each family of models asks for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from persona.backends.base import Sampling

Family = Literal["starter", "qwen3", "other"]

_THINKING: dict[Family, Sampling] = {
    # A reader that copies from its context: anything but the likeliest token is a mistake.
    "starter": Sampling(temperature=0.0, top_p=1.0, top_k=0, ends_rounds=True),
    # Qwen3's model card; never greedy while thinking, or it loops.
    "qwen3": Sampling(temperature=0.6, top_p=0.95, top_k=20),
    "other": Sampling(temperature=0.7, top_p=0.9, top_k=40),
}
_DIRECT: dict[Family, Sampling] = {
    **_THINKING,
    "qwen3": Sampling(temperature=0.7, top_p=0.8, top_k=20),
}


def family(architecture: str, *, is_starter: bool) -> Family:
    """The family of a model. architecture: GGUF's `general.architecture`."""
    if is_starter:
        return "starter"
    return "qwen3" if architecture.startswith("qwen3") else "other"


def recommended(name: Family, *, thinking: bool, asked: Mapping[str, Any] | None = None) -> Sampling:
    """The recommended sampling of a family for a mode.

    asked: what the model's file asks for itself, by the names of `Sampling`, which counts for more; but not
    with Qwen3, whose card has one for each mode, and a file can hold only one.
    """
    own = _THINKING[name] if thinking else _DIRECT[name]
    return own if name == "qwen3" else replace(own, **(asked or {}))
