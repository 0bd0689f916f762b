"""From the rows of a run to its figures, in the form of `ab run --json`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from persona.chat.budget import window_of
from persona.lab.ab import intervals
from persona.lab.ab.rows import ProbeRow
from persona.lab.ab.run import ArmResult, Course

AGES = ((0, 10), (11, 25), (26, 50), (51, 100), (101, 200), (201, None))
"""Turns since the fact was told, first and last of each group."""


def document(course: Course, results: Sequence[ArmResult]) -> dict[str, Any]:
    """Everything that was measured. Shares are fractions; intervals are of 95 %."""
    return {
        "script": course.script.name,
        "turns": len(course.script.turns),
        "probes": len(course.script.probes),
        "seed": course.seed,
        "start": course.start.isoformat(),
        "arms": {result.arm.name: _arm(result, results) for result in results},
    }


def _arm(result: ArmResult, results: Sequence[ArmResult]) -> dict[str, Any]:
    probes: dict[str, Any] = {
        **_recall(result.probes),
        "in_prompt": sum(p.in_prompt for p in result.probes),
        "by_age": _by_age(result.probes),
    }
    if others := [r for r in results if r is not result]:
        probes["against"] = {other.arm.name: _against(result.probes, other.probes) for other in others}
    oracle = next((r for r in results if r.arm.oracle and r is not result), None)
    if oracle and not result.arm.oracle:
        asked = _both(result.probes, oracle.probes)
        best = sum(theirs for _, theirs in asked)
        probes["of_oracle"] = round(sum(mine for mine, _ in asked) / best, 4) if best else None
        probes["of_oracle_interval"] = intervals.of_ratio(asked)
    probes["rows"] = [asdict(p) for p in result.probes]
    return {
        "settings": result.arm.changes,
        "oracle": result.arm.oracle,
        "model": result.model.name,
        "turns": [{**asdict(t), "cached_share": round(t.cached_share, 4)} for t in result.turns],
        "probes": probes,
        "totals": _totals(result),
    }


def _totals(result: ArmResult) -> dict[str, Any]:
    turns = result.turns
    ttft = [t.ttft_ms for t in turns]
    prompts = [t.prompt_tokens for t in turns]
    # before the first turn there is nothing that could have been kept
    cached = [t.cached_share for t in turns[1:]]
    return {
        "turns": len(turns),
        "prompt_tokens": sum(prompts),
        "prompt_tokens_median": intervals.middle(prompts),
        "prompt_tokens_most": max([*prompts, *(p.prompt_tokens for p in result.probes)], default=0),
        "cached_tokens": sum(t.cached_tokens for t in turns),
        "cached_share_median": intervals.middle(cached),
        "cached_share_interval": intervals.of_median(cached),
        "ttft_ms_median": intervals.middle(ttft),
        "ttft_ms_interval": intervals.of_median(ttft),
        "completion_tokens": sum(t.completion_tokens for t in turns),
        "summary_calls": sum(t.summary_calls for t in turns),
        "summary_tokens": sum(t.summary_tokens for t in turns),
        "window": window_of(result.model),
        "model_context": result.model.trained_context,
    }


def _recall(probes: Sequence[ProbeRow]) -> dict[str, Any]:
    recalled = sum(p.recalled for p in probes)
    return {
        "asked": len(probes),
        "recalled": recalled,
        "recall": round(recalled / len(probes), 4) if probes else None,
        "interval": intervals.proportion(recalled, len(probes)),
    }


def _by_age(probes: Sequence[ProbeRow]) -> list[dict[str, Any]]:
    groups = []
    for first, last in AGES:
        group = [p for p in probes if p.age is not None and first <= p.age <= (last or p.age)]
        if group:
            groups.append({"from": first, "to": last, **_recall(group)})
    return groups


def _against(mine: Sequence[ProbeRow], theirs: Sequence[ProbeRow]) -> dict[str, Any]:
    """The same probes in two arms (McNemar, exact): those only one of them answered decide."""
    both = _both(mine, theirs)
    only_mine = sum(a and not b for a, b in both)
    only_theirs = sum(b and not a for a, b in both)
    return {
        "probes": len(both),
        "only_here": only_mine,
        "only_there": only_theirs,
        "p_value": intervals.sign_test(only_mine, only_theirs),
    }


def _both(mine: Sequence[ProbeRow], theirs: Sequence[ProbeRow]) -> list[tuple[bool, bool]]:
    """Whether either recalled it, for each probe that both were asked."""
    other = {p.step: p.recalled for p in theirs}
    return [(p.recalled, other[p.step]) for p in mine if p.step in other]
