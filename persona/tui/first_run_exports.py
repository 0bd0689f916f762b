"""The second step: where are your exports. Each is read as soon as it is named."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from knowledge.progress import Progress
from knowledge.text import one_line, printable
from persona.errors import PersonaError
from persona.tui.feed import as_persona_error
from persona.tui.first_run import FirstRun
from persona.tui.first_run_import import Stopped, anything_read, asked, read, settle_owner, summary
from persona.tui.first_run_inputs import export_paths
from persona.tui.first_run_step import Step

if TYPE_CHECKING:
    from knowledge.memory import IngestResult
    from knowledge.people import Candidate, Owner

Reader = Callable[[Path, Sequence[str], Callable[[Progress], object], threading.Event], "IngestResult"]
Settler = Callable[[Sequence[str]], "Owner"]

NOBODY_OF_THESE = "none of these"


class PathSuggester(Suggester):
    """Completes the last part of a path, as a shell does."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first file or folder that begins as `value` does."""
        folder, slash, begun = value.rpartition("/")
        if not slash or not begun:
            return None
        try:
            entries = sorted(Path(f"{folder}/").expanduser().iterdir())
        except OSError:
            return None
        return next((f"{folder}/{e.name}" for e in entries if e.name.startswith(begun)), None)


class ExportRow(Static):
    """One export: how far its reading is, then what came of it."""

    DEFAULT_CSS = """
    ExportRow { height: auto; margin: 0 0 1 0; }
    """

    def __init__(self, path: Path) -> None:
        super().__init__(markup=False)
        self.path = path
        self.say("waiting", "$foreground 60%")

    def say(self, status: str, colour: str, *lines: str) -> None:
        """`name  status`, and details under it."""
        head = Content.assemble((one_line(printable(self.path.name)), "bold"), "  ", (status, colour))
        self.update(Content("\n").join([head, *(Content.styled(line, "$foreground 80%") for line in lines)]))

    def show_error(self, error: PersonaError) -> None:
        """What went wrong and what to do."""
        self.say("failed", "$error", printable(error.message), f"→ {printable(error.hint)}")


