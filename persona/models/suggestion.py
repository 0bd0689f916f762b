"""Which model fits this machine, and why."""

from dataclasses import dataclass

from persona import machine as hardware
from persona.models.catalogue import STARTER, CatalogueEntry, catalogue

# A model shares the memory with the rest: the desktop, the embedding model, the vectors.
_SHARE_OF_RAM = 0.4
_SHARE_OF_GRAPHICS = 0.8
# On a CPU reading speed sets the limit before memory does: GB of model a core reads fast enough to wait for.
_GB_A_CORE = 1.6
_LARGEST_ON_CPU = 5.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides. memory, graphics: bytes; graphics: of cards that the engine can use, 0 without."""

    memory: int
    cores: int
    graphics: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A catalogue name, and the reason in words for people."""

    name: str
    reason: str


def this_machine() -> Machine:
    """This machine. A card counts only when the engine was built to use it."""
    graphics = sum(gpu.memory for gpu in hardware.gpus())
    return Machine(hardware.ram() or 0, hardware.cores(), graphics if graphics and _offloads() else 0)


def suggested(machine: Machine | None = None) -> Suggestion:
    """The largest Qwen3 that runs well on `machine` (this one by default); the starter where none does."""
    machine = machine or this_machine()
    room = _room(machine)
    fitting = [entry for entry in catalogue().values() if entry.memory_gb <= room and _ours(entry)]
    best = max(fitting, key=lambda entry: entry.memory_gb)
    what = "no larger one fits" if best.name == STARTER else "the largest that runs well"
    return Suggestion(best.name, f"{what} on {_in_words(machine)}")


def _room(machine: Machine) -> float:
    """GB a model may take."""
    if machine.graphics:
        return _SHARE_OF_GRAPHICS * machine.graphics / 1e9
    return min(_SHARE_OF_RAM * machine.memory / 1e9, machine.cores * _GB_A_CORE, _LARGEST_ON_CPU)


def _ours(entry: CatalogueEntry) -> bool:
    """Whether the program is made for it: prompts, thinking and training follow Qwen3."""
    return entry.name == STARTER or entry.family == "Qwen3"


def _in_words(machine: Machine) -> str:
    if machine.graphics:
        return f"a graphics card with {machine.graphics / hardware.GIB:.0f} GiB"
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    return f"{cores} and {machine.memory / hardware.GIB:.0f} GiB of memory"


def _offloads() -> bool:
    import llama_cpp

    return bool(llama_cpp.llama_supports_gpu_offload())
