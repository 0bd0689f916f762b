"""`persona people`: who is who in the archive."""

from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, say, table
from persona.cli.stores import open_memory, refresh_card

if TYPE_CHECKING:
    from knowledge.people import Person


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


@people.command("list")
@json_option
def list_everyone(as_json: bool) -> None:
    """Everyone, with all of their accounts."""
    with open_memory() as memory:
        found = memory.people()
    if as_json:
        emit([_row(person) for person in found])
    elif found:
        rows = [
            (_shown(p), p.messages, f"{p.last:%Y-%m-%d}" if p.last else None, _accounts(p)) for p in found
        ]
        table(["who", "messages", "last", "accounts"], rows)
    else:
        note("nobody yet; `persona ingest PATH` brings some in")


@people.command()
@click.argument("names", metavar="WHO…", nargs=-1, required=True)
@json_option
def merge(names: tuple[str, ...], as_json: bool) -> None:
    """Make accounts one person; each WHO is a whole name, handle, address or id.

    Accounts with the same mail address are one person without this.
    """
    with open_memory() as memory:
        person = memory.merge_people(names)
        refresh_card(memory)
    if as_json:
        emit(_row(person))
    else:
        say(f"{_shown(person)}: {_accounts(person)}")


def _shown(person: "Person") -> str:
    return f"{person.name} (you)" if person.is_self else person.name


def _accounts(person: "Person") -> str:
    return ", ".join(person.identity_ids)


def _row(person: "Person") -> dict[str, Any]:
    return {
        "name": person.name,
        "is_self": person.is_self,
        "identities": list(person.identity_ids),
        "aliases": list(person.aliases),
        "messages": person.messages,
        "first": person.first.isoformat() if person.first else None,
        "last": person.last.isoformat() if person.last else None,
    }
