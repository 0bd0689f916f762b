"""What others stumbled over, each with its way out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from persona import machine
from persona.lab.doctor.check import Check
from persona.lab.probe import Probed, probe

_CPU_INFO = Path("/proc/cpuinfo")
_CPU_BUILD = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


def _amx() -> Check:
    """AMX kernels die with SIGILL in some virtual machines (https://github.com/ggml-org/llama.cpp/issues/28756)."""
    try:
        claimed = "amx_int8" in _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        claimed = False
    if not claimed:
        return Check("amx", "ok", "this processor has none")
    return amx_verdict(probe("tiny", "plain"))


def amx_verdict(found: Probed) -> Check:
    """What a plain engine's end means."""
    if not found.died_of:
        works = "llama.cpp's AMX kernels work" if found.tokens_per_second else "too busy to try its kernels"
        return Check("amx", "ok", works)
    detail = f"llama.cpp's AMX kernels end a program here ({found.died_of}); this one leaves them off"
    return Check("amx", "warn", detail, "none for this program; others: llama.cpp's `--no-repack`")


def _cuda_build() -> Check:
    import llama_cpp
    import torch

    return cuda_build_verdict(
        torch_cuda=torch.version.cuda,
        usable=torch.cuda.is_available(),
        offloads=bool(llama_cpp.llama_supports_gpu_offload()),
        cards=len(machine.gpus()),
    )


def cuda_build_verdict(*, torch_cuda: str | None, usable: bool, offloads: bool, cards: int) -> Check:
    """Whether what was built for a card has one. torch_cuda: PyTorch's CUDA version, None for a CPU build."""
    if torch_cuda and not usable and cards:
        detail = f"PyTorch is built for CUDA {torch_cuda} and cannot use the card"
        return Check("builds", "warn", detail, "update NVIDIA's driver, or take a PyTorch for its CUDA")
    if torch_cuda and not usable:
        detail = f"PyTorch is built for CUDA {torch_cuda} and there is no card: gigabytes for nothing"
        return Check("builds", "warn", detail, _CPU_BUILD)
    if offloads and not cards:
        detail = "llama.cpp is built for a graphics card and there is none"
        return Check("builds", "warn", detail, "install llama-cpp-python again, without GGML_CUDA")
    return Check("builds", "ok", "the engines are built for this machine")


def _openmp() -> Check:
    import llama_cpp  # noqa: F401  both load their runtime
    import torch  # noqa: F401
    from threadpoolctl import threadpool_info

    return openmp_verdict(threadpool_info())


def openmp_verdict(loaded: Sequence[dict[str, Any]]) -> Check:
    """Two kinds of OpenMP in one process deadlock or abort; two copies of one kind get along."""
    runtimes = sorted({row["prefix"] for row in loaded if row.get("user_api") == "openmp"})
    if len(runtimes) > 1:
        detail = f"{' and '.join(runtimes)} are loaded side by side: programs have hung or ended of it"
        return Check(
            "openmp",
            "warn",
            detail,
            "take both engines from one source, or OMP_NUM_THREADS=1",
        )
    return Check("openmp", "ok", f"one kind: {runtimes[0]}" if runtimes else "none loaded")


CHECKS: dict[str, Callable[[], Check]] = {"amx": _amx, "builds": _cuda_build, "openmp": _openmp}
