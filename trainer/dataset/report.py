"""A data set in words: counts, warnings, and rows to look through before anything is trained on them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainer.dataset.rows import CATEGORIES, Row

if TYPE_CHECKING:
    from trainer.dataset.prepare import Dataset

_SAMPLES = 4


def markdown(made: "Dataset") -> str:
    """The report as Markdown."""
    report = made.report
    lines = [
        "# Training data",
        f"{report['train']} rows to train on, {report['test']} newer ones kept for the test"
        f" (everything from {report['cutoff'][:10]}).",
        "",
        *(f"**{warning}**\n" for warning in report["warnings"]),
        f"- categories: {_counts(report['by_category'])}",
        f"- sources: {_counts(report['by_source'])}",
        f"- with thinking: {report['thinking']}; questions that nothing answers: {report['unanswerable']}",
        f"- replaced: {_counts(report['redactions'])}",
        f"- left out: {_counts(report['left_out'])}",
        f"- tokens: {report['tokens']['total']:,}, of which replies {report['tokens']['replies']:,}",
    ]
    for category in CATEGORIES:
        chosen = [row for row in made.train if row.category == category][:_SAMPLES]
        if chosen:
            lines += ["", f"## {category}"]
        for row in chosen:
            lines += ["", *_sample(row)]
    return "\n".join(lines) + "\n"


def _sample(row: Row) -> list[str]:
    shown = "\n".join(f"{role}: {text}" for role, text in row.messages[1:])
    thought = f"\nthinking: {row.reasoning}" if row.reasoning else ""
    body = f"{shown}{thought}\nreply: {row.reply}"
    return ["    " + line for line in body.splitlines()]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "nothing"
