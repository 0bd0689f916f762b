"""The help sheet: every key of the chat."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from persona.tui.keys import ACTIONS, PROMPT_KEYS


class HelpScreen(ModalScreen[None]):
    """Closes with any of the usual keys."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 70%; }
    HelpScreen > VerticalScroll {
        width: 76; max-width: 96%; height: auto; max-height: 94%; padding: 1 2;
        background: $surface; border: round $primary; border-title-color: $primary;
    }
    HelpScreen Static { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as sheet:
            sheet.border_title = "keys"
            yield Static(self._sheet(), markup=False)

    def _sheet(self) -> Content:
        rows = [(a.keys or "palette", f"{a.title}: {a.help}") for a in ACTIONS]
        lines = [_row(keys, text) for keys, text in (*PROMPT_KEYS, *rows)]
        about = Content.styled(
            "\nThe twin answers from its owner's messages. Open “memories” under a reply to see what it was "
            "given to read. Everything stays on this machine.",
            "$foreground 60%",
        )
        return Content("\n").join([*lines, about])


def _row(keys: str, text: str) -> Content:
    return Content.assemble((f"{keys:<20}", "bold $primary"), text)
