"""Asks for another title."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input


class RenameScreen(ModalScreen[str | None]):
    """Enter gives the new title, escape None."""

    DEFAULT_CSS = """
    RenameScreen { align: center middle; background: $background 70%; }
    RenameScreen Input, RenameScreen Input:focus {
        width: 64; max-width: 94%; background: $surface; border: round $primary;
        border-title-color: $primary; border-subtitle-color: $foreground 60%;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._old = title

    def compose(self) -> ComposeResult:
        field = Input(self._old, placeholder="Title", select_on_focus=True)
        field.border_title = "rename the chat"
        field.border_subtitle = "enter keeps it, escape leaves it"
        yield field

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)
