"""The long jobs, as they go: vectors, the loss of each training, the last A/B run; and blind choices."""

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.figures import ab_lines, choices_lines, index_lines, run_lines
from persona.tui.indexing import Indexing
from persona.tui.training import runs

SECONDS = 2.0
"""How often it is looked at again."""

RUNS = 4
"""The newest trainings; older ones say nothing of what is going on."""

NOTHING = "No training has reported anything yet: `persona train run` begins one."


class TrainingScreen(ModalScreen[None]):
    """indexing: how far the vectors are. tally: the blind choices as `ab tally --json` has them, last_ab: the
    last A/B run as `persona.lab.ab.last` has it; both are read in a thread."""

    ACTIONS = keys.TRAINING_ACTIONS
    BINDINGS = keys.bindings(keys.TRAINING_ACTIONS)
    DEFAULT_CSS = """
    TrainingScreen { background: $background; }
    TrainingScreen > VerticalScroll {
        height: 1fr; padding: 0 1; border: round $primary; border-title-color: $primary;
    }
    TrainingScreen Static { height: auto; margin: 0 0 1 0; }
    TrainingScreen Footer { background: $surface; }
    """

    def __init__(
        self,
        indexing: Callable[[], Indexing | None],
        tally: Callable[[], dict[str, Any]],
        last_ab: Callable[[], dict[str, Any] | None],
    ) -> None:
        super().__init__()
        self._indexing, self._tally, self._last_ab = indexing, tally, last_ab

    def compose(self) -> ComposeResult:
        with VerticalScroll() as page:
            page.border_title = "long jobs"
            yield Static(id="index", markup=False)
            yield Static(NOTHING, id="runs", markup=False)
            yield Static(id="ab", markup=False)
            yield Static(id="choices", markup=False)
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        self.set_interval(SECONDS, self._look)
        self.run_worker(self._look())
        found = await in_thread(self, self._tally)
        if found is not None:
            self._show("choices", choices_lines(found, keys.hint(self.app, "chat.compare").capitalize()))

    async def _look(self) -> None:
        self._show("index", index_lines(self._indexing()))
        width = max(20, self.size.width - 14)
        trained = await in_thread(self, runs)
        if trained:
            self._show("runs", Content("\n\n").join(run_lines(run, width) for run in trained[:RUNS]))
        self._show("ab", ab_lines(await in_thread(self, self._last_ab), width))

    def _show(self, part: str, content: Content) -> None:
        self.query_one(f"#{part}", Static).update(content)
