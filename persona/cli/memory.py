"""`persona memory`: what the twin would be shown, and the state of its index."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.forget import forget
from persona.cli.options import Instant
from persona.cli.output import emit, json_option, note, progress, say, table
from persona.cli.rows import memory_row, message_row
from persona.cli.stores import open_memory, open_sessions
from persona.errors import PersonaError
from persona.whole_file import replacing

if TYPE_CHECKING:
    from knowledge.facts import Fact
    from knowledge.records import Memory

_CHARACTERS_A_TOKEN = 4


@click.group()
def memory() -> None:
    """Search and look after what the twin knows."""


memory.add_command(forget)


@memory.command()
@click.argument("query")
@click.option("--k", metavar="N", type=click.IntRange(min=1), help="At most this many.")
@click.option("--budget", metavar="TOKENS", type=click.IntRange(min=0, max=3000), help="Room for them.")
@click.option("--now", type=Instant(), help="The time the question is asked.")
@json_option
def search(query: str, k: int | None, budget: int | None, now: datetime | None, as_json: bool) -> None:
    """Show the memories a question would bring up, best first."""
    from persona import config

    room = config.load().memory.budget_tokens if budget is None else budget
    with open_memory() as store:
        found = store.search(
            query, now=now or datetime.now().astimezone(), budget_tokens=room, cost=estimated_tokens, k=k
        )
    note(f"budget: {room} tokens, estimated at {_CHARACTERS_A_TOKEN} characters each (no model is loaded)")
    if as_json:
        emit([memory_row(m) for m in found])
    elif found:
        rows = [
            (m.rank, f"{m.sent_at:%Y-%m-%d}", m.author, f"{m.source} {m.conversation}", m.text, m.why)
            for m in found
        ]
        table(["", "sent", "author", "where", "text", "why"], rows)
    else:
        note("nothing here is evidence enough; the twin would say that it does not know")


def estimated_tokens(memories: "Sequence[Memory]") -> int:
    """Tokens of the memory block, estimated, for commands that load no model."""
    from persona.chat.layout import memory_lines

    return sum(len(line) // _CHARACTERS_A_TOKEN + 1 for line in memory_lines(memories))


@memory.command()
@click.option("--about", metavar="NAME", help="Only what was told by, or names, this person.")
@click.option("--all", "outdated", is_flag=True, help="In the table: those superseded, too.")
@json_option
def facts(about: str | None, outdated: bool, as_json: bool) -> None:
    """Show the facts told in chats, each with the turn that proves it."""
    with open_memory() as store:
        owner = store.owner()
    name = owner.name if owner else "owner"
    with open_sessions() as chats:
        from persona.chat.fact_book import FactBook

        found = [f for f in FactBook(chats).told() if about is None or f.is_about(about, name)]
    if as_json:
        emit([f.as_json(name) for f in found])
        return
    rows = [
        (f"{f.id} (pinned)" if f.pinned else f.id, f"{f.told_at.astimezone():%Y-%m-%d}", f.subject or name,
         f.dated, f"{f.session_id} turn {f.number}", f"{f.confidence:.1f} {f.origin}", f.superseded_by)
        for f in found
        if outdated or f.superseded_by is None
    ]  # fmt: skip
    if rows:
        table(["id", "told", "by", "what", "proof", "confidence", "superseded by"], rows)
    else:
        note("no facts yet: they come from what you tell of yourself in a chat")


@memory.command()
@click.argument("id")
@click.option("--off", is_flag=True, help="Pin it no more.")
@json_option
def pin(id: str, off: bool, as_json: bool) -> None:
    """Have a fact shown to the twin in every chat, whatever is asked."""
    with open_sessions() as chats:
        from persona.chat.fact_book import FactBook

        _show_fact(FactBook(chats).pin(id, pinned=not off), as_json)


@memory.command()
@click.argument("id")
@click.argument("text")
@json_option
def correct(id: str, text: str, as_json: bool) -> None:
    """Say what holds in place of a fact; the fact itself stays to be seen, superseded."""
    with open_sessions() as chats:
        from persona.chat.fact_book import FactBook

        _show_fact(FactBook(chats).correct(id, text), as_json)


def _show_fact(fact: "Fact", as_json: bool) -> None:
    if as_json:
        with open_memory() as store:
            owner = store.owner()
        emit(fact.as_json(owner.name if owner else "owner"))
    else:
        say(f"{fact.id}{' (pinned)' if fact.pinned else ''}: {fact.dated}")


@memory.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export(file: Path) -> None:
    """Write all that is known into FILE, one JSON object a line: every message, then {"fact": …} for each.

    The messages can be imported again, in another home too. Nobody but you can read the file.
    """
    with open_memory() as store:
        owner = store.owner()
        lines = [
            {**message_row(m), "author_id": m.author_id} for m in store.messages(limit=None, include_all=True)
        ]
    with open_sessions() as chats:
        from persona.chat.fact_book import FactBook

        told = [{"fact": f.as_json(owner.name if owner else "owner")} for f in FactBook(chats).told()]
    _write_privately(file, [*lines, *told])
    note(f"written: {file}, {len(lines):,} messages and {len(told):,} facts")


def _write_privately(file: Path, lines: "Sequence[Mapping[str, Any]]") -> None:
    """One JSON object a line, in one step. Raises PersonaError where the file cannot be written."""
    try:
        with replacing(file) as out:
            out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except OSError as error:
        raise PersonaError(f"{file} cannot be written: {error.strerror}", "name another place") from None


@memory.command()
@json_option
def stats(as_json: bool) -> None:
    """Count what is archived and indexed."""
    with open_memory() as store:
        counts = store.stats()
    if as_json:
        emit(counts)
    else:
        table(["what", "value"], list(counts.items()))


@memory.command()
@json_option
def rebuild(as_json: bool) -> None:
    """Make the vector index anew from the archive."""
    with open_memory() as store, progress() as report:
        embedded = store.rebuild(report)
    if as_json:
        emit({"embedded": embedded})
    else:
        say(f"{embedded:,} messages embedded")
