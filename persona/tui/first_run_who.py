"""The first step: who are you. Names are matched with what the exports say, so several are welcome."""

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from knowledge.text import printable
from persona.errors import PersonaError
from persona.tui.feed import as_persona_error
from persona.tui.first_run import FirstRun
from persona.tui.first_run_inputs import known_names, names
from persona.tui.first_run_step import Step


class WhoStep(Step):
    """Takes names, and gives them to an archive that is there already."""

    class Settled(Message):
        """The archive was told. error: why it could not be."""

        def __init__(self, error: PersonaError | None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, first_run: FirstRun) -> None:
        super().__init__(first_run, id="who")
        self._guessed = False

    def compose(self) -> ComposeResult:
        yield Static("Who are you?", classes="question", markup=False)
        yield Static(
            "Your name, mail addresses and handles as they stand in your exports, with commas between. "
            "They tell your own messages from everybody else's. Nothing leaves this machine.",
            classes="quiet",
            markup=False,
        )
        yield Input(placeholder="Mira Sol, mira@example.org, @mira", id="names")
        yield Static(id="understood", markup=False)

    def begin(self) -> None:
        field = self.query_one(Input)
        if not field.value:
            known = self.first_run.names or known_names()
            self._guessed = bool(known) and not self.first_run.names
            field.value = printable(", ".join(known))
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        given = names(event.value)
        lines = ["  ".join(f"● {name}" for name in given)]
        if self._guessed:
            lines.append("Taken from this computer's own settings; change it as you like.")
            self._guessed = False
        self.query_one("#understood", Static).update(Content("\n".join(lines)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.go_on()

    def go_on(self) -> None:
        given = names(self.query_one(Input).value)
        changed = given != self.first_run.names
        self.first_run.names = given
        self.first_run.save()
        if changed and given and any(export.done for export in self.first_run.exports):
            self.run_worker(self._settle, thread=True, group="settle", exclusive=True)
        else:
            self.post_message(self.Done())

    def _settle(self) -> None:
        from persona.tui.first_run_import import settle_owner

        try:
            settle_owner(self.first_run.names)
        except Exception as error:
            self.post_message(self.Settled(as_persona_error(error)))
        else:
            self.post_message(self.Settled(None))

    def on_who_step_settled(self, event: Settled) -> None:
        if event.error is None:
            self.post_message(self.Done())
        else:
            trouble = Content.styled(f"{event.error.message}\n→ {event.error.hint}", "$error")
            self.query_one("#understood", Static).update(trouble)
