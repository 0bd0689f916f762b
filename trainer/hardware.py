"""What a training can run on here, and which model and preset suit it. Loads no model."""

from dataclasses import dataclass
from typing import Literal

from persona import machine, models

Kind = Literal["cuda", "rocm", "mps", "cpu"]


@dataclass(frozen=True, slots=True)
class Device:
    """kind: what it is; torch: PyTorch's name for it. memory: bytes, 0 where unknown. bf16: whether it
    computes in bfloat16."""

    kind: Kind
    torch: str
    name: str
    memory: int
    bf16: bool

    @property
    def on_card(self) -> bool:
        """Whether it is a graphics card."""
        return self.kind != "cpu"


def detect(*, force_cpu: bool = False, max_vram_gb: float | None = None) -> Device:
    """The best device PyTorch sees. max_vram_gb: take no more of it; this process then runs out of memory
    there, as on a smaller card."""
    import torch

    limit = max_vram_gb * machine.GIB if max_vram_gb else None
    if not force_cpu and torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        memory = int(min(found.total_memory, limit or found.total_memory))
        if memory < found.total_memory:
            torch.cuda.set_per_process_memory_fraction(memory / found.total_memory)
        kind: Kind = "rocm" if torch.version.hip else "cuda"
        # a T4 only emulates it, many times slower than float16
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(kind, "cuda", found.name, memory, bf16)
    if not force_cpu and torch.backends.mps.is_available():
        total = machine.ram() or 0
        return Device("mps", "mps", "Apple GPU (shared memory)", int(min(total, limit or total)), False)
    return Device("cpu", "cpu", f"CPU, {machine.cores()} cores", machine.ram() or 0, False)


def suggest(device: Device) -> models.TrainingSuggestion:
    """A model and a preset that fit."""
    return models.training_suggested(device.memory if device.on_card else 0)


def suited(device: Device, parameters: int) -> str:
    """The preset for a model of that many weights, where the user names none."""
    return models.training_preset(parameters, on_card=device.on_card)
