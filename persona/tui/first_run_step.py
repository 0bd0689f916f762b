"""What every step of the first run is to the screen that leads through them."""

from textual.containers import Vertical
from textual.message import Message

from persona.tui import keys
from persona.tui.first_run import FirstRun


class Step(Vertical):
    """One question with real work behind its answer. did_anything: whether any of it was done."""

    DEFAULT_CSS = """
    Step { height: 1fr; padding: 1 2; }
    Step .question { text-style: bold; color: $primary; }
    Step .quiet { color: $foreground 60%; }
    Step .trouble { color: $error; }
    Step Input { margin: 1 0 0 0; border: round $foreground 30%; background: $background; }
    Step Input:focus { border: round $primary; }
    Step OptionList { border: round $foreground 30%; background: $background; padding: 0 1; }
    Step OptionList:focus { border: round $primary; background: $background; }
    """

    class Done(Message):
        """The step has what it needs: go on."""

    def __init__(self, first_run: FirstRun, id: str) -> None:
        super().__init__(id=id)
        self.first_run = first_run
        self.did_anything = False

    def begin(self) -> None:
        """The step is shown, for the first time or again."""

    def go_on(self) -> None:
        """Do what the answer asks for, then post Done."""
        self.post_message(self.Done())

    @property
    def stop_key(self) -> str:
        """The key that ends what is going on, to begin a sentence with."""
        return keys.hint(self.app, getattr(self.screen, "STOPS", "step.close")).capitalize()

    def on_unmount(self) -> None:
        # Not left to the screen, whose widgets are gone before it is: a thread that goes on holds up the end.
        self.end()

    def end(self) -> None:
        """Have what is going on end, with nothing shown of it."""

    def stop(self) -> bool:
        """End what is going on; whether anything was."""
        return False
