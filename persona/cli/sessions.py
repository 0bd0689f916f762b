"""`persona sessions`: past chats."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from persona.cli.output import emit, json_option, note, say, table
from persona.cli.stores import open_sessions

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
        who = "you" if turn.role == "user" else "twin"
        mark = "" if turn.status == "complete" else f" [{turn.status}]"
        say(f"\n{who}, {turn.created_at.astimezone():%Y-%m-%d %H:%M}{mark}\n{turn.text}")


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
