"""`persona bench`: how fast this program is here, and what it adds to the bare engine."""

from pathlib import Path
from typing import Any

import click

from persona.cli.interrupts import interrupt_ends
from persona.cli.output import emit, json_option, note, progress, say, table

_COLUMNS = {
    "ttft_by_turn": {
        "compression": "compression",
        "turns": "turns",
        "ttft_ms": "TTFT ms",
        "ratio": "over the shortest",
        "prompt_tokens": "prompt tokens",
        "cached_tokens": "of these cached",
    },
    "retrieval": {
        "messages": "messages",
        "query_ms_p50": "search ms, median",
        "query_ms_p95": "95 %",
        "answered": "answered",
    },
    "stages": {"stage": "stage", "seconds": "seconds"},
}


class _Numbers(click.ParamType[tuple[int, ...]]):
    """Positive numbers with commas between them."""

    name = "N,N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers; wrong usage for anything else."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            found = ()
        if not found or min(found) < 1:
            self.fail(f"{value!r} is not a list of numbers such as 5,60,200", param, ctx)
        return found


class _Parts(click.ParamType[tuple[str, ...]]):
    """Parts of a bench with commas between them."""

    name = "PART,PART"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The parts; wrong usage where there is no such part."""
        from persona.lab.bench.stages import PARTS

        found = tuple(part.strip() for part in str(value).split(","))
        if unknown := [part for part in found if part not in PARTS]:
            self.fail(f"{unknown[0]!r} is none of {', '.join(PARTS)}", param, ctx)
        return found


@click.command()
@click.option("--model", metavar="NAME_OR_PATH", help="Measure this model instead of a random one.")
@click.option(
    "--shape",
    type=click.Choice(["0.6b", "1.7b", "4b", "tiny"]),
    default="0.6b",
    show_default=True,
    help="The Qwen3 whose sizes the random model has.",
)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Medians of so many.")
@click.option("--tokens", type=click.IntRange(min=2), default=128, show_default=True, help="Of each reply.")
@click.option("--turns", type=_Numbers(), default="5,200", show_default=True, help="Lengths of history.")
@click.option("--archives", type=_Numbers(), default="500,2000", show_default=True, help="In messages.")
@click.option(
    "--only",
    type=_Parts(),
    default="overhead,first,retrieval,off",
    show_default=True,
    help="Whole turns, first words with compression, searches, first words without.",
)
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page, too.")
@click.option(
    "--compare", "earlier", metavar="FILE", type=click.Path(path_type=Path), help="An earlier result (JSON)."
)
@json_option
def bench(page: Path | None, earlier: Path | None, as_json: bool, **plan: Any) -> None:
    """Measure speed, memory, first words and retrieval, and the program's overhead.

    Needs no model and no data: it makes its own, and leaves your messages alone. Close other programs first.
    Ctrl-C ends it early and shows what is measured by then.
    """
    from persona import config
    from persona.lab.bench import compare
    from persona.lab.bench.run import run
    from persona.lab.bench.stages import Plan

    before = compare.read(earlier) if earlier else None
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.open("a").close()  # fail before minutes of work rather than after them
    found: dict[str, Any] = {}
    try:
        with interrupt_ends(), progress() as report:
            run(Plan(**plan), config.load(), report, found)
    finally:
        if found:
            _tell(found, before, page, as_json)


def _tell(found: dict[str, Any], before: dict[str, Any] | None, page: Path | None, as_json: bool) -> None:
    from persona.lab.bench import compare

    if before is not None:
        found["compared"] = compare.compare(found, before)
    if page is not None:
        from persona.lab.bench.page import html

        page.write_text(html(found), encoding="utf-8")
        note(f"written: {page}")
    if as_json:
        emit(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    say(f"{found['model']}, {found['model_mb']} MB, {found['threads']} threads; {found['machine']}")
    if found["prefill_tps"] is not None:
        rows: list[tuple[object, ...]] = [
            ("reading, tokens a second", found["prefill_tps"]),
            ("writing, tokens a second", f"{found['decode_tps']} ({found['grade']})"),
            ("most memory held, MB", found["peak_mb"]),
            ("a whole turn over the bare engine", found["overhead_ratio"]),
        ]
        table(["figure", f"median of {len(found['overhead'])}"], rows)
    for name, columns in _COLUMNS.items():
        if found[name]:
            table(list(columns.values()), [[row[key] for key in columns] for row in found[name]])
    if compared := found.get("compared"):
        for key, (then, now) in compared["differs"].items():
            note(f"not the same {key}: {then} then, {now} now")
        changed = compared["figures"].items()
        rows = [(name, row["before"], row["now"], row["ratio"]) for name, row in changed]
        table(["figure", "then", "now", "ratio"], rows)
    if found["unfinished"]:
        note(f"not whole: ended within {found['unfinished']}")
