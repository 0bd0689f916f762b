"""The page of a bench: one self-contained HTML file that loads and runs nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from persona.lab.plots import COLOURS, Point, Series, line_plot

_TEMPLATES = Path(__file__).parent / "templates"


def html(found: Mapping[str, Any]) -> str:
    """The page for a document as `run.run` gives it, with its comparison where there is one."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
    arms = list(dict.fromkeys(row["compression"] for row in found["ttft_by_turn"]))
    return environment.get_template("page.html.jinja").render(
        found=found, colours=COLOURS, arms=arms, plots=_plots(found, arms)
    )


def _plots(found: Mapping[str, Any], arms: list[str]) -> list[tuple[str, str]]:
    by_turn = [
        Series(
            f"compression {arm}",
            [
                Point(row["turns"], row["ttft_ms"])
                for row in found["ttft_by_turn"]
                if row["compression"] == arm
            ],
            place,
        )
        for place, arm in enumerate(arms)
    ]
    by_size = [
        Series(share, [Point(row["messages"], row[key]) for row in found["retrieval"]], place)
        for place, (share, key) in enumerate((("median", "query_ms_p50"), ("95 %", "query_ms_p95")))
    ]
    pairs = [
        Series("ratio", [Point(n, pair["ratio"]) for n, pair in enumerate(found["overhead"], 1)], 0),
    ]
    return [
        ("Time to the first token by turn, ms", line_plot(by_turn, x_label="turns of history")),
        ("A search by the size of the archive, ms", line_plot(by_size, x_label="messages")),
        ("A whole turn over the bare engine, pair by pair", line_plot(pairs, x_label="pair")),
    ]
