"""The third step: which model talks. One that is not here is fetched, and the starter needs nothing."""

import threading
from functools import partial

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, ProgressBar, Static
from textual.widgets.option_list import Option

from knowledge.progress import Progress
from knowledge.text import one_line, printable
from persona.errors import PersonaError
from persona.tui.feed import as_persona_error
from persona.tui.first_run import FirstRun
from persona.tui.first_run_choices import Choice, choices
from persona.tui.first_run_step import Step

_MB = 1e6


class ModelStep(Step):
    """Offers models, and makes the chosen one the model that talks."""

    DEFAULT_CSS = """
    ModelStep OptionList { height: auto; max-height: 14; margin: 1 0 0 0; }
    ModelStep #pull { height: 1; margin: 1 0 0 0; display: none; }
    ModelStep #said { height: auto; margin: 1 0 0 0; }
    """

    class Listed(Message):
        """What there is to choose from, or why that is not known."""

        def __init__(self, outcome: list[Choice] | PersonaError) -> None:
            super().__init__()
            self.outcome = outcome

    class Pulled(Message):
        """Bytes that have come, of all."""

        def __init__(self, now: Progress) -> None:
            super().__init__()
            self.now = now

    class Chosen(Message):
        """The model talks from now on; or an error, or neither where the download was stopped."""

        def __init__(self, choice: Choice, error: PersonaError | None, stopped: bool = False) -> None:
            super().__init__()
            self.choice, self.error, self.stopped = choice, error, stopped

    def __init__(self, first_run: FirstRun) -> None:
        super().__init__(first_run, id="model")
        self._choices: list[Choice] = []
        self._cancel: threading.Event | None = None

    def compose(self) -> ComposeResult:
        yield Static("Which model fits this machine?", classes="question", markup=False)
        yield Static(
            "It runs here; only a download asks the network. `persona models` changes it at any time.",
            classes="quiet",
            markup=False,
        )
        yield OptionList(markup=False)
        yield Static(id="said", markup=False)
        yield ProgressBar(id="pull", show_eta=True)

    def begin(self) -> None:
        self.query_one(OptionList).focus()
        if not self._choices:
            self.run_worker(self._look, thread=True, group="look", exclusive=True)

    def _look(self) -> None:
        try:
            self.post_message(self.Listed(choices()))
        except Exception as error:
            self.post_message(self.Listed(as_persona_error(error)))

    def on_model_step_listed(self, event: Listed) -> None:
        if isinstance(event.outcome, PersonaError):
            self._trouble(event.outcome, "Skip this step: the starter talks then.")
            return
        self._choices = event.outcome
        options = self.query_one(OptionList)
        options.clear_options()
        for choice in self._choices:
            mark = ("● ", "$success") if choice.here else ("↓ ", "$foreground 60%")
            about = one_line(printable(choice.about))
            options.add_option(Option(Content.assemble(mark, (choice.name, "bold"), f"  {about}")))
        options.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(self._choices[event.option_index])

    def go_on(self) -> None:
        """Take the model under the cursor."""
        at = self.query_one(OptionList).highlighted
        if at is None or not self._choices:
            self.post_message(self.Done())
        else:
            self._choose(self._choices[at])

    def stop(self) -> bool:
        self.end()
        return self._cancel is not None

    def end(self) -> None:
        if self._cancel is not None:
            self._cancel.set()

    def _choose(self, choice: Choice) -> None:
        if self._cancel is not None:
            self.notify(f"A download is running. {self.stop_key} stops it.", markup=False)
            return
        self._cancel = threading.Event()
        self._say(Content("" if choice.here else f"Downloading {choice.name}. {self.stop_key} stops it; "
                          "what has come is kept."))  # fmt: skip
        self.query_one("#pull", ProgressBar).update(total=None, progress=0)
        self.query_one("#pull").display = not choice.here
        self.run_worker(partial(self._take, choice, self._cancel), thread=True, group="take")

    def _take(self, choice: Choice, cancel: threading.Event) -> None:
        from persona import models

        def pulled(now: Progress) -> None:
            self.post_message(self.Pulled(now))

        try:
            if not choice.here:
                models.pull(choice.name, pulled, cancel)
            if not cancel.is_set():
                models.use(choice.name)
        except Exception as error:
            if not cancel.is_set():
                self.post_message(self.Chosen(choice, as_persona_error(error)))
                return
        self.post_message(self.Chosen(choice, None, stopped=cancel.is_set()))

    def on_model_step_pulled(self, event: Pulled) -> None:
        now = event.now
        self.query_one("#pull", ProgressBar).update(total=now.total, progress=now.done)
        of = f" of {now.total / _MB:,.0f}" if now.total else ""
        self._say(
            Content(
                f"{now.stage}: {now.done / _MB:,.0f}{of} MB. {self.stop_key} stops it; what has come is kept."
            )
        )

    def on_model_step_chosen(self, event: Chosen) -> None:
        self._cancel = None
        self.query_one("#pull").display = False
        if event.error is not None:
            self._trouble(event.error, "The starter needs no download: choose it, or skip this step.")
        elif event.stopped:
            self._say(Content("Stopped. What has come is kept; choosing it again goes on from there."))
        else:
            self.post_message(self.Done())

    def _trouble(self, error: PersonaError, way_on: str) -> None:
        said = f"{printable(error.message)}\n→ {printable(error.hint)}\n"
        self._say(Content.assemble((said, "$error"), way_on))

    def _say(self, text: Content) -> None:
        self.query_one("#said", Static).update(text)