class ExportsStep(Step):
    """Reads exports one after the other, away from the app's thread.

    reader, settler: read an export and settle whose it is, into a home that nobody has open unless others
    are given. dropped: paths to begin with.
    """

    DEFAULT_CSS = """
    ExportsStep VerticalScroll { height: 1fr; margin: 1 0 0 0; }
    ExportsStep #owner { height: auto; display: none; }
    ExportsStep #candidates { height: auto; margin: 1 0 0 0; display: none; }
    """

    class Heard(Message):
        """The reading of `path` got somewhere."""

        def __init__(self, path: Path, now: Progress) -> None:
            super().__init__()
            self.path, self.now = path, now

    class Over(Message):
        """The reading of `path` is over: a result, an error, or neither when it was stopped."""

        def __init__(self, path: Path, outcome: "IngestResult | PersonaError | None") -> None:
            super().__init__()
            self.path, self.outcome = path, outcome

    class OwnerSettled(Message):
        """Whose archive it is: a name, or why that is not known."""

        def __init__(self, outcome: str | PersonaError) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(
        self,
        first_run: FirstRun,
        reader: Reader = read,
        settler: Settler = settle_owner,
        dropped: Sequence[Path] = (),
    ) -> None:
        super().__init__(first_run, id="exports")
        self._reader, self._settler = reader, settler
        self._dropped = dropped
        self._waiting: list[Path] = []
        self._reading: Path | None = None
        self._stop = threading.Event()
        self._candidates: list[Candidate] = []
        self._asked_to_go_on = False

    def compose(self) -> ComposeResult:
        yield Static("Where are your exports?", classes="question", markup=False)
        yield Static(
            "Type a path, or drop a file or folder on this window: a Slack or Discord export, mail (mbox, "
            "Maildir, .eml), notes. Zip files stay packed; what it is is found by its content.",
            classes="quiet",
            markup=False,
        )
        yield Input(placeholder="~/Downloads/slack-export.zip", id="path", suggester=PathSuggester())
        with VerticalScroll(id="rows"):
            yield Static(id="owner", markup=False)
            yield OptionList(id="candidates", markup=False)

    def begin(self) -> None:
        self.query_one(Input).focus()
        shown = {row.path for row in self.query(ExportRow)}
        for export in self.first_run.exports:
            if Path(export.path) in shown:
                continue
            if export.done:
                self._row(Path(export.path)).say("was read before", "$success")
            else:
                self._add(Path(export.path))
        for path in self._dropped:
            self._add(path)
        self._dropped = ()

    # Reading

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.go_on()
            return
        for path in export_paths(event.value):
            self._add(path)
        self.query_one(Input).value = ""

    def _row(self, path: Path) -> ExportRow:
        for row in self.query(ExportRow):
            if row.path == path:
                return row
        row = ExportRow(path)
        self.query_one("#rows").mount(row, before="#owner")
        return row

    def _add(self, path: Path) -> None:
        row = self._row(path)
        if path == self._reading or path in self._waiting:
            return
        row.say("waiting", "$foreground 60%")
        self._waiting.append(path)
        self._read_next()

    def _read_next(self) -> None:
        if self._reading is not None or not self._waiting:
            return
        self._reading = path = self._waiting.pop(0)
        if path.exists():
            self.first_run.begun(path)
        self._row(path).say("looking what it is…", "$primary")
        self._stop = threading.Event()
        self.run_worker(partial(self._read, path, self._stop), thread=True, group="read")

    def _read(self, path: Path, stop: threading.Event) -> None:
        outcome: IngestResult | PersonaError | None = None
        try:
            outcome = self._reader(
                path, self.first_run.names, lambda now: self.post_message(self.Heard(path, now)), stop
            )
        except Stopped:
            pass
        except Exception as error:
            outcome = as_persona_error(error)
        self.post_message(self.Over(path, outcome))

    def on_exports_step_heard(self, event: Heard) -> None:
        share = event.now.done / (event.now.total or 1)
        self._row(event.path).say(f"{event.now.stage}: {share:.0%}", "$primary")

    def on_exports_step_over(self, event: Over) -> None:
        row, outcome = self._row(event.path), event.outcome
        if outcome is None:
            row.say("stopped", "$warning", f"`persona ingest {event.path}` reads the rest")
        elif isinstance(outcome, PersonaError):
            row.show_error(outcome)
        else:
            self.did_anything = True
            self.first_run.begun(event.path).done = True
            self.first_run.save()
            read_any = anything_read(outcome)
            row.say("read" if read_any else "nothing in it could be read",
                    "$success" if read_any else "$error", *summary(outcome))  # fmt: skip
            self._ask_owner(outcome)
        row.scroll_visible(animate=False)
        self._reading = None
        self._read_next()
        if self._reading is None and self._asked_to_go_on and not self._question.display:
            self.go_on()

    def stop(self) -> bool:
        for path in self._waiting:
            self._row(path).say("not read", "$warning")
        self.end()
        return self._reading is not None

    def end(self) -> None:
        self._stop.set()
        self._waiting.clear()
        self._asked_to_go_on = False

    def go_on(self) -> None:
        """Go on at once, or as soon as everything named is read."""
        typed = self.query_one(Input)
        if typed.value.strip():
            self._asked_to_go_on = True
            typed.post_message(Input.Submitted(typed, typed.value))
        elif self._reading is not None:
            self._asked_to_go_on = True
            self.notify(f"Goes on as soon as this is read. {self.stop_key} stops the reading.", markup=False)
        elif self._question.display:
            self._question.focus()
            self.notify("Choose who you are, or skip this step.", markup=False)
        else:
            self._asked_to_go_on = False
            self.post_message(self.Done())

    # Whose it is

    @property
    def _question(self) -> OptionList:
        return self.query_one("#candidates", OptionList)

    def _ask_owner(self, result: "IngestResult") -> None:
        owner, options = self.query_one("#owner", Static), self._question
        self._candidates = result.candidates[:5]
        options.clear_options()
        options.display = result.owner is None and bool(self._candidates)
        owner.display = result.owner is not None or bool(self._candidates)
        if result.owner is not None:
            owner.update(Content.styled(f"You are {one_line(printable(result.owner.name))}.", "$success"))
        elif self._candidates:
            tried = ", ".join(self.first_run.names)
            nobody = f"Nobody in there is called {tried}. " if tried else ""
            owner.update(Content.styled(f"{nobody}Which of these is you?", "bold $primary"))
            options.add_options(Option(Content(asked(c))) for c in self._candidates)
            options.add_option(Option(NOBODY_OF_THESE))
            options.highlighted = 0
            options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        event.option_list.display = False
        self.query_one(Input).focus()
        if event.option_index < len(self._candidates):
            ids = self._candidates[event.option_index].identity_ids
            self.run_worker(partial(self._settle, ids), thread=True, group="settle")
        else:
            later = "`persona people me NAME` settles later who you are."
            self.query_one("#owner", Static).update(Content(later))

    def _settle(self, ids: tuple[str, ...]) -> None:
        try:
            self.post_message(self.OwnerSettled(self._settler(ids).name))
        except Exception as error:
            self.post_message(self.OwnerSettled(as_persona_error(error)))

    def on_exports_step_owner_settled(self, event: OwnerSettled) -> None:
        said = self.query_one("#owner", Static)
        if isinstance(event.outcome, PersonaError):
            said.update(Content.styled(f"{event.outcome.message}\n→ {event.outcome.hint}", "$error"))
        else:
            said.update(Content.styled(f"You are {one_line(printable(event.outcome))}.", "$success"))
