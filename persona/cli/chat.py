"""`persona chat`: the app on the user's own home."""

import sys

import click

from persona.errors import PersonaError


@click.command()
@click.option("--session", metavar="ID", help="Go on with this chat.")
@click.pass_context
def chat(ctx: click.Context, session: str | None) -> None:
    """Open the chat."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise PersonaError("the chat needs a terminal", '`persona ask "…"` answers without one')
    from persona import tui

    ctx.exit(tui.run(session_id=session))
