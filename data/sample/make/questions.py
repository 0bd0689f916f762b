"""Turns the hand-written questions into JSON lines, with the archive ids of what proves them."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data.sample.make.model import CORE

NOW = "2026-10-31T18:00:00+00:00"

Row = dict[str, Any]


def load(name: str) -> list[Row]:
    """The questions of `core/NAME`."""
    rows: list[Row] = tomllib.loads((CORE / name).read_text("utf-8"))["q"]
    return rows


def forbidden() -> Iterator[str]:
    """What chatter must not say: every answer, and everything the twin cannot know."""
    for row in [*load("questions.toml"), *load("dev_questions.toml")]:
        yield from row.get("expect", [])
        yield from row.get("absent", [])


def write(name: str, prefix: str, path: Path, ids: Mapping[str, str]) -> None:
    """`core/NAME` as JSON lines. Raises KeyError when a proof names no message."""
    lines = []
    for number, row in enumerate(load(name), 1):
        question: Row = {
            "id": f"{prefix}{number:02d}",
            "kind": row["kind"],
            "question": row["question"],
            "expect": row.get("expect", []),
            "rivals": row.get("rivals", []),
            "evidence": [ids[key] for key in row.get("proof", [])],
            "now": NOW,
        }
        if "absent" in row:
            question["absent"] = row["absent"]
        lines.append(json.dumps(question, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), "utf-8", newline="\n")
