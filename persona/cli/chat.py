"""`persona chat`: the app on the user's own home."""

import sys

import click

from persona.errors import PersonaError


@click.command()
@click.option("--session", metavar="ID", help="Go on with this chat (`latest`: the one used last).")
@click.option("--resume", is_flag=True, help="Go on with the chat used last; same as --session latest.")
@click.option("--set-up", is_flag=True, help="Be led through name, exports and model (again).")
@click.pass_context
def chat(ctx: click.Context, session: str | None, resume: bool, set_up: bool) -> None:
    """Open the chat; in an empty home, after a few questions."""
    if (session is not None) + resume + set_up > 1:
        raise click.UsageError("--session, --resume and --set-up do not go together")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise PersonaError("the chat needs a terminal", '`persona ask "…"` answers without one')
    from persona import tui

    ctx.exit(tui.run(session_id="latest" if resume else session, set_up=set_up))
