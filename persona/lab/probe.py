"""Runs a small random model in a child process, which may die of it: `python -m persona.lab.probe`.

    python -m persona.lab.probe MODEL.gguf ours|plain [--gpu-layers N] [--threads N]

`plain` opens the engine as other programs do, with the kernels that kill the process on some machines;
`ours` as this program does. Prints what it measured as one JSON object.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from persona.lab.bench import random_model

_SECONDS = 60
_READ, _WRITTEN = 16, 12


@dataclass(frozen=True, slots=True)
class Probed:
    """tokens_per_second: of writing, 0 when nothing came in time. died_of: the signal, or what was said."""

    tokens_per_second: float
    bytes: int
    died_of: str = ""

    @property
    def rate(self) -> float:
        """Bytes of weights read a second: what bounds writing, on every kind of memory."""
        return self.tokens_per_second * self.bytes


def probe(shape: str, how: str, *, gpu_layers: int = 0, threads: int = 1) -> Probed:
    """What became of a child process that let a random model of that shape write."""
    with TemporaryDirectory(prefix="persona-probe-") as folder:
        return _probe(random_model.ensure(shape, Path(folder)), how, gpu_layers, threads)


def _probe(model: Path, how: str, gpu_layers: int, threads: int) -> Probed:
    command = [sys.executable, "-P", "-m", __name__, str(model), how]
    command += ["--gpu-layers", str(gpu_layers), "--threads", str(threads)]
    size = model.stat().st_size
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, env=dict(os.environ))
    except subprocess.TimeoutExpired:
        return Probed(0, size)
    if done.returncode < 0:
        return Probed(0, size, signal.Signals(-done.returncode).name)
    if done.returncode:
        return Probed(0, size, (done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return Probed(float(json.loads(done.stdout)["tokens_per_second"]), size)


def _write(model: str, how: str, gpu_layers: int, threads: int) -> float:
    import llama_cpp

    from persona.backends.llama_engine import LlamaEngine

    kind = LlamaEngine if how == "ours" else llama_cpp.Llama
    engine = kind(
        model, n_ctx=256, n_threads=threads, n_threads_batch=threads, n_gpu_layers=gpu_layers, verbose=False
    )
    source = engine.generate(list(range(1, _READ + 1)), temp=0.0)
    next(source)
    started = time.perf_counter()
    for _ in range(_WRITTEN):
        next(source)
    return _WRITTEN / (time.perf_counter() - started)


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description="Let a small model write.")
    parser.add_argument("model")
    parser.add_argument("how", choices=("ours", "plain"))
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    speed = _write(asked.model, asked.how, asked.gpu_layers, asked.threads)
    print(json.dumps({"tokens_per_second": round(speed, 2)}))


if __name__ == "__main__":
    main()
