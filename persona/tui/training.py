"""Training runs as the trainer's files tell of them, also while one is going on. Knows nothing of Textual."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persona import paths


@dataclass(frozen=True, slots=True)
class Run:
    """One run. losses: by update. finished: whether an adapter came of it. last: the newest report."""

    name: str
    losses: tuple[float, ...]
    finished: bool
    last: dict[str, Any]


def runs() -> list[Run]:
    """Every run that reported anything, the newest first."""
    folder = paths.data_dir() / "training" / "runs"
    found = sorted(folder.glob("*/metrics.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [run for file in found if (run := _read(file)) is not None]


def _read(file: Path) -> Run | None:
    reports: dict[int, dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            report = json.loads(line)
            reports[int(report["step"])] = report
        except (ValueError, KeyError, TypeError):
            continue  # the line that is being written
    if not reports:
        return None
    steps = sorted(reports)
    losses = tuple(float(reports[step]["loss"]) for step in steps)
    finished = (file.parent / "result.json").exists()
    return Run(file.parent.name, losses, finished, reports[steps[-1]])
