"""The help sheet: every key."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from persona.tui.keys import ALL, PROMPT_KEYS, Action
from persona.tui.widgets.links import links

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
    HelpScreen .heading { color: $secondary; margin: 1 0 0 0; }
    HelpScreen .about { color: $foreground 60%; margin: 1 0 0 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as sheet:
            sheet.border_title = "keys"
            sheet.border_subtitle = links(("close (esc)", "screen.dismiss"))
            for heading, rows in sheets(getattr(self.app, "remapped", {})):
                if heading:
                    yield Static(heading, classes="heading", markup=False)
                with Grid():
                    for keys, text in rows:
                        yield Static(keys, classes="key", markup=False)
                        yield Static(text, markup=False)
            yield Static(ABOUT, classes="about", markup=False)


def sheets(remapped: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every key with what it does, by screen: the prompt's and the chat's first. remapped: keys by id."""
    return [("", list(PROMPT_KEYS)), *((heading, _rows(actions, remapped)) for heading, actions in ALL)]


def _rows(actions: Sequence[Action], remapped: Mapping[str, str]) -> list[tuple[str, str]]:
    rows = [(remapped.get(a.id, a.keys), f"{a.title}: {a.help}" if a.help else a.title) for a in actions]
    return [(keys, text) for keys, text in rows if keys]
