"""The first run: three steps to a chat, each of which can be skipped, gone back from and resumed."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, ContentSwitcher, Footer, Static

from persona.tui import keys
from persona.tui.first_run import FirstRun
from persona.tui.first_run_exports import ExportsStep
from persona.tui.first_run_model import ModelStep
from persona.tui.first_run_step import Step
from persona.tui.first_run_who import WhoStep

STEPS = (("who", "you"), ("exports", "your exports"), ("model", "the model"))


class FirstRunScreen(Screen[None]):
    """Leads through the steps of `first_run` from where it stands."""

    ACTIONS = keys.FIRST_RUN_ACTIONS
    BINDINGS = keys.bindings(keys.FIRST_RUN_ACTIONS)
    STOPS = "first_run.back"
    DEFAULT_CSS = """
    FirstRunScreen { layout: vertical; background: $background; }
    FirstRunScreen #way { dock: top; height: auto; padding: 0 1; background: $surface; }
    FirstRunScreen ContentSwitcher { height: 1fr; }
    FirstRunScreen #buttons { height: 1; padding: 0 1; }
    FirstRunScreen Button { margin: 0 1 0 0; min-width: 10; }
    FirstRunScreen Footer { background: $surface; }
    """

    class Finished(Message):
        """The way is walked: the chat may open."""

    def __init__(self, first_run: FirstRun) -> None:
        super().__init__()
        self._first_run = first_run

    def compose(self) -> ComposeResult:
        yield Static(id="way", markup=False)
        with ContentSwitcher(initial=self._current()):
            yield WhoStep(self._first_run)
            yield ExportsStep(self._first_run)
            yield ModelStep(self._first_run)
        with Horizontal(id="buttons"):
            yield Button("Back", id="back", compact=True)
            yield Button("Skip", id="skip", compact=True)
            yield Button("Continue", id="go_on", variant="primary", compact=True)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._show()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.call_later(self.run_action, str(event.button.id))

    def on_step_done(self) -> None:
        self._to(self._first_run.step + 1)

    def action_go_on(self) -> None:
        """Do what the step asks for, and go on."""
        self._step.go_on()

    def action_skip(self) -> None:
        """Go on without it."""
        self._step.stop()
        self._to(self._first_run.step + 1)

    def action_back(self) -> None:
        """End what is going on; the step before, if nothing was."""
        if not self._step.stop() and self._first_run.step > 0:
            self._to(self._first_run.step - 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The first step has nothing before it."""
        return action != "back" or self._first_run.step > 0

    @property
    def _step(self) -> Step:
        return self.query_one(f"#{self._current()}", Step)

    def _current(self) -> str:
        return STEPS[min(self._first_run.step, len(STEPS) - 1)][0]

    def _to(self, number: int) -> None:
        if number == len(STEPS):
            self._first_run.finish()
            self.post_message(self.Finished())
            return
        self._first_run.go_to(number)
        self._show()

    def _show(self) -> None:
        self.query_one(ContentSwitcher).current = self._current()
        self.query_one("#back", Button).disabled = self._first_run.step == 0
        way = Content("  ›  ").join(
            Content.styled(
                f"{n + 1} {title}", "bold $primary" if n == self._first_run.step else "$foreground 60%"
            )
            for n, (_, title) in enumerate(STEPS)
        )
        leave = keys.hint(self.app, "app.quit")
        head = Content.assemble(
            ("A twin of your own", "bold $primary"),
            (f"   in three steps; {leave} leaves, and the next start goes on from here", "$foreground 60%"),
        )
        self.query_one("#way", Static).update(Content("\n").join([head, way]))
        self.refresh_bindings()
        self.call_after_refresh(self._step.begin)
