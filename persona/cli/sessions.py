"""`persona sessions`: past chats."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from knowledge.text import one_line, printable
from persona.cli.output import emit, json_option, note, say, table
from persona.cli.stores import open_sessions
from persona.errors import PersonaError

if TYPE_CHECKING:
    from persona.chat.store import Summary


@click.group()
def sessions() -> None:
    """Look at past chats."""


@sessions.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List past chats, the latest used first."""
    with open_sessions() as store:
        found = store.list()
    if as_json:
        emit([s.as_json() for s in found])
    elif found:
        rows = [(s.id, s.title, f"{s.updated_at.astimezone():%Y-%m-%d %H:%M}", s.turns) for s in found]
        table(["id", "title", "last used", "turns"], rows)
    else:
        note("no chats yet; `persona chat` or `persona ask` starts one")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--summaries", "with_summaries", is_flag=True, help="Its summaries, in force and merged.")
@json_option
def show(session_id: str, with_summaries: bool, as_json: bool) -> None:
    """Show one chat."""
    with open_sessions() as store:
        session = store.get(session_id)
        turns = store.turns(session_id)
        summaries = store.all_summaries(session_id) if with_summaries else []
    if as_json:
        document = {"id": session.id, "title": session.title, "turns": [t.as_json() for t in turns]}
        if with_summaries:
            document["summaries"] = [s.as_json() for s in summaries]
        emit(document)
        return
    if with_summaries:
        _say_summaries(summaries)
        return
    say(f"{session.title} ({session.id})")
    for turn in turns:
        who = _who(turn.role)
        mark = "" if turn.status == "complete" else f" [{turn.status}]"
        say(f"\n{who}, {turn.created_at.astimezone():%Y-%m-%d %H:%M}{mark}\n{turn.text}")


@sessions.command()
@click.argument("text")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
def search(text: str, limit: int, as_json: bool) -> None:
    """Find what was said: every word of TEXT, the last of which may be a beginning."""
    with open_sessions() as store:
        found = store.search(text, limit)
    if as_json:
        emit([{"session": t.session_id, **t.as_json()} for t in found])
    elif found:
        rows = [
            (t.session_id, f"{t.created_at.astimezone():%Y-%m-%d %H:%M}", _who(t.role),
             one_line(printable(t.text)))
            for t in found
        ]  # fmt: skip
        table(["session", "when", "who", "what"], rows)
    else:
        note("nobody said that")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("title")
@json_option
def rename(session_id: str, title: str, as_json: bool) -> None:
    """Give a chat another title."""
    with open_sessions() as store:
        session = store.rename(session_id, title)
    emit(session.as_json()) if as_json else note(f"it is now called: {session.title}")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--turn", "upto", metavar="N", type=click.IntRange(min=1), help="The last exchange to take.")
@json_option
def fork(session_id: str, upto: int | None, as_json: bool) -> None:
    """Make a new chat of the beginning of one; the first stays as it is."""
    from persona.chat import branching

    with open_sessions() as store:
        session = branching.fork(store, session_id, upto)
    emit(session.as_json()) if as_json else say(session.id)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(session_id: str, yes: bool) -> None:
    """Delete a chat for good."""
    with open_sessions() as store:
        title = store.get(session_id).title
        if not yes:
            if not sys.stdin.isatty():
                raise PersonaError(
                    "this would delete a chat, for good", "say `--yes` where nobody can be asked"
                )
            click.confirm(f"delete “{title}” for good?", abort=True, err=True)
        store.delete(session_id)
    note("deleted")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export(session_id: str, file: Path) -> None:
    """Write a chat into FILE, whose ending says how: .md, .html or .json."""
    from persona.chat import exporting

    with open_sessions() as store:
        exporting.export(store, session_id, file)
    note(f"written: {file}")


def _who(role: str) -> str:
    return "you" if role == "user" else "twin"


def _say_summaries(summaries: "Sequence[Summary]") -> None:
    for summary in summaries:
        state = "" if summary.in_force else ", merged since"
        dropped = f", {summary.dropped} of the model's lines dropped" if summary.dropped else ""
        note_ = f" ({summary.note})" if summary.note else ""
        say(
            f"\nturns {summary.first_turn} to {summary.last_turn}, level {summary.level}, under "
            f"{summary.strategy}: {summary.made_by}{dropped}{state}{note_}\n{summary.text or '(nothing)'}"
        )
    if not summaries:
        note("nothing was folded yet: the whole chat fits the prompt")
