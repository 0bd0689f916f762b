"""A first look at the machine and the home: what is well, what is not, and what to do about it."""

import os
import platform
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from persona import config, models, paths
from persona.chat import opening
from persona.config import Settings
from persona.errors import PersonaError
from persona.lab import machine
from persona.lab.machine import GIB

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

Status = Literal["ok", "warn", "fail"]

# Training preset from this much graphics memory on.
_PRESETS = ((24 * GIB, "bestaccuracy"), (12 * GIB, "quality"), (0, "highspeed"))
_DISK_WANTED = 5 * GIB


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. remedy: what to do, "" when all is well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine() -> list[Check]:
    """Every check; one that breaks is a finding too, never an error."""
    checks = [_guarded(name, check) for name, check in _MACHINE.items()]
    try:
        settings = config.load()
    except PersonaError as error:
        return [*checks, Check("settings", "fail", error.message, error.hint)]
    file = paths.config_file()
    checks.append(Check("settings", "ok", str(file) if file.exists() else f"defaults ({file} is not there)"))
    checks.append(_guarded("model", lambda: _model(settings)))
    checks += _knowledge(settings)
    return checks


def suggest() -> dict[str, str]:
    """The largest model that runs well here, and a training preset for this machine."""
    graphics = sum(gpu.memory for gpu in machine.gpus())
    preset = next(name for needed, name in _PRESETS if graphics >= needed)
    return {"model": models.suggested().name, "preset": preset}


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except PersonaError as error:
        return Check(name, "fail", error.message, error.hint)
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "install the program again")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _cpu() -> Check:
    cores = machine.cores()
    detail = f"{cores} cores, {platform.machine()}, {platform.system()}"
    if cores < 2:
        return Check("cpu", "warn", detail, "larger models will be slow here; stay with the starter")
    return Check("cpu", "ok", detail)


def _ram() -> Check:
    size = machine.ram()
    if size is None:
        return Check("ram", "warn", "this system does not say", "choose a model by hand")
    detail = f"{size / GIB:.1f} GiB"
    return (
        Check("ram", "ok", detail)
        if size >= 4 * GIB
        else Check("ram", "warn", detail, "close other programs")
    )


def _gpu() -> Check:
    found = machine.gpus()
    if not found:
        return Check("gpu", "ok", "none found; models run on the CPU")
    import llama_cpp

    detail = ", ".join(f"{gpu.name} {gpu.memory / GIB:.0f} GiB" for gpu in found)
    if not llama_cpp.llama_supports_gpu_offload():
        remedy = "rebuild llama-cpp-python for it (CMAKE_ARGS=-DGGML_CUDA=on, or Metal on a Mac)"
        return Check("gpu", "warn", f"{detail}, unused: the chat's engine was built without it", remedy)
    return Check("gpu", "ok", detail)


def _cuda() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("cuda", "ok", f"{torch.version.cuda}, PyTorch {torch.__version__}")
    detail = f"not available to PyTorch {torch.__version__}"
    if any(gpu.name.startswith("NVIDIA") for gpu in machine.gpus()):
        return Check("cuda", "warn", detail, "install a CUDA build of PyTorch to embed and train on the card")
    return Check("cuda", "ok", detail)


def _disk() -> Check:
    free = machine.free_disk(paths.data_dir())
    detail = f"{free / GIB:.1f} GiB free for {paths.data_dir()}"
    if free < _DISK_WANTED:
        return Check("disk", "warn", detail, "free some space, or set PERSONA_HOME to another disk")
    return Check("disk", "ok", detail)


def _home() -> Check:
    folder = paths.data_dir()
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK):
        return Check("home", "ok", f"{paths.data_dir()} can be written")
    return Check("home", "fail", f"{folder} cannot be written", "set PERSONA_HOME to a folder of yours")


_MACHINE: dict[str, Callable[[], Check]] = {
    "python": _python,
    "cpu": _cpu,
    "ram": _ram,
    "gpu": _gpu,
    "cuda": _cuda,
    "disk": _disk,
    "home": _home,
}


def _model(settings: Settings) -> Check:
    if models.is_server(settings.model.name):
        with closing(models.open_backend(settings.model)) as backend:
            return Check("model", "ok", f"{backend.info.name} at {backend.info.path}")
    path = models.resolve(settings.model.name)
    return Check("model", "ok", f"{settings.model.name}: {path}, {path.stat().st_size / 2**20:.0f} MiB")


def _knowledge(settings: Settings) -> list[Check]:
    with closing(opening.open_memory(settings)) as memory:
        archive = _guarded("archive", lambda: _archive(memory))
        return [archive, _guarded("index", lambda: _index(memory))]


def _archive(memory: "MemoryStore") -> Check:
    counts = memory.stats()
    if not counts["messages"]:
        return Check("archive", "warn", "no messages yet", "`persona ingest EXPORT`, or `persona demo`")
    detail = f"{counts['messages']} messages, {counts['first'][:10]} to {counts['last'][:10]}"
    if counts["owner"] is None:
        return Check("archive", "warn", f"{detail}; nobody is known to be you", "`persona people me NAME`")
    return Check("archive", "ok", f"{detail}, of {counts['owner']}")


def _index(memory: "MemoryStore") -> Check:
    """Asks for something by meaning, which opens the embedding model and the vectors."""
    from persona.chat.layout import memory_lines

    now = datetime.now().astimezone()
    memory.search("hello", now=now, cost=lambda found: len(memory_lines(found)))
    counts = memory.stats()
    waiting = counts["pending_embeddings"]
    if waiting:
        detail = f"{waiting} messages have no vector yet; they are found by words only"
        return Check("index", "warn", detail, "`persona memory rebuild`, or leave a chat open for a while")
    return Check("index", "ok", f"complete, by {counts['embedding_model']}")
