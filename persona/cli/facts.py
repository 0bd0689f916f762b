"""`persona memory facts`, `pin` and `correct`: what was told, with what proves it, and having more found."""

from contextlib import closing
from typing import TYPE_CHECKING

import click

from persona.cli.interrupts import interrupt_cancels
from persona.cli.output import emit, json_option, note, progress, say, table
from persona.cli.stores import open_memory, open_sessions

if TYPE_CHECKING:
    from knowledge.archive_facts import Extracted
    from knowledge.facts import Fact
    from knowledge.memory import MemoryStore

_LISTED = 6
"""Reasons for which facts were dropped that are named."""


@click.command()
@click.option("--about", metavar="NAME", help="Only what was told by, or names, this person.")
@click.option("--all", "outdated", is_flag=True, help="In the table: those superseded, too.")
@click.option(
    "--extract", is_flag=True, help="First look for facts in messages that nobody has read for them."
)
@click.option(
    "--most", metavar="N", type=click.IntRange(min=0), help="At most so many calls of the model; 0: rules."
)
@click.option(
    "--model", metavar="NAME_OR_PATH", help="Which model reads them, in place of the settings' own."
)
@json_option
def facts(
    about: str | None, outdated: bool, extract: bool, most: int | None, model: str | None, as_json: bool
) -> None:
    """Show what was told, in messages and in chats, each fact with what proves it.

    --extract reads your messages, the newest first: rules first, then the model, six at a time. What the
    messages do not prove is dropped. Stop it at any time; it goes on where it was, and reads nothing twice.
    """
    from persona.facts import Facts

    if not extract and (most is not None or model is not None):
        raise click.UsageError("`--most` and `--model` say how to `--extract`")
    with open_memory() as store, open_sessions() as chats:
        if extract:
            _extract(store, most, model)
        name = owner_name(store)
        found = [f for f in Facts(store, chats).told() if about is None or f.is_about(about, name)]
    if as_json:
        emit([f.as_json(name) for f in found])
        return
    rows = [
        (f"{f.id} (pinned)" if f.pinned else f.id, f"{f.told_at.astimezone():%Y-%m-%d}", f.subject or name,
         f.dated, _proof(f), f"{f.confidence:.1f} {f.model or f.origin}", f.superseded_by)
        for f in found
        if outdated or f.superseded_by is None
    ]  # fmt: skip
    if rows:
        table(["id", "told", "about", "what", "proof", "confidence", "superseded by"], rows)
    else:
        note(
            "no facts yet: they come from what you tell of yourself in a chat, and with `--extract` from"
            " messages"
        )


@click.command()
@click.argument("id")
@click.option("--off", is_flag=True, help="Pin it no more.")
@json_option
def pin(id: str, off: bool, as_json: bool) -> None:
    """Have a fact shown to the twin in every chat, whatever is asked."""
    from persona.facts import Facts

    with open_memory() as store, open_sessions() as chats:
        _show_fact(Facts(store, chats).pin(id, pinned=not off), owner_name(store), as_json)


@click.command()
@click.argument("id")
@click.argument("text")
@json_option
def correct(id: str, text: str, as_json: bool) -> None:
    """Say what holds in place of a fact; the fact itself stays to be seen, superseded."""
    from persona.facts import Facts

    with open_memory() as store, open_sessions() as chats:
        _show_fact(Facts(store, chats).correct(id, text), owner_name(store), as_json)


def owner_name(store: "MemoryStore") -> str:
    """The name that stands for the owner."""
    owner = store.owner()
    return owner.name if owner else "owner"


def _show_fact(fact: "Fact", name: str, as_json: bool) -> None:
    if as_json:
        emit(fact.as_json(name))
    else:
        say(f"{fact.id}{' (pinned)' if fact.pinned else ''}: {fact.dated}")


def _proof(fact: "Fact") -> str:
    return f"{fact.session_id} turn {fact.number}" if fact.session_id else ", ".join(fact.sources)


def _extract(store: "MemoryStore", most: int | None, model: str | None) -> None:
    """Rules over every message that they have not read, then the model within `most` calls."""
    with progress() as report:
        _say(store.facts.by_rules(report), "rules")
    if most == 0:
        return
    from persona import config
    from persona.chat.extracting import asker
    from persona.models import open_backend

    settings = config.load().model
    if model is not None:
        settings = settings.model_copy(update={"name": model})
    with closing(open_backend(settings)) as backend, interrupt_cancels() as stop, progress() as report:
        name = backend.info.name
        done = store.facts.by_model(name, asker(backend, stop), most, report)
    _say(done, name)
    if stop.is_set():
        note("stopped; the same command goes on from here")


def _say(done: "Extracted", reader: str) -> None:
    calls = f" in {done.asked:,} calls" if done.asked else ""
    note(f"{reader}: {done.read:,} messages read{calls}, {done.found:,} facts new")
    if done.dropped:
        why = "; ".join(f"{n:,} {reason}" for reason, n in done.dropped.most_common(_LISTED))
        note(f"{done.dropped.total():,} of what the model said was dropped: {why}")
