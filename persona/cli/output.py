"""What commands print: JSON or tables on standard output, notes and progress on standard error.

Text from the archive or a model is data: control characters never reach the terminal.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from knowledge.text import one_line, printable

if TYPE_CHECKING:
    from knowledge.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

_PIPE_WIDTH = 200


def json_option(command: F) -> F:
    """The `--json` flag, passed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(
        command
    )


def emit(data: Any) -> None:
    """Print one JSON document, its strings cleaned of control characters."""
    ascii_only = "utf" not in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    click.echo(json.dumps(_clean(data), ensure_ascii=ascii_only, indent=2))


def say(text: str = "") -> None:
    """One result for a person, on standard output."""
    click.echo(printable(text))


def note(text: str) -> None:
    """A remark that is no result, on standard error."""
    click.echo(printable(text), err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print rows under headings; long cells are folded, never cut off."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    grid = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for heading in columns:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(one_line(printable(_cell(value)))) for value in row))
    console.print(grid)


@contextmanager
def progress(unit: Literal["items", "bytes"] = "items") -> Iterator["Callable[[Progress], None]"]:
    """A reporter for long work: a bar on a terminal, one line for each stage elsewhere.

    The time left is shown with it; unit: what is counted, and of bytes their rate.
    """
    if not sys.stderr.isatty():
        yield name_stages()
        return
    from rich import progress as bar
    from rich.console import Console
    from rich.progress import Progress as Bars

    counts: dict[str, tuple[bar.ProgressColumn, ...]] = {
        "items": (
            bar.MofNCompleteColumn(),
            bar.TimeElapsedColumn(),
            bar.TimeRemainingColumn(),
            bar.TextColumn("{task.fields[left]}"),
        ),
        "bytes": (bar.DownloadColumn(), bar.TransferSpeedColumn(), bar.TimeRemainingColumn()),
    }
    columns = (bar.TextColumn("{task.description}"), bar.BarColumn(), *counts[unit])
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(now: "Progress") -> None:
            stage = one_line(printable(now.stage))
            if stage not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, left="")
                tasks[stage] = bars.add_task(stage, total=now.total, completed=now.done, left="")
            bars.update(tasks[stage], completed=now.done, total=now.total, left=_left(now))

        yield report


def name_stages() -> "Callable[[Progress], None]":
    """A reporter that names each stage once, as it begins: it never disturbs a streamed reply."""
    last: str | None = None

    def report(now: "Progress") -> None:
        nonlocal last
        if now.stage != last:
            last = now.stage
            note(f"{one_line(now.stage)} … {_left(now)}".rstrip())

    return report


def _left(now: "Progress") -> str:
    """The time left, no more exactly than an estimate deserves."""
    if now.left is None:
        return ""
    minutes = round(now.left / 60)
    if not minutes:
        return "less than a minute left in all"
    return "about a minute left in all" if minutes == 1 else f"about {minutes} minutes left in all"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(part)}" for key, part in value.items())
    return str(value)


def _clean(data: Any) -> Any:
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {_clean(key): _clean(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_clean(value) for value in data]
    return data
