"""A whole bench, in a home of its own that is gone afterwards."""

import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from knowledge.progress import Progress
from persona import machine, models, paths
from persona.backends.cores import physical_cores
from persona.backends.describe import describe, opened_context
from persona.backends.gguf_header import read_header
from persona.chat.opening import LazyBackend
from persona.chat.store import SessionStore
from persona.config import Settings
from persona.errors import ModelError
from persona.lab.bench import random_model
from persona.lab.bench.forecast import Forecast
from persona.lab.bench.stages import Bench, Plan

Report = Callable[[Progress], None]


def run(plan: Plan, settings: Settings, report: Report, found: dict[str, Any]) -> None:
    """Measure, and fill `found`: the document of `bench --json`.

    Each figure is there as soon as it is known, so that what is interrupted leaves what it did; `unfinished`
    then names the stage that was. Raises ModelError for a model that is not in this process.
    """
    from knowledge.memory import MemoryStore

    stages: list[dict[str, Any]] = []
    path = _model(plan, report, stages)
    settings = settings.model_copy(
        update={"model": settings.model.model_copy(update={"name": str(path)})},
    )
    found.update(_about(plan, path, settings), stages=stages)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="persona-bench-")))
        memory = stack.enter_context(closing(MemoryStore(folder / "archive")))
        sessions = stack.enter_context(closing(SessionStore(folder / "sessions.sqlite3")))
        backend = stack.enter_context(closing(LazyBackend(lambda: models.open_backend(settings.model))))
        steps = list(Bench(plan, settings, folder, memory, sessions, backend, found).stages())
        forecast = Forecast({step.name: step.work for step in steps}, path.stat().st_size, report)
        for step in steps:
            found["unfinished"] = step.name
            with _timed(stages, step.name):
                step.carry_out(forecast)
        found["unfinished"] = None


def _model(plan: Plan, report: Report, stages: list[dict[str, Any]]) -> Path:
    if plan.model is None:
        name = f"a random model of the shape {plan.shape}"
        report(Progress(name, 0, 1))
        with _timed(stages, name):
            return random_model.ensure(plan.shape, paths.data_dir() / "bench")
    if models.is_server(plan.model):
        raise ModelError(
            "a model behind a server cannot be measured here", "give a GGUF file, or leave it out"
        )
    path = models.resolve(plan.model)
    if path.is_dir():
        raise ModelError("only llama.cpp is measured here", "give a GGUF file, or leave it out")
    return path


def _about(plan: Plan, path: Path, settings: Settings) -> dict[str, Any]:
    """What the figures are of (they compare only where this is the same), and none of them yet."""
    header = read_header(path)
    info = describe(header, path, opened_context(header, settings.model.context))
    return {
        "model": info.name,
        "parameters": info.parameters,
        "model_mb": round(int(info.details["size_bytes"]) / 1e6, 1),
        "context": info.context,
        "threads": settings.model.threads or physical_cores(),
        "runs": plan.runs,
        "tokens": plan.tokens,
        "machine": machine.in_words(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "measured_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        **dict.fromkeys(("prefill_tps", "decode_tps", "peak_mb", "overhead_ratio", "grade", "unfinished")),
        "overhead": [],
        "ttft_by_turn": [],
        "retrieval": [],
    }


@contextmanager
def _timed(stages: list[dict[str, Any]], name: str) -> Iterator[None]:
    """Adds the seconds that the block took, also where it is interrupted."""
    started = time.perf_counter()
    try:
        yield
    finally:
        stages.append({"stage": name, "seconds": round(time.perf_counter() - started, 1)})
