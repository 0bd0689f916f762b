"""`persona ask`: one turn with the same engine as the app."""

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from knowledge.text import one_line, printable
from persona.cli.interrupts import interrupt_cancels
from persona.cli.options import Instant
from persona.cli.output import emit, json_option, name_stages, note
from persona.cli.rows import memory_row

if TYPE_CHECKING:
    from knowledge.records import Memory
    from persona.chat.engine import Engine
    from persona.chat.events import TurnFinished, TurnRequest

COMPRESSIONS = ("off", "extractive", "abstractive")
STARTER_NOTICE = (
    "answered by the bundled starter model: it only reads what is in your messages "
    "(`persona models use` takes a larger one)"
)


@click.command()
@click.argument("text")
@click.option("--session", metavar="ID", help="Go on with this chat; else a new one starts.")
@click.option("--think/--no-think", "thinking", default=None, help="Let the model think first.")
@click.option("--compression", type=click.Choice(COMPRESSIONS), help="How old turns are folded.")
@click.option("--no-memory", is_flag=True, help="Retrieve nothing for this turn.")
@click.option("--seed", metavar="N", type=click.IntRange(min=0, max=2**32 - 1), help="Same seed, same reply.")
@click.option("--now", type=Instant(), help="The time the twin believes it is.")
@click.option("--as-correspondent", metavar="NAME", help="You write as this person, not as yourself.")
@click.option("--model", metavar="NAME_OR_PATH", help="For this turn only.")
@json_option
@click.pass_context
def ask(
    ctx: click.Context,
    text: str,
    session: str | None,
    thinking: bool | None,
    compression: Any,
    no_memory: bool,
    seed: int | None,
    now: datetime | None,
    as_correspondent: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Ask the twin one thing; `-` reads the question from standard input."""
    question = sys.stdin.read() if text == "-" else text
    if not question.strip():
        raise click.UsageError("there is no question to ask")
    from persona import config
    from persona.chat.events import TurnRequest
    from persona.chat.opening import open_engine

    request = TurnRequest(
        question.strip(),
        session_id=session,
        thinking=thinking,
        compression=compression,
        memory=False if no_memory else None,
        seed=seed,
        now=now,
        correspondent=as_correspondent,
    )
    settings = config.load()
    note_starter(model or settings.model.name)
    with closing(open_engine(settings, model=model, progress=name_stages())) as engine:
        finished = run_turn(engine, request, stream=not as_json)
        if as_json:
            emit(_answer(finished))
        else:
            note(sources(finished.memories))
            note(f"  go on with: persona ask --session {finished.session_id} …")
        sys.stdout.flush()
        engine.idle(finished.session_id, prefill=False)
    if finished.status == "partial":
        ctx.exit(130)


def note_starter(model: str) -> None:
    """Say so when it is the starter model that will answer."""
    from persona import models, paths

    if not models.is_server(model) and models.resolve(model) == paths.starter_model():
        note(STARTER_NOTICE)


def run_turn(engine: "Engine", request: "TurnRequest", stream: bool) -> "TurnFinished":
    """Run one turn, streaming the reply to standard output and the thinking to standard error.

    The first interrupt stops the model, so that what it said is stored; the second one quits.
    """
    from persona.backends.base import TextDelta, ThinkingDelta
    from persona.chat.events import TurnFinished

    finished = None
    with interrupt_cancels() as cancel:
        for event in engine.turn(request, cancel):
            match event:
                case TextDelta(text=text) if stream:
                    click.echo(printable(text), nl=False)
                    sys.stdout.flush()
                case ThinkingDelta(text=text) if stream:
                    click.echo(click.style(printable(text), dim=True), nl=False, err=True)
                case TurnFinished():
                    finished = event
                case _:
                    pass
    if stream:
        click.echo()
    assert finished is not None, "the engine ends every turn with TurnFinished, or raises"
    return finished


def _answer(finished: "TurnFinished") -> dict[str, Any]:
    usage = finished.usage
    return {
        "session": finished.session_id,
        "reply": finished.text,
        "thinking": finished.thinking,
        "status": finished.status,
        "memories": [memory_row(m) for m in finished.memories],
        "usage": {
            "prompt_tokens": usage.prompt_tokens if usage else 0,
            "cached_tokens": usage.cached_tokens if usage else 0,
            "completion_tokens": usage.completion_tokens if usage else 0,
            "ttft_ms": round(usage.ttft_ms, 1) if usage else None,
            "tokens_per_second": round(usage.tokens_per_second, 1) if usage else None,
        },
    }


def sources(memories: "Sequence[Memory]") -> str:
    """The memories a reply was given, one line each."""
    return "\n".join(
        f"  [{m.rank}] {m.sent_at:%Y-%m-%d} {m.author}, {m.source} {m.conversation}: {_short(m.text)}"
        for m in memories
    )


def _short(text: str, length: int = 70) -> str:
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
