"""`persona mcp`: the twin as tools for other programs' models."""

import sys
from contextlib import closing

import click

from persona.cli.memory import estimated_tokens
from persona.cli.output import note
from persona.errors import PersonaError


@click.command()
@click.option("--model", metavar="NAME_OR_PATH", help="The twin talks with this model.")
def mcp(model: str | None) -> None:
    """Serve the Model Context Protocol on standard input and output, until the input ends.

    A program such as an editor or a desktop assistant starts it. It may search the memory, read facts and
    ask the twin; nothing can be changed, and nothing it asks is kept.
    """
    try:
        from persona.mcp.server import build
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "mcp":
            raise
        raise PersonaError(
            "the MCP SDK is not installed", "install it with `pip install 'persona-twin[mcp]'`"
        ) from None
    from persona import config
    from persona.chat.opening import open_engine
    from persona.mcp.tools import TwinTools

    settings = config.load()
    if sys.stdin.isatty():
        note("a program is meant to start this, and to speak JSON-RPC with it (ctrl+c ends it)")
    with closing(open_engine(settings, model=model)) as engine:
        tools = TwinTools(engine, estimated_tokens)
        build(tools, budget_tokens=max(50, settings.memory.budget_tokens)).run("stdio")
