"""`persona ab`: the same conversation under different settings, and what people chose blind."""

import json
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.interrupts import interrupt_cancels
from persona.cli.options import Instant
from persona.cli.output import emit, json_option, note, progress, say, table

if TYPE_CHECKING:
    from persona.lab.ab.script import Script


@click.group()
def ab() -> None:
    """Compare settings on the same conversation, and tally what you chose."""


@ab.command()
@click.argument("script")
@click.option(
    "--arms",
    metavar="NAMES_OR_FILE",
    default="off,extractive,abstractive",
    show_default=True,
    help="Ready arms (also: voice, oracle), or a TOML file of arms.",
)
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page, too.")
@click.option("--seed", metavar="N", type=click.IntRange(0, 2**31), default=0, show_default=True)
@click.option("--now", type=Instant(), help="When the first turn is said; else today, at midnight.")
@click.option("--conversation", metavar="ID", help="Which one of a LoCoMo file.")
@click.option("--turns", metavar="N", type=click.IntRange(min=1), help="Only the first turns.")
@click.option("--probes", metavar="N", type=click.IntRange(min=0), help="Only the first probes.")
@click.option("--fresh", is_flag=True, help="Do not go on with a run that was stopped.")
@json_option
def run(
    script: str,
    arms: str,
    page: Path | None,
    seed: int,
    now: datetime | None,
    conversation: str | None,
    turns: int | None,
    probes: int | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Run SCRIPT (a script, a LoCoMo file, or the id of one of your chats) under each arm."""
    from persona import config, paths
    from persona.chat.opening import open_memory
    from persona.lab.ab import arms as sets
    from persona.lab.ab import figures, last
    from persona.lab.ab import run as runs

    chosen = sets.chosen(arms)
    settings = config.load()
    said = _script(script, conversation).first(turns, probes)
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    course, folder = runs.Course(said, seed, now or today), paths.data_dir() / "ab"
    if page is not None:
        _check_writable(page)
    if now is None and (earlier := runs.begun(course, chosen, settings, folder)):
        course = replace(course, start=earlier)  # it may have been stopped before midnight
    if fresh:
        runs.forget(course, chosen, settings, folder)
    elif runs.unfinished(course, chosen, settings, folder):
        note("going on with the run that was stopped (--fresh begins anew)")
    with closing(open_memory(settings)) as memory, interrupt_cancels() as stop, progress() as report:
        try:
            results = runs.run(course, chosen, settings, memory, folder, report, stop=stop)
        except KeyboardInterrupt:
            note("stopped; the same command goes on from here")
            raise
    found = figures.document(course, results)
    last.keep(found)
    if page is not None:
        from persona.lab.ab.page import html

        page.write_text(html(found), encoding="utf-8")
        note(f"written: {page}")
    if as_json:
        emit(found)
    else:
        _show(found)
    runs.forget(course, chosen, settings, folder)


@ab.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--turns", metavar="N", type=click.IntRange(min=2), default=200, show_default=True)
@click.option("--probes", metavar="N", type=click.IntRange(min=0), default=60, show_default=True)
@click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Same seed, same script.")
@click.option("--replies", is_flag=True, help="Give the replies too: for measuring tokens and times alone.")
def generate(file: Path, turns: int, probes: int, seed: int, replies: bool) -> None:
    """Write a long conversation with facts in it to FILE, for `ab run`; `-` is standard output."""
    from persona.lab.ab.generate import script

    rows = script(turns, probes, seed, replies=replies)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if str(file) == "-":
        sys.stdout.write(lines)
        return
    file.write_text(lines, encoding="utf-8")
    note(f"written: {file}")


@ab.command()
@click.option("--export", "file", metavar="FILE", type=click.Path(path_type=Path), help="Preference pairs.")
@json_option
def tally(file: Path | None, as_json: bool) -> None:
    """Count what was chosen blind, with exact intervals; --export writes it as preference pairs."""
    from persona.cli.stores import open_sessions
    from persona.lab.ab import choices

    with open_sessions() as sessions:
        book = choices.ChoiceBook(sessions)
        found = choices.tally(book.all())
        pairs = list(book.preference_pairs()) if file else []
    if file is not None:
        file.write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in pairs), encoding="utf-8")
        note(f"written: {file}, {len(pairs)} pairs")
    if as_json:
        emit(found)
    elif not found["choices"]:
        note("nothing was chosen yet")
    else:
        rows = [
            (f"{p['a']} or {p['b']}", p["chosen_a"], p["chosen_b"], p["ties"], p["neither"],
             _interval(p["share_a"], p["interval"]), p["p_value"])
            for p in found["pairs"]
        ]  # fmt: skip
        table(["a or b", "a", "b", "alike", "neither", "share of a (95 %)", "p"], rows)


def _script(text: str, conversation: str | None) -> "Script":
    from persona.lab.ab import script

    if Path(text).exists() or "." in text or "/" in text:
        return script.read(Path(text), conversation)
    from persona.cli.stores import open_sessions

    with open_sessions() as sessions:
        sessions.get(text)
        return script.of_session(text, sessions.turns(text))


def _check_writable(page: Path) -> None:
    """Fail before hours of work rather than after them."""
    page.parent.mkdir(parents=True, exist_ok=True)
    with page.open("a", encoding="utf-8"):
        pass


def _show(found: dict[str, Any]) -> None:
    rows = []
    for name, arm in found["arms"].items():
        total, probes = arm["totals"], arm["probes"]
        shown = bool(total["turns"])
        rows.append(
            (
                name,
                f"{probes['recalled']}/{probes['asked']}",
                _interval(probes["recall"], probes["interval"]),
                f"{probes['in_prompt']}/{probes['asked']}",
                probes.get("of_oracle"),
                f"{total['prompt_tokens_median']:.0f} ({total['prompt_tokens_most']})" if shown else None,
                f"{total['ttft_ms_median']:.0f}" if shown else None,
                f"{total['cached_share_median']:.3f}" if shown else None,
                f"{total['summary_calls']} ({total['summary_tokens']} tokens)" if shown else None,
            )
        )
    say(f"{found['script']}: {found['turns']} turns, {found['probes']} probes, seed {found['seed']}")
    columns = ["arm", "recalled", "recall (95 %)", "in the prompt", "of the oracle's"]
    columns += ["prompt tokens, median (most)", "TTFT ms, median", "cached share, median", "summaries"]
    table(columns, rows)


def _interval(share: float | None, interval: list[float]) -> str | None:
    return None if share is None else f"{share:.2f} ({interval[0]:.2f}–{interval[1]:.2f})"
