"""The toy project: sixty examples, a tuned starter, four tests, the price of compression, and what next.

Small enough to be run before anything large is: if style and facts do not move here, more data will not help.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from persona import paths, whole_file
from persona.chat.compressor import SHARE, extract
from persona.chat.turns import Turn, TurnRole
from trainer import hardware, presets
from trainer import run as running
from trainer.dataset import rows as files
from trainer.dataset.rows import Row
from trainer.engines.peft import PeftEngine
from trainer.estimate import parameters_of
from trainer.evaluation import likelihood, replies, tasks
from trainer.evaluation.style import StyleScale
from trainer.export.export import export
from trainer.models import as_folder
from trainer.tokens import PromptTokens

CHANGES = ("epochs=8", "warmup_steps=2")
"""To the preset that suits the model: fifty rows are few."""

KEPT = 0.6
"""Of the tokens of a conversation, what compression may keep: at least 40 % fewer."""

_TOLERANCE = 0.02


def toy_dir() -> Path:
    """The toy set."""
    return paths.bundled() / "data" / "toy"


@dataclass(frozen=True, slots=True)
class Compressed:
    """before, after: tokens. lost: words that prove an answer and stand in the compressed text no more."""

    before: int
    after: int
    proofs: int
    lost: tuple[str, ...]


def run(data: Path, model: Path, say: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """Train, test and compress; the figures, also written beside the adapter as `toy.json` and `toy.md`."""
    began, busy = time.monotonic(), time.process_time()
    device = hardware.detect()
    recipe = presets.recipe(hardware.suited(device, parameters_of(model)), CHANGES)
    say("training …")
    result = running.run(data, model, "toy", recipe, PeftEngine(), device)
    tuned = export(result.folder).gguf
    train, test = files.read(data / files.TRAIN), files.read(data / files.TEST)
    say("asking base and tuned …")
    said = {name: _ask(file, train, test) for name, file in (("base", model), ("tuned", tuned))}
    figures: dict[str, Any] = {
        "rows": {"train": len(train), "test": len(test)},
        "tests": {
            "exact_recall": {name: tasks.exact(train, both[0]) for name, both in said.items()},
            "generalisation": likelihood.held_out(as_folder(model), result.adapter, test),
            "style": _style(train, test, said),
            "facts": {name: _recalled([*train, *test], [*a, *b]) for name, (a, b) in said.items()},
        },
        "compression": _compression([*train, *test], PromptTokens(model)),
        "steps": result.outcome.steps,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - busy) / 60, 2),
        "peak_mb": result.outcome.peak_mb,
        "samples": [
            {"message": row.messages[-1][1], "owner": row.reply, "base": base, "tuned": after}
            for row, base, after in zip(test, said["base"][1], said["tuned"][1], strict=True)
        ],
    }
    figures = {"verdict": verdict(figures["tests"]), **figures, "folder": str(result.folder)}
    whole_file.replace(result.folder / "toy.json", json.dumps(figures, ensure_ascii=False, indent=2) + "\n")
    whole_file.replace(result.folder / "toy.md", markdown(figures))
    return figures


def verdict(tests: dict[str, Any]) -> str:
    """Proceed, adjust or pivot, and why."""
    learned, new = tests["exact_recall"], tests["generalisation"]
    passed = {
        "training rows were learned": learned["tuned"] > learned["base"],
        "new replies became likelier": new["tuned_memory"] < new["base_memory"],
        "the manner came nearer": tests["style"]["gain"]["low"] > 0,
        "facts were kept": tests["facts"]["tuned"] >= tests["facts"]["base"] - _TOLERANCE,
    }
    failed = [what for what, held in passed.items() if not held]
    if not failed:
        return "PROCEED: " + ", ".join(passed) + "."
    if not (passed["new replies became likelier"] or passed["the manner came nearer"]):
        return (
            "PIVOT: it is not so that " + ", nor that ".join(failed) + ". Look at the data or another model."
        )
    return "ADJUST: it is not so that " + ", nor that ".join(failed) + ". Change settings or the mix of rows."


def compress(rows: Sequence[Row], count: Callable[[str], int]) -> Compressed:
    """The rows as one conversation whose oldest turns are folded, as in a chat, until `KEPT` is left."""
    said = [_turns(n, row) for n, row in enumerate(rows, 1)]
    costs = [sum(count(f"{turn.role}: {turn.text}\n") for turn in turns) for turns in said]
    before = sum(costs)
    for folded in range(1, len(said) + 1):
        oldest = [turn for turns in said[:folded] for turn in turns]
        lines = [str(line) for line in extract(oldest, int(SHARE * sum(costs[:folded])), count)]
        after = sum(count(f"{line}\n") for line in lines) + sum(costs[folded:])
        if after <= KEPT * before:
            break
    kept = "\n".join([*lines, *(turn.text for turns in said[folded:] for turn in turns)]).casefold()
    proofs = {word for row in rows for word in row.expect if word.casefold() in row.reply.casefold()}
    return Compressed(
        before, after, len(proofs), tuple(sorted(w for w in proofs if w.casefold() not in kept))
    )


def markdown(figures: dict[str, Any]) -> str:
    """The report."""
    from trainer.evaluation.report import inline

    tests, small = figures["tests"], figures["compression"]
    style, new = tests["style"], tests["generalisation"]
    gain = style["gain"]
    rows = figures["rows"]
    lines = [
        figures["verdict"],
        "",
        "# The toy project",
        f"{rows['train']} rows trained on for {figures['steps']} steps, {rows['test']} kept."
        f" {figures['minutes']:.1f} minutes ({figures['cpu_minutes']:.1f} of CPU),"
        f" {figures['peak_mb']:,.0f} MB.",
        "",
        "| | base | tuned |",
        "|---|---:|---:|",
        _line("training replies word for word", tests["exact_recall"], "{:.0%}"),
        _line("new replies, nats a token", {n: new[f"{n}_memory"] for n in ("base", "tuned")}, "{:.3f}"),
        _line("distance from the owner's manner", style, "{:.3f}"),
        _line("facts recalled", tests["facts"], "{:.0%}"),
        "",
        f"Gain in manner: {gain['value']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f}; bootstrap, 95 %).",
        "",
        f"Compression: the rows as one conversation, {small['before']:,} tokens, become {small['after']:,}"
        f" ({small['fewer']:.0%} fewer); of {small['proofs']} words that answer a question"
        f" {len(small['lost'])} were lost: {inline(', '.join(small['lost']))}.",
        "",
        "## Kept rows, side by side",
    ]
    for sample in figures["samples"]:
        lines += ["", f"**{inline(sample['message'].rpartition(chr(10))[2])}**", ""]
        lines += [f"- {who}: {inline(sample[who])}" for who in ("owner", "base", "tuned")]
    return "\n".join(lines) + "\n"


def _line(title: str, values: dict[str, Any], form: str) -> str:
    return f"| {title} | {form.format(values['base'])} | {form.format(values['tuned'])} |"


def _ask(model: Path, train: Sequence[Row], test: Sequence[Row]) -> tuple[list[str], list[str]]:
    said = tasks.answers(model, [*train, *test], "", lambda: None)
    return said[: len(train)], said[len(train) :]


def _style(
    train: Sequence[Row], test: Sequence[Row], said: dict[str, tuple[list[str], list[str]]]
) -> dict[str, Any]:
    """How far replies to talk are from the owner's own; with so few rows, those trained on count as well."""
    rows = [*train, *test]
    own = [n for n, row in enumerate(rows) if not row.expect]
    scale = StyleScale([row.reply for row in rows])
    owner = scale.count([rows[n].reply for n in own])
    counted = {name: scale.count([[*a, *b][n] for n in own]) for name, (a, b) in said.items()}
    gain = scale.compare(counted["base"], counted["tuned"], owner)
    far = {name: round(scale.distance(c, owner), 4) for name, c in counted.items()}
    return {**far, "gain": {"value": gain.value, "low": gain.low, "high": gain.high}}


def _recalled(rows: Sequence[Row], said: Sequence[str]) -> float:
    asked = [(row, replies.Reply(text, "", 0)) for row, text in zip(rows, said, strict=True) if row.expect]
    return replies.recalled([row for row, _ in asked], [reply for _, reply in asked]) or 0.0


def _compression(rows: Sequence[Row], tokens: PromptTokens) -> dict[str, Any]:
    found = compress(rows, tokens.text)
    return {
        "before": found.before,
        "after": found.after,
        "fewer": round(1 - found.after / found.before, 4),
        "proofs": found.proofs,
        "lost": list(found.lost),
    }


def _turns(number: int, row: Row) -> list[Turn]:
    when = datetime.fromisoformat(row.at) if row.at else datetime.now(UTC)
    asked = row.messages[-1][1].rpartition("\n")[2]
    both: tuple[tuple[TurnRole, str], ...] = (("user", asked), ("assistant", row.reply))
    return [Turn(f"{number}-{role}", "toy", number, role, text, "", "complete", when) for role, text in both]
