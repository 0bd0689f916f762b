"""Asks for one line."""

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from persona.tui import keys
from persona.tui.widgets.links import links


class LineScreen(ModalScreen[str | None]):
    """Enter gives the line, unless it is blank; escape gives None. what: asked for, above the field."""

    DEFAULT_CSS = """
    LineScreen { align: center middle; background: $background 70%; }
    LineScreen Input, LineScreen Input:focus {
        width: 64; max-width: 94%; background: $surface; border: round $primary;
        border-title-color: $primary; border-subtitle-color: $foreground 60%;
    }
    """
    ACTIONS = keys.LINE_ACTIONS
    BINDINGS = keys.bindings(keys.LINE_ACTIONS)

    def __init__(self, what: str, old: str = "") -> None:
        super().__init__()
        self._what, self._old = what, old

    def compose(self) -> ComposeResult:
        field = Input(self._old, select_on_focus=True)
        field.border_title = self._what
        keep, leave = (keys.hint(self.app, id) for id in ("line.keep", "line.close"))
        field.border_subtitle = links(
            (f"keep it ({keep})", "screen.keep"), (f"leave it ({leave})", "screen.dismiss(None)")
        )
        yield field

    def on_input_submitted(self) -> None:
        self.action_keep()

    def action_keep(self) -> None:
        """Give the line."""
        self.dismiss(self.query_one(Input).value.strip() or None)
