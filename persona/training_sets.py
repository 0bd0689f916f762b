"""Training sets under the home, as files: rows that hold what was forgotten, and who was trained on them.

The trainer writes them: JSON Lines with the archive ids of each row in `sources`, and beside each adapter a
`sources.json` with the ids it was trained on. Knows nothing else of training.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from knowledge.forgetting import Forgetting
from persona import whole_file

SOURCES = "sources.json"
"""Beside an adapter: {"sources": [ids of messages it was trained on], "forgotten": how many went since}."""

_SAMPLES = ("report.md", "evaluation*")
"""Files that quote rows, and are made again with them."""


def clear(folder: Path, plan: Forgetting) -> int:
    """Remove rows and quotations from all sets under `folder`; returns how many rows went."""
    is_theirs = _test(plan)
    return sum(_without(file, is_theirs) for file in sorted(folder.rglob("*.jsonl")))


def trained_on(folder: Path, plan: Forgetting) -> list[str]:
    """The adapters (names of their runs) that learned from any of it."""
    gone = set(plan.messages)
    return [file.parent.name for file, ids in _manifests(folder) if gone & set(ids)]


def strike(folder: Path, plan: Forgetting) -> None:
    """Take the ids out of what is noted of each adapter, with the replies it gave in its evaluation."""
    gone = set(plan.messages)
    for file, ids in _manifests(folder):
        left = [id for id in ids if id not in gone]
        if len(left) < len(ids):
            _quotes(file.parent)
            known = json.loads(file.read_text(encoding="utf-8"))
            forgotten = int(known.get("forgotten", 0)) + len(ids) - len(left)
            whole_file.replace(file, json.dumps({"sources": left, "forgotten": forgotten}) + "\n")


def _manifests(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for file in sorted(folder.rglob(SOURCES)):
        yield file, json.loads(file.read_text(encoding="utf-8"))["sources"]


def _test(plan: Forgetting) -> Callable[[str], bool]:
    """Whether a line of a set holds what is forgotten."""
    gone, told, naming = set(plan.messages), set(plan.lines), plan.naming()

    def is_theirs(line: str) -> bool:
        try:
            row = json.loads(line)
        except ValueError:
            return False
        if not isinstance(row, dict):
            return False
        texts = "\n".join(_strings(row))
        named = naming.search(str(row.get("partner", "")) if not plan.with_mentions else texts)
        return bool(not gone.isdisjoint(row.get("sources", ())) or named or any(t in texts for t in told))

    return is_theirs


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _without(file: Path, is_theirs: Callable[[str], bool]) -> int:
    rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if not is_theirs(row)]
    if len(kept) < len(rows):
        _quotes(file.parent)
        whole_file.replace(file, "".join(kept))
    return len(rows) - len(kept)


def _quotes(folder: Path) -> None:
    for pattern in _SAMPLES:
        for file in folder.glob(pattern):
            if file.is_file():
                file.unlink()
