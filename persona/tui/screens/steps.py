"""Steps of the first run, by themselves: another model, another export."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Footer

from persona.tui.first_run_step import Step


class StepScreen(ModalScreen[bool]):
    """Dismissed with whether anything was done. escape ends what is going on, then leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Back"),
        Binding("ctrl+n", "go_on", "Done"),
    ]
    DEFAULT_CSS = """
    StepScreen { background: $background; }
    StepScreen Footer { background: $surface; }
    """

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._step = step
        self._done = False

    def compose(self) -> ComposeResult:
        yield self._step
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._step.begin()

    def on_step_done(self) -> None:
        self.dismiss(True)

    def action_go_on(self) -> None:
        """Do what the step asks for."""
        self._step.go_on()

    def action_close(self) -> None:
        """End what is going on; back to the chat, if nothing is."""
        if not self._step.stop():
            self.dismiss(self._step.did_anything)
