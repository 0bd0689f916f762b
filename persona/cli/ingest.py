"""`persona ingest`: files, folders and archives into the archive."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, progress, say, table
from persona.cli.stores import open_memory, refresh_card
from persona.errors import ArchiveError

if TYPE_CHECKING:
    from knowledge.memory import IngestResult, MemoryStore
    from knowledge.people import Owner
    from knowledge.records import ImportReport

_OFFERED = 5
SOURCES = (
    "auto",
    "slack",
    "discord",
    "email",
    "signal",
    "imessage",
    "whatsapp",
    "telegram",
    "messenger",
    "instagram",
    "google-chat",
    "github",
    "git",
    "jira",
    "zendesk",
    "chatgpt",
    "claude",
    "generic",
    "notes",
)


@click.command()
@click.argument("paths", metavar="PATH…", nargs=-1, type=click.Path())
@click.option("--me", metavar="WHO", multiple=True, help="You: a whole name, handle, address or id; repeats.")
@click.option("--source", type=click.Choice(SOURCES), default="auto", show_default=True)
@click.option(
    "--day-first/--month-first",
    default=None,
    help="How to read the dates of a WhatsApp chat that leaves it open.",
)
@click.option("--dry-run", is_flag=True, help="Read and count, change nothing.")
@click.option(
    "--failed",
    "list_failed",
    is_flag=True,
    help="List every record left out or unreadable; without PATH, those of earlier imports.",
)
@json_option
@click.pass_context
def ingest(
    ctx: click.Context,
    paths: tuple[str, ...],
    me: tuple[str, ...],
    source: str,
    day_first: bool | None,
    dry_run: bool,
    list_failed: bool,
    as_json: bool,
) -> None:
    """Import chat exports, mail and notes; what they are is found by their content."""
    from pathlib import Path

    if not paths:
        if not list_failed:
            raise click.UsageError("Missing argument 'PATH…'.")
        _show_left_out(as_json)
        return
    asking = not as_json and sys.stdin.isatty()
    with open_memory() as memory:

        def bring_in(day_first: bool | None) -> "IngestResult":
            with progress("bytes") as report:
                return memory.ingest(
                    [Path(p) for p in paths],
                    me=me,
                    source=source,
                    day_first=day_first,
                    dry_run=dry_run,
                    progress=report,
                )

        result = bring_in(day_first)
        if asking and (day_first := _asked_order(result)) is not None:
            result = bring_in(day_first)
        if not dry_run:
            if result.candidates and asking:
                result.owner = _asked_owner(memory, result)
            refresh_card(memory)
    if as_json:
        data: dict[str, Any] = result.as_json()
        if list_failed:
            data["problems"] = [{"place": p.place, "reason": p.reason} for p in result.total.problems]
        emit(data)
    else:
        _show(result, dry_run, list_failed)
    _remark(result, me)
    if not _anything_read(result.total):
        ctx.exit(1)


def _asked_order(result: "IngestResult") -> bool | None:
    """Whether dates that can be read both ways begin with the day, by the user's word; None where none do."""
    from knowledge.importers.whatsapp import UNCERTAIN

    unsure = [p.place for p in result.total.problems if p.reason == UNCERTAIN]
    if not unsure:
        return None
    note(f"day or month first? the dates of {', '.join(unsure[:_OFFERED])} can be read both ways")
    first = click.Choice(["day", "month", ""])
    ask = "What comes first, day or month? (nothing to leave them out)"
    answer = click.prompt(ask, type=first, default="", show_default=False, show_choices=False, err=True)
    return answer == "day" if answer else None


def _asked_owner(memory: "MemoryStore", result: "IngestResult") -> "Owner | None":
    """Whom the user picks of the likeliest; None where they would rather not say."""
    offered = result.candidates[:_OFFERED]
    note("Which of these is you?")
    for number, person in enumerate(offered, start=1):
        note(f"  {number}  {person.name}: {person.messages:,} messages in {', '.join(person.sources)}")
    while True:
        ask = "A number, your name, address or handle, or nothing to say it later"
        answer = click.prompt(ask, default="", show_default=False, err=True).strip()
        if not answer:
            return None
        picked = answer.isdigit() and 0 < int(answer) <= len(offered)
        try:
            return memory.set_owner(offered[int(answer) - 1].identity_ids if picked else [answer])
        except ArchiveError as error:
            note(error.message)


def _show_left_out(as_json: bool) -> None:
    with open_memory() as memory:
        found = memory.left_out()
    if as_json:
        rows = [{**asdict(p), "imported_at": p.imported_at.isoformat()} for p in found]
        emit({"problems": rows})
    elif found:
        table(["export", "source", "place", "why"], [(p.path, p.source, p.place, p.reason) for p in found])
    else:
        note("nothing was left out of what is imported")


def _anything_read(total: "ImportReport") -> bool:
    return total.seen > total.failed


def _show(result: "IngestResult", dry_run: bool, list_failed: bool) -> None:
    columns = ["path", "source", "seen", "imported", "updated", "duplicates", "skipped", "failed"]
    rows = [_counts(r) for r in result.reports]
    if len(rows) > 1:
        rows.append(_counts(result.total))
    table(columns, rows, title="Nothing was changed (dry run)" if dry_run else None)
    if list_failed and result.total.problems:
        table(["left out or unreadable", "why"], [(p.place, p.reason) for p in result.total.problems])
    total = result.total
    if total.first and total.last:
        say(
            f"{len(total.conversations):,} conversations, {len(total.people):,} people, "
            f"{total.first:%Y-%m-%d} to {total.last:%Y-%m-%d}"
        )


def _counts(r: "ImportReport") -> tuple[object, ...]:
    skipped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(r.skipped.items())) or 0
    return (r.path, r.source, r.seen, r.imported, r.updated, r.duplicates, skipped, r.failed)


def _remark(result: "IngestResult", me: tuple[str, ...]) -> None:
    for notice in result.total.notices:
        note(notice)
    if not _anything_read(result.total):
        note("nothing could be read\n  → `--failed` lists the reasons; name the format with `--source`")
        return
    if result.owner is None:
        asked = f"nobody is called {' or '.join(me)}" if me else "it is not known which person is you"
        names = ", ".join(str(c.name) for c in result.candidates[:5])
        note(f"{asked}\n  → settle it with `persona people me NAME`; likeliest: {names or 'nobody'}")
    elif result.unmatched:
        note(f"nobody here is called {' or '.join(result.unmatched)}")
    if result.pending_embeddings:
        note(
            f"searchable by words now; {result.pending_embeddings:,} messages wait for their vectors "
            "(`persona memory rebuild`, or the next idle moment of a chat)"
        )
