"""Can one chat with a base model here, and train one? Estimated from a few seconds of a small random model.

Writing reads every weight once a token, so its speed is the machine's rate of reading weights over the
model's size. `persona bench` measures instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from persona import gates, machine, models
from persona.backends.cores import physical_cores
from persona.config import Settings
from persona.lab.doctor.check import Check, guarded
from persona.lab.probe import Probed, probe
from persona.machine import GIB

_TRAINS = ("trl", "peft", "datasets")
_OVER_FILE = 1.6
"""Memory of a model that no catalogue knows, over its file's size: cache and buffers."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A model's file and memory, in bytes."""

    name: str
    file: int
    memory: int


def checks(settings: Settings, suggested: str, training: models.TrainingSuggestion) -> Iterator[Check]:
    """The model that talks, the one that is suggested, and training."""
    found: list[Probed] = []

    def judge(name: str, weight: Weight) -> Check:
        if not found:
            threads = settings.model.threads or physical_cores()
            found.append(probe("probe", "ours", gpu_layers=settings.model.gpu_layers, threads=threads))
        return verdict(name, weight, found[0], machine.ram() or 0, sum(g.memory for g in machine.gpus()))

    if not models.is_server(settings.model.name):
        yield guarded("chat", lambda: judge("chat", _weight(settings.model.name)))
    if suggested != settings.model.name:
        yield guarded("suggested", lambda: judge("suggested", _weight(suggested)))
    yield guarded("training", lambda: _training(training))


def verdict(name: str, weight: Weight, found: Probed, ram: int, graphics: int) -> Check:
    """The gates: more than 10 tokens a second, under half of the memory. ram, graphics: bytes."""
    if found.died_of:
        remedy = "install llama-cpp-python again (`pip install --force-reinstall --no-cache-dir`)"
        return Check(name, "fail", f"the engine cannot write here: {found.died_of}", remedy)
    speed = found.rate / weight.file
    grade = gates.grade(speed)
    there = max(ram, graphics)
    share = weight.memory / there if there else 0
    said = f"{speed:.0f}" if speed < 100 else "over 100"
    detail = f"{weight.name}: about {said} tokens a second ({grade})"
    detail += f", {weight.memory / GIB:.1f} of {there / GIB:.1f} GiB of memory"
    if share > gates.MOST_MEMORY:
        return Check(name, "warn", detail, "it takes over half of the memory: choose a smaller model")
    if grade == "slow":
        remedy = "close other programs, or choose a smaller model: `persona models list`"
        return Check(name, "warn", detail, remedy)
    return Check(name, "ok", detail)


def _weight(name: str) -> Weight:
    entry = models.catalogue().get(name.lower())
    if entry is not None and entry.bytes:
        return Weight(entry.name, entry.bytes, int(entry.memory_gb * 1e9))
    path = models.resolve(name)
    size = int(models.info(path).details["size_bytes"])
    return Weight(entry.name if entry else path.name, size, int(size * _OVER_FILE))


def _training(suggested: models.TrainingSuggestion) -> Check:
    missing = [name for name in _TRAINS if find_spec(name) is None]
    if missing:
        detail = f"{', '.join(missing)} not installed"
        return Check("training", "warn", detail, "pip install 'persona-twin[train]'")
    return Check("training", "ok", f"{suggested.model} with preset {suggested.preset}: {suggested.why}")
