"""Asks before something that cannot be undone."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from persona.tui import keys
from persona.tui.widgets.links import links


class ConfirmScreen(ModalScreen[bool]):
    """Dismissed with whether the user says yes."""

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; background: $background 70%; }
    ConfirmScreen > Vertical {
        width: 60; max-width: 94%; height: auto; background: $surface; border: round $error; padding: 1 2;
    }
    ConfirmScreen Static { height: auto; }
    """
    ACTIONS = keys.CONFIRM_ACTIONS
    BINDINGS = keys.bindings(keys.CONFIRM_ACTIONS)

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._question, markup=False)
            yes = f"yes ({keys.hint(self.app, 'confirm.yes')})"
            no = f"no ({keys.hint(self.app, 'confirm.no')})"
            yield Static(links((yes, "screen.answer(True)"), (no, "screen.answer(False)")))

    def action_answer(self, yes: bool) -> None:
        """The answer."""
        self.dismiss(yes)
