"""`persona memory forget`: people, conversations, sources and single messages, gone from every store."""

import sys
from typing import TYPE_CHECKING

import click

from persona.cli.output import emit, json_option, note, say, table
from persona.cli.stores import open_memory, open_sessions
from persona.errors import PersonaError
from persona.forgetting import Forgotten

if TYPE_CHECKING:
    from knowledge.forgetting import Forgetting, What
    from knowledge.memory import MemoryStore
    from persona.chat.store import SessionStore

_SHOWN = 20


@click.command()
@click.argument("id", required=False)
@click.option("--person", metavar="NAME", help="Everyone of this whole name, handle, address or id.")
@click.option("--conversation", metavar="ID", help="All that was said there.")
@click.option("--source", metavar="NAME", help="All that came from there, as slack or email.")
@click.option("--mentions", is_flag=True, help="With a person: what others wrote about them, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(
    id: str | None,
    person: str | None,
    conversation: str | None,
    source: str | None,
    mentions: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Forget a message, a fact, a person, a conversation or a source, for good and in every store.

    With a fact goes what proves it: its sentence in a chat, its messages in the archive.

    It does not come back with the next import. What an adapter has learned from it stays in the adapter;
    those are named. With nothing named, a forgetting that was cut short is brought to its end.
    """
    from persona import forgetting

    asked: dict[What, str | None] = {
        "id": id, "person": person, "conversation": conversation, "source": source
    }  # fmt: skip
    given = [(what, value) for what, value in asked.items() if value is not None]
    if len(given) > 1 or (mentions and person is None):
        raise click.UsageError(
            "name one thing: ID, --person, --conversation or --source (--mentions: a person)"
        )
    with open_memory() as memory, open_sessions() as sessions:
        done = forgetting.resume(memory, sessions)
        if done is not None:
            note("a forgetting that was cut short is now done")
        if id is not None and id.startswith("f-") and memory.facts.get(id) is None:
            _forget_fact(sessions, id, yes=yes, as_json=as_json)
            return
        if given:
            [(what, value)] = given
            plan = memory.plan_forgetting(what, value, mentions=mentions)
            _consent(memory, sessions, plan, yes=yes)
            done = forgetting.forget(memory, sessions, plan)
    if done is None:
        raise click.UsageError("nothing to forget: name an ID, --person, --conversation or --source")
    if as_json:
        emit(done.as_json())
    else:
        _show(done)


def _forget_fact(sessions: "SessionStore", id: str, *, yes: bool, as_json: bool) -> None:
    """A fact told in a chat, with the sentence that tells it; replies that repeat it stay."""
    from persona.chat.fact_book import FactBook

    book = FactBook(sessions)
    before = len(book.told())
    book.get(id)
    if not yes:
        if not sys.stdin.isatty():
            raise PersonaError("this would forget a fact, for good", "say `--yes` where nobody can be asked")
        click.confirm("forget this fact and the sentence that tells it, for good?", abort=True, err=True)
    summaries = book.forget(id)
    sessions.scrub()
    done = Forgotten(0, before - len(book.told()), summaries, 0, 0, [], 1, [], [])
    if as_json:
        emit(done.as_json())
    else:
        _show(done)


def _consent(memory: "MemoryStore", sessions: "SessionStore", plan: "Forgetting", *, yes: bool) -> None:
    """List what others wrote about a person, and ask. Raises PersonaError where nobody can answer."""
    from persona.chat import forgetting as chats

    if plan.what == "person":
        _list_mentions(memory, sessions, plan)
    if yes:
        return
    if not sys.stdin.isatty():
        raise PersonaError(
            f"this would forget {len(plan.messages):,} messages, for good",
            "say `--yes` where nobody can be asked",
        )
    told = len(chats.mentioning(sessions, plan)) if plan.with_mentions else 0
    also = f" and {told:,} messages of your chats" if told else ""
    click.confirm(f"forget {len(plan.messages):,} messages{also}, for good?", abort=True, err=True)


def _list_mentions(memory: "MemoryStore", sessions: "SessionStore", plan: "Forgetting") -> None:
    from persona.chat import forgetting as chats

    turns = chats.mentioning(sessions, plan)
    if not plan.mentions and not turns:
        return
    ends = "go too" if plan.with_mentions else "stay; `--mentions` removes them too"
    note(f"{len(plan.mentions) + len(turns):,} messages of others and of yours name them; they {ends}:")
    found = [m for id in plan.mentions[:_SHOWN] if (m := memory.message(id))]
    for m in found:
        note(f"  {m.id}  {m.sent_at:%Y-%m-%d}  {m.author}: {_start(m.text)}")
    for turn in turns[: _SHOWN - len(found)]:
        note(f"  {turn.id}  {turn.created_at:%Y-%m-%d}  in chat {turn.session_id}: {_start(turn.text)}")
    if len(plan.mentions) + len(turns) > _SHOWN:
        note("  …")


def _start(text: str) -> str:
    from knowledge.text import one_line

    line = one_line(text)
    return line if len(line) <= 60 else f"{line[:59]}…"


def _show(done: "Forgotten") -> None:
    rows = [
        ("messages", done.messages),
        ("turns of chats", done.turns),
        ("facts", done.facts),
        ("summaries", done.summaries),
        ("vectors", done.vectors),
        ("training rows", done.dataset_rows),
    ]
    table(["forgotten", "how many"], rows)
    if done.adapters:
        say(f"trained on it, and not untrained: {', '.join(done.adapters)}")
        note("what they learned stays in them: remove them, and train again with `persona train run`")
    note("the exports you imported are yours to delete")
