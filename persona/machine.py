"""What this machine has: cores, memory, graphics cards, disk. Nothing is loaded to find out."""

import os
import platform
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card. memory, free: bytes; where its driver does not say, 0 and None."""

    name: str
    memory: int
    free: int | None = None


def ram() -> int | None:
    """Physical memory in bytes; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def available_ram() -> int | None:
    """Bytes that programs can still take; None where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[Gpu]:
    """NVIDIA cards as their driver lists them, or Apple's chip with the memory it shares."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        # By default Metal lets programs have about two thirds of the memory.
        shared = ram() or 0
        return [Gpu("Apple GPU (shared memory)", shared, shared * 2 // 3)]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return _parse(answer)


def _parse(answer: str) -> list[Gpu]:
    """`NVIDIA A10, 23028, 22600` a line, memory in MiB; a card under MIG says `[N/A]`."""
    found = []
    for line in answer.splitlines():
        if line.count(",") >= 2:
            name, *sizes = line.rsplit(",", 2)
            total, free = (int(s) * 2**20 if s.strip().isdecimal() else None for s in sizes)
            found.append(Gpu(name.strip(), total or 0, free))
    return found


def peak_memory_mb() -> int | None:
    """The most memory this process ever held at once, in MB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1e6 if platform.system() == "Darwin" else 1e6 / 1024))


def in_words() -> str:
    """Processor, cores and memory, for people who compare figures."""
    memory = ram()
    size = "" if memory is None else f", {memory / GIB:.1f} GiB of memory"
    return f"{processor()}, {cores()} cores{size}"


def processor() -> str:
    """The processor's name as the system has it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def free_disk(folder: Path) -> int:
    """Free bytes where `folder` is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
