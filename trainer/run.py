"""One training from a data set to an adapter, with everything that says how it was made beside it.

A run's folder is named by what decides it (model, preset, recipe, data), so that the same command goes on
where a killed one stopped, and another recipe or data set never mixes with it.

    adapter/ config.json metrics.jsonl loss.svg result.json checkpoints/ (until it is done)
"""

import gc
import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from persona import whole_file
from persona.training_sets import SOURCES
from trainer.dataset import rows as files
from trainer.engines import processes
from trainer.engines.base import Engine, Job, Outcome, StepReport, TrainingError, out_of_memory
from trainer.engines.encode import Encoder
from trainer.folders import run_dir, runs_dir
from trainer.hardware import Device
from trainer.models import as_folder
from trainer.recipe import Recipe, ladder

ADAPTER, CONFIG, RESULT, METRICS = "adapter", "config.json", "result.json", "metrics.jsonl"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "unsloth")


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run. retries: what was given up for lack of memory, in words. too_long: rows left out."""

    folder: Path
    outcome: Outcome
    retries: tuple[str, ...]
    rows: int
    too_long: int

    @property
    def adapter(self) -> Path:
        """The adapter's folder."""
        return self.folder / ADAPTER

    def as_json(self) -> dict[str, Any]:
        """The document that `persona train run --json` prints."""
        return {
            "adapter": str(self.adapter),
            **asdict(self.outcome),
            "retries": list(self.retries),
            "rows": self.rows,
            "too_long": self.too_long,
        }


def run(
    data: Path,
    model: Path,
    preset: str,
    recipe: Recipe,
    engine: Engine,
    device: Device,
    *,
    report: Callable[[StepReport], object] = lambda _: None,
    say: Callable[[str], object] = lambda _: None,
) -> Result:
    """Train, or go on training, and return the result; a finished run is not trained again.

    say: hears of every change for lack of memory. Raises TrainingError when nothing fits.
    """
    train = files.read(data / files.TRAIN)
    if not train:
        raise TrainingError(f"{data} holds no rows to train on", "make one with `persona train prepare`")
    config = _config(data, model, preset, recipe, engine, device)
    folder = run_dir(f"{model.stem}-{preset}-{_digest(config['decides'])}")
    if (folder / RESULT).exists():
        say(f"this training is done already ({folder})")
        return load(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if processes.is_main():
        _write(folder / CONFIG, config)
        _write(folder / SOURCES, {"sources": sorted({id for row in train for id in row.sources})})
    base = as_folder(model)
    encoder = Encoder(base)
    retries: list[str] = []
    ladder_down = ladder(recipe)
    while True:
        encoded, too_long = encoder.rows(train, recipe.sequence)
        if not encoded:
            raise TrainingError(
                f"every row is longer than {recipe.sequence} tokens", "give `--set sequence=…` a larger value"
            )
        checkpoints = folder / "checkpoints" / _digest(asdict(recipe))
        job = Job(base, encoded, recipe, device, folder / ADAPTER, checkpoints)
        try:
            outcome = engine.train(job, _recorder(folder / METRICS, report))
            break
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            # the others wait for this process in the middle of an update: nobody can go down the ladder alone
            if processes.count() > 1:
                raise TrainingError(
                    "memory ran out", "give `--set batch=1`, or a smaller `sequence`"
                ) from None
        _free(device)
        step = next(ladder_down, None)
        if step is None:
            raise TrainingError(
                "memory ran out with the smallest settings", "close other programs, or take a smaller model"
            )
        recipe = step.recipe
        retries.append(step.said)
        say(f"memory ran out: {step.said}")
    result = Result(folder, outcome, tuple(retries), len(encoded), too_long)
    if processes.is_main():
        _finish(result, recipe)
    return result


def _finish(result: Result, recipe: Recipe) -> None:
    folder = result.folder
    _write(folder / RESULT, {**asdict(result), "folder": str(folder), "recipe": asdict(recipe)})
    _plot(folder)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def load(folder: Path) -> Result:
    """A finished run. Raises TrainingError when it is none."""
    try:
        data = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        outcome = Outcome(**data["outcome"])
        return Result(folder, outcome, tuple(data["retries"]), data["rows"], data["too_long"])
    except (OSError, ValueError, KeyError, TypeError):
        raise TrainingError(
            f"{folder} holds no finished training", "finish it with `persona train run`"
        ) from None


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration that lies beside an adapter."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return config


def latest() -> Path:
    """The folder of the run that finished last. Raises TrainingError when none did."""
    finished = sorted(runs_dir().glob(f"*/{RESULT}"), key=lambda file: file.stat().st_mtime)
    if not finished:
        raise TrainingError("no training has finished yet", "train with `persona train run`")
    return finished[-1].parent


def _config(
    data: Path, model: Path, preset: str, recipe: Recipe, engine: Engine, device: Device
) -> dict[str, Any]:
    return {
        "decides": {
            "model": str(model),
            "model_size": model.stat().st_size,
            "preset": preset,
            "recipe": asdict(recipe),
            "data": files.fingerprint(data),
            "engine": engine.name,
        },
        "dataset": str(data),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": asdict(device),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]


def _recorder(file: Path, report: Callable[[StepReport], object]) -> Callable[[StepReport], None]:
    """Passes reports on, and appends them to the metrics."""

    def record(step: StepReport) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(step)) + "\n")
        report(step)

    return record


def _free(device: Device) -> None:
    import torch

    gc.collect()
    if device.kind in ("cuda", "rocm"):
        torch.cuda.empty_cache()


def _plot(folder: Path) -> None:
    """The loss by step, as an SVG that needs no library."""
    lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    loss = {entry["step"]: entry["loss"] for entry in map(json.loads, lines)}
    (folder / "loss.svg").write_text(loss_svg(list(loss), list(loss.values())), encoding="utf-8")


def loss_svg(steps: Sequence[int], losses: Sequence[float], width: int = 640, height: int = 320) -> str:
    """A line of `losses` over `steps`, with its ends named."""
    top, last = max(losses), max(steps)
    points = " ".join(
        f"{40 + (width - 60) * step / last:.1f},{20 + (height - 60) * (1 - loss / (top or 1)):.1f}"
        for step, loss in zip(steps, losses, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{points}"/>'
        f'<text x="40" y="14">loss {losses[0]:.3f} to {losses[-1]:.3f}</text>'
        f'<text x="{width - 90}" y="{height - 12}">step {last}</text></svg>\n'
    )


def _write(file: Path, data: Any) -> None:
    whole_file.replace(file, json.dumps(data, ensure_ascii=False, indent=2) + "\n")
