"""Which model to train here, and with which preset: one rule, for `doctor` and for the trainer."""

from dataclasses import dataclass

from persona.machine import GIB
from persona.models.catalogue import STARTER

_TINY = 100_000_000
"""Below so many weights a model wants larger steps than the usual presets have."""

# Graphics memory in GiB, with room over what Unsloth states for QLoRA (3B 3.5 GB, 8B 6 GB), and weights.
_ON_A_CARD = ((10, "qwen3-4b", 4_022_468_096), (5, "qwen3-1.7b", 1_720_574_976))


@dataclass(frozen=True, slots=True)
class TrainingSuggestion:
    """model: a catalogue name. preset: what `persona train run --preset` takes. why: in words."""

    model: str
    preset: str
    why: str


def training_suggested(graphics: int) -> TrainingSuggestion:
    """The largest model that can be trained here. graphics: bytes of the graphics card, 0 without one."""
    gib = graphics / GIB
    for least, name, parameters in _ON_A_CARD:
        if gib >= least:
            why = f"{gib:.0f} GiB hold {name} in four bits with its adapter"
            return TrainingSuggestion(name, training_preset(parameters, on_card=True), why)
    why = f"{gib:.1f} GiB are too little for Qwen3" if graphics else "no GPU: a larger model would take days"
    return TrainingSuggestion(STARTER, training_preset(0, on_card=graphics > 0), why)


def training_preset(parameters: int, *, on_card: bool) -> str:
    """The preset for a model of so many weights where nobody names one: steps of a size of its own for a tiny
    one, Unsloth's recipe in four bits on a graphics card, else the usual choice."""
    if parameters < _TINY:
        return "tiny"
    return "qwen3" if on_card else "quality"
