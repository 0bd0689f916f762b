"""`persona messages`: the archive as it is."""

import click

from persona.cli.output import emit, json_option, note, say, table
from persona.cli.rows import message_row
from persona.cli.stores import open_memory
from persona.errors import ArchiveError


@click.command()
@click.option("--conversation", metavar="ID", help="Only this conversation, by id or shown name.")
@click.option("--author", metavar="NAME", help="Only this person's messages.")
@click.option("--thread", metavar="ID", help="Only this thread, by the id of its first message.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--all", "include_all", is_flag=True, help="System and bot records too.")
@click.option("--id", "message_id", metavar="ID", help="One message with its full original.")
@json_option
def messages(
    conversation: str | None,
    author: str | None,
    thread: str | None,
    limit: int,
    include_all: bool,
    message_id: str | None,
    as_json: bool,
) -> None:
    """Show archived messages, the newest ones, oldest first."""
    if message_id is not None:
        _one(message_id, as_json)
        return
    with open_memory() as memory:
        found = memory.messages(
            conversation=conversation, author=author, thread=thread, limit=limit, include_all=include_all
        )
    if as_json:
        emit([message_row(m) for m in found])
    elif found:
        rows = [
            (f"{m.sent_at:%Y-%m-%d %H:%M}", f"{m.source} {m.conversation}", m.author, m.text) for m in found
        ]
        table(["sent", "where", "author", "text"], rows)
    else:
        note("no messages here; `persona ingest PATH` brings some in")


def _one(message_id: str, as_json: bool) -> None:
    with open_memory() as memory:
        message = memory.message(message_id)
    if message is None:
        raise ArchiveError(f"no message has the id {message_id}", "`persona messages --json` shows ids")
    original = message.raw if message.raw is not None else message.text
    if as_json:
        emit([{**message_row(message), "raw": original}])
        return
    say(f"{message.author}, {message.sent_at:%Y-%m-%d %H:%M %z}, {message.source} {message.conversation}\n")
    say(original)
