"""`persona eval`: scored measurements of what the twin finds."""

from pathlib import Path
from typing import Any

import click

from persona.cli.output import emit, json_option, note, progress, table


class _Ranks(click.ParamType[tuple[int, ...]]):
    """Numbers from 1 on with commas between: `5,10,20`."""

    name = "K,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, rising, each once; wrong usage for anything else."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is not a list of numbers such as 5,10,20", param, ctx)
        return tuple(sorted({int(part) for part in parts}))


@click.group("eval")
def eval_() -> None:
    """Measure against questions whose answers are known."""


@eval_.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--k", "ks", type=_Ranks(), default="5,10,20", show_default=True, help="Turns looked at.")
@json_option
def locomo(file: Path, ks: tuple[int, ...], as_json: bool) -> None:
    """Evidence recall of the retriever on FILE, in the LoCoMo format, beside weaker ways to rank.

    A throw-away archive is built from FILE; your own is not touched.
    """
    from knowledge import locomo
    from persona import config

    memory = config.load().memory
    with progress() as report:
        result = locomo.evaluate(
            file, ks, embedding_model=memory.embedding_model, reranker=memory.reranker, progress=report
        )
    if as_json:
        emit(result)
        return
    methods = {locomo.OURS: result, **result["variants"]}
    rows = [
        (name, *(f"{m['recall'][str(k)]:.3f}" for k in ks), m["query_ms_p50"], m["query_ms_p95"])
        for name, m in methods.items()
    ]
    table(
        ["method", *(f"recall@{k}" for k in ks), "ms, p50", "ms, p95"],
        rows,
        f"evidence recall over {result['questions']:,} questions",
    )
    rows = [
        (category, m["questions"], *(f"{m[str(k)]:.3f}" for k in ks), f"{result['abstained'][category]:.3f}")
        for category, m in result["by_category"].items()
    ]
    table(["category", "questions", *(f"recall@{k}" for k in ks), "nothing served"], rows, locomo.OURS)
    note(f"served under the usual budget: {result['served_tokens_mean']} tokens a question, estimated")
