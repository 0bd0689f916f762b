"""`persona memory`: what the twin would be shown, and the state of its index."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.facts import correct, facts, owner_name, pin
from persona.cli.forget import forget
from persona.cli.options import Instant
from persona.cli.output import emit, json_option, note, progress, say, table
from persona.cli.rows import memory_row, message_row
from persona.cli.stores import open_memory, open_sessions
from persona.errors import PersonaError
from persona.whole_file import replacing

if TYPE_CHECKING:
    from knowledge.records import Memory

_CHARACTERS_A_TOKEN = 4


@click.group()
def memory() -> None:
    """Search and look after what the twin knows."""


memory.add_command(forget)
memory.add_command(facts)
memory.add_command(pin)
memory.add_command(correct)


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
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export(file: Path) -> None:
    """Write all that is known into FILE, one JSON object a line: every message, then {"fact": …} for each.

    The messages can be imported again, in another home too. Nobody but you can read the file.
    """
    from persona.facts import Facts

    with open_memory() as store, open_sessions() as chats:
        lines = [
            {**message_row(m), "author_id": m.author_id} for m in store.messages(limit=None, include_all=True)
        ]
        name = owner_name(store)
        told = [{"fact": fact.as_json(name)} for fact in Facts(store, chats).told()]
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
