"""The machine: processor, memory, graphics card and its driver, disk."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from persona import machine, paths
from persona.lab.doctor.check import Check
from persona.machine import GIB

_DISK_WANTED = 5 * GIB
_NVIDIA = "0x10de"
_PCI = Path("/sys/bus/pci/devices")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _cpu() -> Check:
    cores = machine.cores()
    detail = f"{machine.processor()}, {cores} cores, {platform.machine()}, {platform.system()}"
    if cores < 2:
        return Check("cpu", "warn", detail, "larger models will be slow here; stay with the starter")
    return Check("cpu", "ok", detail)


def _ram() -> Check:
    size = machine.ram()
    if size is None:
        return Check("ram", "warn", "this system does not say", "choose a model by hand")
    free = machine.available_ram()
    detail = f"{size / GIB:.1f} GiB" + (f", {free / GIB:.1f} of them free" if free is not None else "")
    if size < 4 * GIB or (free is not None and free < GIB):
        return Check("ram", "warn", detail, "close other programs, and stay with small models")
    return Check("ram", "ok", detail)


def _gpu() -> Check:
    found = machine.gpus()
    if not found:
        return _no_gpu()
    import llama_cpp

    detail = ", ".join(f"{gpu.name} {gpu.memory / GIB:.0f} GiB" for gpu in found)
    if not llama_cpp.llama_supports_gpu_offload():
        remedy = "rebuild llama-cpp-python for it (CMAKE_ARGS=-DGGML_CUDA=on, or Metal on a Mac)"
        return Check("gpu", "warn", f"{detail}, unused: the chat's engine was built without it", remedy)
    return Check("gpu", "ok", detail)


def _no_gpu() -> Check:
    if shutil.which("nvidia-smi"):
        remedy = "run `nvidia-smi`: after an update of the driver the machine often wants a restart"
        return Check("gpu", "warn", "NVIDIA's driver is installed and finds no card", remedy)
    if _nvidia_on_the_bus():
        return Check("gpu", "warn", "an NVIDIA card is there without its driver", "install NVIDIA's driver")
    return Check("gpu", "ok", "none found; models run on the CPU")


def _nvidia_on_the_bus() -> bool:
    for device in _PCI.glob("*"):
        with suppress(OSError):
            displays = (device / "class").read_text().startswith("0x03")
            if displays and (device / "vendor").read_text().strip() == _NVIDIA:
                return True
    return False


def _cuda() -> Check:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        memory = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
        return Check("cuda", "ok", f"{torch.version.cuda}, PyTorch {torch.__version__}, {memory}")
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


CHECKS: dict[str, Callable[[], Check]] = {
    "python": _python,
    "cpu": _cpu,
    "ram": _ram,
    "gpu": _gpu,
    "cuda": _cuda,
    "disk": _disk,
    "home": _home,
}
