"""How often a task model is exactly right: greedy, and held to the task's schema as `/api/convert` is."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from persona.backends.base import TextDelta
from persona.config import ModelSettings
from persona.models import open_backend
from trainer.dataset.rows import Row

_LONGEST = 256


def answers(model: Path, rows: Sequence[Row], schema: str, tick: Callable[[], object]) -> list[str]:
    """One reply for each row. schema: JSON text, "" for free replies."""
    said = []
    with closing(open_backend(ModelSettings(name=str(model)))) as backend:
        greedy = replace(
            backend.default_sampling(False), temperature=0.0, max_tokens=_LONGEST, seed=1, schema=schema
        )
        for row in rows:
            stream = backend.stream(row.prompt, greedy, threading.Event())
            said.append("".join(event.text for event in stream if isinstance(event, TextDelta)))
            tick()
    return said


def exact(rows: Sequence[Row], replies: Sequence[str]) -> float:
    """Share of replies that are the expected one: equal as JSON where it is JSON, else word for word."""
    right: int = sum(_read(row.reply) == _read(reply) for row, reply in zip(rows, replies, strict=True))
    return round(right / max(1, len(rows)), 4)


def verdict(figures: dict[str, Any]) -> str:
    """One line: whether tuning helped."""
    base, tuned, n = figures["arms"]["base"]["exact"], figures["arms"]["tuned"]["exact"], figures["asked"]
    said = "Tuning helped" if tuned > base else "Tuning did not help"
    return f"{said}: {tuned:.0%} of {n['task']} held-out rows are exactly right, {base:.0%} before."


def markdown(figures: dict[str, Any]) -> str:
    """The whole report."""
    from trainer.evaluation.report import inline

    lines = [figures["verdict"], "", f"# {figures['run']}", "", "| | base | tuned |", "|---|---:|---:|"]
    arms = figures["arms"]
    lines += [
        f"| exactly right | {arms['base']['exact']:.1%} | {arms['tuned']['exact']:.1%} |",
        f"| nats a token of the right reply | {arms['base']['nll']:.3f} | {arms['tuned']['nll']:.3f} |",
        "",
        "## Side by side",
    ]
    for sample in figures["samples"]:
        lines += ["", f"**{inline(sample['message'])}**", ""]
        lines += [f"- {who}: {inline(sample[who])}" for who in ("right", "base", "tuned")]
    return "\n".join(lines) + "\n"


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.split()
