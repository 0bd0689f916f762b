"""Lets a model write for a moment in a child process, which may die of it: `python -m persona.lab.probe`.

    python -m persona.lab.probe MODEL.gguf ours|plain [--gpu-layers N] [--threads N] [--kv f16|q8_0|q4_0]
                                [--read TOKENS] [--within SECONDS]

`plain` opens the engine as other programs do, with the kernels that kill the process on some machines;
`ours` as this program does. It reads before it writes: so many tokens, or what it can within so many seconds.
Prints what it measured as one JSON object.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from persona.lab.bench import random_model

_SECONDS = 60
_READ, _WRITTEN, _AT_ONCE = 16, 12, 64


@dataclass(frozen=True, slots=True)
class Probed:
    """tokens_per_second: of writing, 0 when nothing came in time. bytes: of the model's file. died_of: the
    signal, or what was said. read: tokens that stood before what was written."""

    tokens_per_second: float
    bytes: int
    died_of: str = ""
    read: int = 0

    @property
    def rate(self) -> float:
        """Bytes of weights read a second: what bounds writing, on every kind of memory."""
        return self.tokens_per_second * self.bytes


def probe(shape: str, how: str, *, gpu_layers: int = 0, threads: int = 1) -> Probed:
    """What became of a child process that let a random model of that shape write."""
    with TemporaryDirectory(prefix="persona-probe-") as folder:
        model = random_model.ensure(shape, Path(folder))
        return write_with(model, how, ["--gpu-layers", str(gpu_layers), "--threads", str(threads)])


def write_with(model: Path, how: str, options: Sequence[str]) -> Probed:
    """What became of a child process that let `model` write. options: of the command above."""
    said, died_of = in_child(__name__, [str(model), how, *options])
    return Probed(**{"tokens_per_second": 0, **said}, bytes=model.stat().st_size, died_of=died_of)


def in_child(module: str, arguments: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The JSON object that a module prints, run for itself; where there is none, {} and what it died of: the
    signal, or what was said; "" where it took too long."""
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, env=dict(os.environ))
    except subprocess.TimeoutExpired:
        return {}, ""
    if done.returncode < 0:
        return {}, signal.Signals(-done.returncode).name
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return dict(json.loads(done.stdout)), ""


def _write(asked: argparse.Namespace) -> dict[str, float]:
    import llama_cpp

    from persona.backends.llama_cpp import PACKED
    from persona.backends.llama_engine import LlamaEngine

    packed = PACKED[asked.kv]
    engine = (LlamaEngine if asked.how == "ours" else llama_cpp.Llama)(
        asked.model,
        n_ctx=asked.read + 240,
        n_threads=asked.threads,
        n_threads_batch=asked.threads,
        n_gpu_layers=asked.gpu_layers,
        type_k=packed,
        type_v=packed,
        flash_attn=packed is not None,
        verbose=False,
    )
    read = [1 + number % (engine.n_vocab() - 1) for number in range(asked.read)]
    until = time.perf_counter() + asked.within
    while engine.n_tokens < len(read) and time.perf_counter() < until:
        engine.eval(read[engine.n_tokens :][:_AT_ONCE])
    source = engine.generate(read[: engine.n_tokens], temp=0.0)
    next(source)
    before, started = engine.n_tokens, time.perf_counter()
    for _ in range(_WRITTEN):
        next(source)
    return {"tokens_per_second": round(_WRITTEN / (time.perf_counter() - started), 2), "read": before}


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description="Let a small model write.")
    parser.add_argument("model")
    parser.add_argument("how", choices=("ours", "plain"))
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kv", choices=("f16", "q8_0", "q4_0"), default="f16")
    parser.add_argument("--read", type=int, default=_READ)
    parser.add_argument("--within", type=float, default=math.inf)
    print(json.dumps(_write(parser.parse_args())))


if __name__ == "__main__":
    main()
