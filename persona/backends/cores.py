"""How many threads pay off on this machine."""

import os
import platform
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")


def physical_cores() -> int:
    """Physical cores this process may use, at least 1.

    Two threads of one core share its arithmetic units, so counting both only slows a model down.
    """
    allowed = _allowed_cpus()
    siblings = {_siblings(cpu) for cpu in allowed}
    if None not in siblings:
        return max(1, len(siblings))
    shares_cores = platform.machine().lower() in ("x86_64", "amd64")
    return max(1, len(allowed) // 2 if shares_cores else len(allowed))


def _allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _siblings(cpu: int) -> str | None:
    """The processors that share a core with `cpu`, as the kernel lists them; None where it does not say."""
    try:
        return (_TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return None
