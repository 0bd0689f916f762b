"""The root command: finds subcommands by name, and turns every ending into an exit code.

0 done, 1 a PersonaError (what happened, what to do), 2 wrong usage, 130 interrupted.
"""

import importlib
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import click

import persona
from knowledge.text import one_line, printable
from persona.errors import PersonaError

_COMMANDS = {
    "demo": "persona.cli.demo:demo",
    "chat": "persona.cli.chat:chat",
    "ask": "persona.cli.ask:ask",
    "ingest": "persona.cli.ingest:ingest",
    "messages": "persona.cli.messages:messages",
    "people": "persona.cli.people:people",
    "memory": "persona.cli.memory:memory",
    "card": "persona.cli.card:card",
    "sessions": "persona.cli.sessions:sessions",
    "eval": "persona.cli.eval:eval_",
    "ab": "persona.cli.ab:ab",
    "bench": "persona.cli.bench:bench",
    "models": "persona.cli.models:models",
    "serve": "persona.cli.serve:serve",
    "mcp": "persona.cli.mcp:mcp",
    "doctor": "persona.cli.doctor:doctor",
    "config": "persona.cli.settings:config",
    "locate": "persona.cli.locate:locate",
}


@dataclass
class Invocation:
    """What the root options say; kept outside click so that the error path can read it."""

    debug: bool = False


class _LazyGroup(click.Group):
    """Imports a subcommand's module when that subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *_plugged()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _COMMANDS.get(cmd_name) or _plugged().get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def _plugged() -> dict[str, str]:
    """Commands that other packages add: the trainer's, which this package never imports."""
    from importlib.metadata import entry_points

    return {found.name: found.value for found in entry_points(group="persona.commands")}


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(persona.__version__, prog_name="persona")
@click.option("--debug", is_flag=True, help="Show tracebacks and what libraries log.")
@click.pass_obj
def root(invocation: Invocation, debug: bool) -> None:
    """A twin that writes like you and remembers what you know, on your own machine.

    \b
    Try it on a fictional person:   persona demo
    Then on your own messages:      persona ingest EXPORT --me "Your Name"
                                    persona chat
    """
    from persona import backends, env_file, logs, offline  # noqa: F401  settles how threads wait, first of all

    invocation.debug = debug
    env_file.load()
    offline.stay_on_this_machine()
    logs.start(debug)


def main() -> NoReturn:
    """The entry point of the `persona` script."""
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run one command line and give its exit code; errors are written to standard error."""
    invocation = Invocation()
    started = time.monotonic()
    try:
        code = root.main(list(args), prog_name="persona", obj=invocation, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted", "")
        return 130
    except PersonaError as error:
        return _failed(error, error.message, error.hint, invocation, started)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "check free space and the rights of the folders that `persona locate` names"
        return _failed(error, f"{where}{error.strerror or error}", hint, invocation, started)
    except Exception as error:
        what = f"unexpected {type(error).__name__}: {error}"
        return _failed(error, what, "`persona --debug …` shows where; please report it", invocation, started)


def _failed(error: Exception, what: str, hint: str, invocation: Invocation, started: float) -> int:
    import logging

    from persona import logs

    if not isinstance(error, PersonaError):
        logger = logging.getLogger("persona.cli")
        logger.error("failed after %.1f s: %s", time.monotonic() - started, logs.failure(error))
    if invocation.debug:
        traceback.print_exception(error)
    _say(what, hint)
    return 1


def _say(what: str, hint: str) -> None:
    click.echo(f"persona: {one_line(printable(what))}", err=True)
    if hint:
        click.echo(f"  → {one_line(printable(hint))}", err=True)
