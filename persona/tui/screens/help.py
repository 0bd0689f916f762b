"""The help sheet: every key."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from persona.tui import keys
from persona.tui.keys import Action
from persona.tui.widgets.links import links

if TYPE_CHECKING:
    from textual.app import App

ABOUT = (
    "The twin answers from its owner's messages. Open “memories” under a reply to see what it was given "
    "to read. The command palette holds every action. Everything stays on this machine."
)


class HelpScreen(ModalScreen[None]):
    """Closes with any of the usual keys."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 70%; }
    HelpScreen > VerticalScroll {
        width: 78; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
        background: $surface; border: round $primary; border-title-color: $primary;
    }
    HelpScreen Grid { grid-size: 2; grid-columns: 19 1fr; grid-rows: auto; height: auto; }
    HelpScreen Static { height: auto; }
    HelpScreen .key { color: $primary; text-style: bold; }
    HelpScreen .heading { color: $secondary; margin: 1 0 0 0; }
    HelpScreen .about { color: $foreground 60%; margin: 1 0 0 0; }
    """

    ACTIONS = keys.HELP_ACTIONS
    BINDINGS = keys.bindings(keys.HELP_ACTIONS)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as sheet:
            sheet.border_title = "keys"
            sheet.border_subtitle = links((f"close ({keys.hint(self.app, 'help.close')})", "screen.dismiss"))
            for heading, rows in sheets(self.app):
                yield Static(heading, classes="heading", markup=False)
                with Grid():
                    for pressed, text in rows:
                        yield Static(pressed, classes="key", markup=False)
                        yield Static(text, markup=False)
            yield Static(ABOUT, classes="about", markup=False)


def sheets(app: "App[Any]") -> list[tuple[str, list[tuple[str, str]]]]:
    """Every key with what it does now, by where it does."""
    return [(heading, _rows(app, actions)) for heading, actions in keys.ALL]


def _rows(app: "App[Any]", actions: Sequence[Action]) -> list[tuple[str, str]]:
    rows = [(keys.in_force(app, a.id), f"{a.title}: {a.help}" if a.help else a.title) for a in actions]
    if actions is keys.PROMPT_ACTIONS:
        rows += keys.WRITING
    return [(pressed, text) for pressed, text in rows if pressed]
