"""Thinking in the model's own words, for rows that a rule gave thinking to: what tuning does not have to
change stays as it was. Kept only where the model's answer was right, so that no wrong thinking is taught.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from knowledge.progress import Progress
from trainer.dataset.facts import DONT_KNOW
from trainer.dataset.rows import Row
from trainer.evaluation.replies import Reply, answer

LONGEST = 1024
"""Most tokens of thinking and reply together; longer thinking is not kept."""

_AT_ONCE = 8


def rethink(
    rows: Sequence[Row], model: Path, notes: Path, progress: Callable[[Progress], object] = lambda _: None
) -> list[Row]:
    """`rows` with the thinking of `model` (a GGUF) where they have some, and without any where its answer was
    wrong. notes: a file that keeps what was thought, so that a killed preparation goes on.

    Raises ModelError when the model cannot be loaded.
    """
    known = _read(notes)
    asked = [row for row in rows if row.thinking and row.id not in known]
    notes.parent.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        found = answer(model, part, memory=True, thinking=True, longest=LONGEST, tick=lambda: None)
        with notes.open("a", encoding="utf-8") as out:
            for row, reply in zip(part, found, strict=True):
                known[row.id] = reply.thinking.strip() if _right(row, reply) else ""
                note = {"id": row.id, "thinking": known[row.id]}
                # A line end first: the last line may have been cut off by a kill.
                out.write("\n" + json.dumps(note, ensure_ascii=False))
        progress(Progress("the model thinks", start + len(part), len(asked)))
    return [_with(row, known[row.id]) if row.thinking else row for row in rows]


def _with(row: Row, thinking: str) -> Row:
    return replace(row, thinking=bool(thinking), reasoning=thinking)


def _right(row: Row, reply: Reply) -> bool:
    """Whether the answer holds what it must; of a reply in talk, whether there is one."""
    text = reply.text.casefold()
    if not row.answerable:
        return bool(DONT_KNOW.search(text))
    return bool(text) if not row.expect else any(word.casefold() in text for word in row.expect)


def _read(file: Path) -> dict[str, str]:
    """What was noted; a line cut off by a kill is asked again."""
    known: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            note = json.loads(line)
            known[note["id"]] = note["thinking"]
        except (ValueError, KeyError, TypeError):
            continue
    return known
