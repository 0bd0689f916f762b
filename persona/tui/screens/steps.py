"""Steps of the first run, by themselves: another model, another export."""

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Footer

from persona.tui import keys
from persona.tui.first_run_step import Step


class StepScreen(ModalScreen[bool]):
    """Dismissed with whether anything was done. escape ends what is going on, then leaves."""

    ACTIONS = keys.STEP_ACTIONS
    BINDINGS = keys.bindings(keys.STEP_ACTIONS)
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
