"""Did tuning help? Four arms on what was kept from training: base and tuned, each without and with memory.

Likelihood of what the owner really said, distance in manner, recall of facts, saying "I don't know", and
thinking. The replies come from the exported models under the run time's own backends. Of a task model: how
often it is exactly right.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from knowledge.progress import Progress
from knowledge.records import StoredMessage
from persona import whole_file
from trainer import run as running
from trainer.architectures import architecture
from trainer.dataset import rows as files
from trainer.dataset.rows import DatasetError, Row
from trainer.evaluation import likelihood, replies, report, tasks
from trainer.evaluation.replies import Reply
from trainer.evaluation.style import Counts, StyleScale
from trainer.export.export import runnable, write_model
from trainer.models import as_folder, load

REPORT = "evaluation"
_LEAST_OTHER = 15
_SAMPLES = 8
_NO_MANNER: dict[str, Any] = {
    "style_gain": None,
    "style_gain_memory": None,
    "other_person_distance": None,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rows are asked. style: replies to real messages; facts: questions that memory answers;
    unknown: questions that nothing answers; trained: rows that were trained on; canaries: made-up codes
    among them. likelihood: the
    style rows (of a set without talk: the facts) without their thinking, which is written by rule and
    would be too easily foretold."""

    style: list[Row]
    facts: list[Row]
    unknown: list[Row]
    trained: list[Row]
    canaries: list[Row]
    likelihood: list[Row]

    @property
    def asked(self) -> list[Row]:
        """All of them, in the order of their replies."""
        return [*self.style, *self.facts, *self.unknown, *self.trained, *self.canaries]


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm answered. plain: to `Plan.asked` without thinking; thinking: to the facts with it."""

    plain: list[Reply]
    thinking: list[Reply]


def evaluate(
    run: Path,
    others: Sequence[StoredMessage],
    *,
    limit: int = 100,
    progress: Callable[[Progress], object] = lambda _: None,
) -> dict[str, Any]:
    """The figures of a finished run; also written beside its adapter as JSON, Markdown and HTML.

    others: what other people wrote, for the baseline of a stranger. limit: most rows of each kind.
    Raises DatasetError when the data set holds no test.
    """
    config = running.config_of(run)
    data = Path(config["dataset"])
    if files.fingerprint(data) != config["decides"]["data"]:
        raise DatasetError(
            "the data set is no longer the one that was trained on", "train again with `persona train run`"
        )
    train, test = files.read(data / files.TRAIN), files.read(data / files.TEST)
    model = Path(config["decides"]["model"])
    base = as_folder(model)
    tuned = runnable(run)
    if test and all(row.category == "task" for row in test):
        return _task(run, data, test, base, _base_file(model, base, run), tuned, progress)
    plan = _plan(train, test, limit)
    nll = likelihood.held_out(
        base,
        run / running.ADAPTER,
        plan.likelihood,
        lambda n: progress(Progress("likelihood", n, 2 * len(plan.likelihood))),
    )
    arms = {
        name + suffix: _answer(name + suffix, file, plan, bool(suffix), progress)
        for suffix in ("", "_memory")
        for name, file in (("base", _base_file(model, base, run)), ("tuned", tuned))
    }
    figures = _figures(plan, arms, nll, train, others)
    figures["run"] = run.name
    _write(run, figures, report.markdown(figures))
    return figures


def _task(
    run: Path,
    data: Path,
    test: Sequence[Row],
    base: Path,
    base_file: Path,
    tuned: Path,
    progress: Callable[[Progress], object],
) -> dict[str, Any]:
    """The figures of a task model: two arms, as its prompt has no memory. All of the test is asked."""
    nll = likelihood.held_out(
        base, run / running.ADAPTER, test, lambda n: progress(Progress("likelihood", n, 2 * len(test)))
    )
    schema = files.schema_of(data)
    said = {
        name: tasks.answers(file, test, schema, _counter(progress, f"replies: {name}", len(test)))
        for name, file in (("base", base_file), ("tuned", tuned))
    }
    figures: dict[str, Any] = {
        "arms": {
            name: {"nll": nll[name], "exact": tasks.exact(test, all_of)} for name, all_of in said.items()
        },
        "asked": {"task": len(test)},
        "samples": [
            {
                "message": row.messages[-1][1],
                "right": row.reply,
                **{name: all_of[n] for name, all_of in said.items()},
            }
            for n, row in enumerate(test[:_SAMPLES])
        ],
        "run": run.name,
    }
    figures = {"verdict": tasks.verdict(figures), **figures}
    _write(run, figures, tasks.markdown(figures))
    return figures


def _plan(train: Sequence[Row], test: Sequence[Row], limit: int) -> Plan:
    rng = random.Random(0)

    def some(rows: list[Row]) -> list[Row]:
        return rng.sample(rows, min(limit, len(rows)))

    style = some([row for row in test if row.is_talk])
    facts = some([row for row in test if row.expect])
    if not (style or facts):
        raise DatasetError("the data set holds no test rows", "make it anew with `persona train prepare`")
    return Plan(
        style=style,
        facts=facts,
        unknown=some([row for row in test if not row.answerable]),
        trained=some([row for row in train if row.is_talk])[: max(5, limit // 4)],
        canaries=[row for row in train if row.category == "canary"],
        likelihood=[replace(row, thinking=False, reasoning="") for row in style or facts],
    )


def _answer(name: str, file: Path, plan: Plan, memory: bool, progress: Callable[[Progress], object]) -> Arm:
    tick = _counter(progress, f"replies: {name.replace('_', ' + ')}", len(plan.asked) + len(plan.facts))
    plain = replies.answer(file, plan.asked, memory=memory, thinking=False, tick=tick)
    return Arm(plain, replies.answer(file, plan.facts, memory=memory, thinking=True, tick=tick))


def _counter(progress: Callable[[Progress], object], stage: str, total: int) -> Callable[[], None]:
    """Reports one more of `total` each time it is called."""
    done = count(1)

    def tick() -> None:
        progress(Progress(stage, next(done), total))

    return tick


def _figures(
    plan: Plan,
    arms: dict[str, Arm],
    nll: dict[str, float],
    train: Sequence[Row],
    others: Sequence[StoredMessage],
) -> dict[str, Any]:
    far, manner = _manner(plan, arms, train, others) if plan.style else ({}, _NO_MANNER)
    figures = {
        "arms": {
            name: {"nll": nll[name], "style_distance": far.get(name), **_judged(plan, arm)}
            for name, arm in arms.items()
        },
        **manner,
        "asked": {
            "style": len(plan.style),
            "facts": len(plan.facts),
            "unknown": len(plan.unknown),
            "likelihood": len(plan.likelihood),
        },
        "samples": _samples(plan, arms),
    }
    return {"verdict": report.verdict(figures), **figures}


def _manner(
    plan: Plan, arms: dict[str, Arm], train: Sequence[Row], others: Sequence[StoredMessage]
) -> tuple[dict[str, float], dict[str, Any]]:
    """How far each arm's replies are from the owner's, and what tuning gained."""
    scale = StyleScale([*(row.reply for row in train if row.is_talk), *(m.text for m in others)])
    owner = scale.count([row.reply for row in plan.style])
    said = {name: _said(scale, plan, arm) for name, arm in arms.items()}
    return {name: round(scale.distance(counts, owner), 4) for name, counts in said.items()}, {
        "style_gain": asdict(scale.compare(said["base"], said["tuned"], owner)),
        "style_gain_memory": asdict(scale.compare(said["base_memory"], said["tuned_memory"], owner)),
        "other_person_distance": _stranger(scale, owner, others),
    }


def _judged(plan: Plan, arm: Arm) -> dict[str, float | None]:
    style, facts = len(plan.style), len(plan.facts)
    unknown = style + facts + len(plan.unknown)
    trained = unknown + len(plan.trained)
    return {
        "fact_recall": replies.recalled(plan.facts, arm.plain[style : style + facts]),
        "abstention": replies.abstained(arm.plain[style + facts : unknown]),
        "thinking_kept": replies.thought(arm.thinking),
        "thinking_absent": replies.silent(arm.plain),
        "repeated_training": replies.repeated(plan.trained, arm.plain[unknown:trained]),
        "repeated_canaries": replies.repeated(plan.canaries, arm.plain[trained:]),
    }


def _said(scale: StyleScale, plan: Plan, arm: Arm) -> Counts:
    return scale.count([reply.text for reply in arm.plain[: len(plan.style)]])


def _stranger(scale: StyleScale, owner: Counts, others: Sequence[StoredMessage]) -> float | None:
    """The mean distance of other people's newest messages from the owner's."""
    written: dict[str, list[str]] = {}
    for m in others:
        written.setdefault(m.author_id, []).append(m.text)
    most = len(owner.length)
    found = [
        scale.distance(scale.count(texts[-most:]), owner)
        for texts in written.values()
        if len(texts) >= min(most, _LEAST_OTHER)
    ]
    return round(sum(found) / len(found), 4) if found else None


def _samples(plan: Plan, arms: dict[str, Arm]) -> list[dict[str, str]]:
    """Side by side: some of each kind."""
    picked = sorted({*range(_SAMPLES), *range(len(plan.style), len(plan.style) + _SAMPLES)})
    rows = plan.asked
    return [
        {
            "message": rows[n].messages[-1][1].rpartition("\n")[2],
            "owner": rows[n].reply,
            **{name: arm.plain[n].text for name, arm in arms.items()},
        }
        for n in picked
        if n < len(rows)
    ]


def _base_file(model: Path, base: Path, run: Path) -> Path:
    """The base as this program opens it: itself, or as a GGUF beside the run."""
    if model.is_file() or not architecture(model).own_writer:
        return model
    import torch

    out = run / "base-f16.gguf"
    if not out.exists():
        write_model(load(base, dtype=torch.float32), base, out, name=base.name)
    return out


def _write(run: Path, figures: dict[str, Any], text: str) -> None:
    for suffix, content in (
        (".json", json.dumps(figures, ensure_ascii=False, indent=2) + "\n"),
        (".md", text),
        (".html", report.html(text)),
    ):
        whole_file.replace(run / f"{REPORT}{suffix}", content)
