"""The help sheet: every key of the chat."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from persona.tui.keys import ACTIONS, PROMPT_KEYS

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
    HelpScreen Grid { grid-size: 2; grid-columns: 14 1fr; grid-rows: auto; height: auto; }
    HelpScreen Static { height: auto; }
    HelpScreen .key { color: $primary; text-style: bold; }
    HelpScreen .about { color: $foreground 60%; margin: 1 0 0 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as sheet:
            sheet.border_title = "keys"
            with Grid():
                for keys, text in rows():
                    yield Static(keys, classes="key", markup=False)
                    yield Static(text, markup=False)
            yield Static(ABOUT, classes="about", markup=False)


def rows() -> list[tuple[str, str]]:
    """Every key with what it does: the prompt's first, then the chat's."""
    return [*PROMPT_KEYS, *((a.keys, f"{a.title}: {a.help}") for a in ACTIONS if a.keys)]
