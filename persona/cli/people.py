"""`persona people`: who is who in the archive."""

import click

from persona.cli.output import emit, json_option, note, say
from persona.cli.stores import open_memory, refresh_card


@click.group()
def people() -> None:
    """Settle who is who."""


@people.command()
@click.argument("names", metavar="[WHO…]", nargs=-1)
@json_option
def me(names: tuple[str, ...], as_json: bool) -> None:
    """Say which person is you (a whole name, handle, address or id), or show who it is."""
    with open_memory() as memory:
        owner = memory.set_owner(names) if names else memory.owner()
        if names:
            refresh_card(memory)
    if as_json:
        emit({"owner": {"name": owner.name, "identities": list(owner.identity_ids)} if owner else None})
    elif owner:
        say(f"you are {owner.name}: {', '.join(owner.identity_ids)}")
    else:
        note("nobody is known to be you yet\n  → `persona people me NAME`")
