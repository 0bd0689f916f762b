"""The page of a run: one self-contained HTML file that loads and runs nothing."""

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from knowledge.text import printable
from persona.lab.ab.figures import AGES
from persona.lab.plots import COLOURS, Point, Series, line_plot

_TEMPLATES = Path(__file__).parent / "templates"


def html(found: Mapping[str, Any]) -> str:
    """The page for a document as `figures.document` gives it. Everything said is escaped."""
    from jinja2 import Environment, FileSystemLoader

    # autoescape: replies and imported words are data, and must not become part of the page
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, finalize=_shown
    )
    arms = found["arms"]
    talking = {name: arm for name, arm in arms.items() if arm["turns"]}
    return environment.get_template("page.html.jinja").render(
        found=found,
        colours=COLOURS,
        plots=_plots(arms),
        probes=_probes(arms),
        turns=[
            {"turn": rows[0]["turn"], "user": rows[0]["user"], "cells": rows}
            for rows in zip(*(arm["turns"] for arm in talking.values()), strict=True)
        ],
        names_with_turns=list(talking),
        pairs=[
            {"here": here, "there": there, **arms[here]["probes"]["against"][there]}
            for here, there in combinations(arms, 2)
            if arms[here]["probes"]["against"][there]["probes"]
        ],
    )


def _shown(value: Any) -> Any:
    return printable(value) if type(value) is str else value


def _plots(arms: Mapping[str, Any]) -> list[tuple[str, str]]:
    def by_turn(value: Callable[[Mapping[str, Any]], float], skip: int = 0) -> list[Series]:
        return [
            Series(name, [Point(t["turn"], value(t)) for t in arm["turns"][skip:]], place)
            for place, (name, arm) in enumerate(arms.items())
            if arm["turns"][skip:]
        ]

    ages = [(n, f"{a}–{b}" if b else f"{a} on") for n, (a, b) in enumerate(AGES)]
    recall = [
        Series(
            name,
            [
                Point(_group(g["from"]), g["recall"], g["interval"][0], g["interval"][1])
                for g in arm["probes"]["by_age"]
            ],
            place,
        )
        for place, (name, arm) in enumerate(arms.items())
        if arm["probes"]["by_age"]
    ]
    asked = {int(p.x) for s in recall for p in s.points}
    return [
        ("Prompt tokens by turn", line_plot(by_turn(lambda t: t["prompt_tokens"]), x_label="turn")),
        ("Time to the first token by turn, ms", line_plot(by_turn(lambda t: t["ttft_ms"]), x_label="turn")),
        (
            "Recall by age of the fact",
            line_plot(
                recall,
                x_label="turns since it was told",
                top=1.0,
                ticks=[tick for tick in ages if tick[0] in asked],
            ),
        ),
        (
            "Cached share before the tail, by turn",
            line_plot(by_turn(lambda t: t["cached_share"], 1), x_label="turn", top=1.0),
        ),
    ]


def _group(first: int) -> int:
    return [a for a, _ in AGES].index(first)


def _probes(arms: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each probe once, with what every arm said to it; None where it was not asked."""
    said = [{row["step"]: row for row in arm["probes"]["rows"]} for arm in arms.values()]
    every = {step: row for rows in said for step, row in rows.items()}
    return [
        {**every[step], "cells": [rows.get(step) for rows in said]}
        for step in sorted(every, key=lambda step: (every[step]["after"], step))
    ]
