"""What a training will take, before it starts: memory by counting, time by the size of the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from persona.machine import GIB
from trainer.dataset.rows import Row
from trainer.hardware import Device
from trainer.recipe import Recipe
from trainer.tokens import PromptTokens

# Floating point operations a second that training reaches, of the order of what was measured.
_SPEED = {"cpu": 3e10, "mps": 2e12, "cuda": 3e13, "rocm": 2e13}
_ADAPTER_SHARE_PER_RANK = 0.0006


@dataclass(frozen=True, slots=True)
class Estimate:
    """steps, tokens: of the whole training. memory_gb, minutes: rough, within a factor of two or so."""

    rows: int
    steps: int
    tokens: int
    parameters: int
    memory_gb: float
    minutes: float
    warnings: tuple[str, ...]


def estimate(rows: Sequence[Row], model: Path, recipe: Recipe, device: Device) -> Estimate:
    """The estimate for training `model` on `rows`."""
    tokens = PromptTokens(model)
    lengths = [len(tokens.prompt(row.prompt)) + tokens.text(row.reply) for row in rows]
    mean = sum(min(n, recipe.sequence) for n in lengths) / max(1, len(lengths))
    steps = min(recipe.max_steps or 10**9, recipe.epochs * -(-len(rows) // recipe.effective_batch))
    seen = int(steps * recipe.effective_batch * mean)
    parameters = tokens.parameters or _stored(model)
    longest = min(max(lengths, default=0), recipe.sequence)
    memory = _memory(parameters, tokens.vocabulary, recipe, device, longest)
    minutes = 6 * parameters * seen / _SPEED[device.kind] / 60
    warnings = []
    if device.memory and memory > 0.9 * device.memory / GIB:
        warnings.append(
            f"about {memory:.1f} GB are needed and {device.name} has {device.memory / GIB:.1f}:"
            " settings will be lowered until it fits"
        )
    if minutes > 24 * 60:
        warnings.append(f"this would take about {minutes / 60:.0f} hours here: take a smaller model or a GPU")
    return Estimate(len(rows), steps, seen, parameters, round(memory, 2), round(minutes, 1), tuple(warnings))


def _memory(parameters: int, vocabulary: int, recipe: Recipe, device: Device, longest: int) -> float:
    """GB: weights, adapter with its optimiser (16 bytes a parameter), activations, the logits with their
    gradient and a copy in 32 bits, the libraries."""
    four_bit = recipe.four_bit and device.kind == "cuda"
    weights = parameters * (0.7 if four_bit else 2 if device.bf16 else 4)
    adapter = parameters * min(1.0, _ADAPTER_SHARE_PER_RANK * recipe.rank) * 16
    width: float = 4 * (parameters / 12) ** (1 / 3)
    activations = recipe.batch * longest * width * 40 * 4
    logits = recipe.batch * longest * vocabulary * 4 * 3
    return (weights + adapter + activations + logits + 0.9e9) / 1e9


def parameters_of(model: Path) -> int:
    """How many weights a GGUF or a folder holds."""
    return PromptTokens(model).parameters or _stored(model)


def _stored(folder: Path) -> int:
    """Of a model in Hugging Face form, by the size of its files in 16 bits."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) // 2
