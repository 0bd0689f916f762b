"""`persona sessions`: past chats."""

import click

from persona.cli.output import emit, json_option, note, say, table
from persona.cli.stores import open_sessions


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
@json_option
def show(session_id: str, as_json: bool) -> None:
    """Show one chat."""
    with open_sessions() as store:
        session = store.get(session_id)
        turns = store.turns(session_id)
    if as_json:
        emit({"id": session.id, "title": session.title, "turns": [t.as_json() for t in turns]})
        return
    say(f"{session.title} ({session.id})")
    for turn in turns:
        who = "you" if turn.role == "user" else "twin"
        mark = "" if turn.status == "complete" else f" [{turn.status}]"
        say(f"\n{who}, {turn.created_at.astimezone():%Y-%m-%d %H:%M}{mark}\n{turn.text}")
