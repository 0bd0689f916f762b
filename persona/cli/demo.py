"""`persona demo`: the sample twin, in a home of its own."""

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from persona.cli.output import progress, say

_SEED = 1


@click.command()
@click.option("--home", "home", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-chat", is_flag=True, help="Prepare only, so that `ask` and the rest can be tried.")
@click.pass_context
def demo(ctx: click.Context, home: Path | None, no_chat: bool) -> None:
    """Meet the sample twin, a fictional person.

    She lives in a temporary home that goes when the chat ends, unless --home names one to keep.
    """
    if no_chat:
        _prepare_only(home or Path(tempfile.mkdtemp(prefix="persona-demo-")))
    elif home is not None:
        ctx.exit(_talk(home))
    else:
        with tempfile.TemporaryDirectory(prefix="persona-demo-", ignore_cleanup_errors=True) as temporary:
            code = _talk(Path(temporary))
        ctx.exit(code)


def _talk(home: Path) -> int:
    from persona.demo import enter, prepare

    enter(home)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        _short_conversation(home)
        return 0
    from persona import tui

    return tui.run(home_is_demo=True, prepare=lambda report: prepare(home, report, embed=False))


def _prepare_only(home: Path) -> None:
    from persona.demo import DEMO_QUESTIONS, OWNER, prepare

    with progress() as report:
        prepare(home, report)
    home = home.expanduser().resolve()
    say(f"{OWNER}, the sample twin, is ready in {home}")
    say(f'  export PERSONA_HOME="{home}"')
    say(f'  persona ask "{DEMO_QUESTIONS[0]}"')


def _short_conversation(home: Path) -> None:
    """Three real questions through the engine, each with the memories it was answered from."""
    from persona import config
    from persona.chat.events import TurnRequest
    from persona.chat.opening import open_engine
    from persona.cli.ask import note_starter, run_turn, sources
    from persona.demo import DEMO_QUESTIONS, OWNER, prepare

    with progress() as report:
        prepare(home, report)
    settings = config.load()
    note_starter(settings.model.name)
    with closing(open_engine(settings)) as engine:
        session: str | None = None
        for question in DEMO_QUESTIONS:
            say(f"\nyou: {question}")
            click.echo(f"{OWNER.split()[0]}: ", nl=False)
            finished = run_turn(engine, TurnRequest(question, session_id=session, seed=_SEED), stream=True)
            session = finished.session_id
            say(sources(finished.memories))
    say("\nThat was a real conversation; in a terminal `persona demo` opens the chat.")
