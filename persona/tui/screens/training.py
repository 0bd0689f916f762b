"""The loss of a training, as it falls; and what was chosen blind so far."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from knowledge.text import one_line, printable
from persona.tui.calls import in_thread
from persona.tui.plot import line
from persona.tui.training import Run, runs

SECONDS = 2.0
"""How often the files are looked at again."""

HEIGHT = 8
NOTHING = "No training has reported anything yet: `persona train run` begins one."


class TrainingScreen(ModalScreen[None]):
    """tally: the blind choices as `ab tally --json` has them, read in a thread."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    TrainingScreen { background: $background; }
    TrainingScreen > VerticalScroll {
        height: 1fr; padding: 0 1; border: round $primary; border-title-color: $primary;
    }
    TrainingScreen Static { height: auto; margin: 0 0 1 0; }
    TrainingScreen Footer { background: $surface; }
    """

    def __init__(self, tally: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._tally = tally

    def compose(self) -> ComposeResult:
        with VerticalScroll() as page:
            page.border_title = "training"
            yield Static(NOTHING, id="runs", markup=False)
            yield Static(id="choices", markup=False)
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        self.set_interval(SECONDS, self._look)
        self.run_worker(self._look())
        found = await in_thread(self, self._tally)
        if found is not None:
            self.query_one("#choices", Static).update(choices_lines(found))

    async def _look(self) -> None:
        found = await in_thread(self, runs)
        if found:
            width = max(20, self.size.width - 14)
            self.query_one("#runs", Static).update(
                Content("\n\n").join(run_lines(r, width) for r in found[:4])
            )


def run_lines(run: Run, width: int) -> Content:
    """A run: its name, how far it is, and its loss."""
    last = run.last
    state = "done" if run.finished else f"update {last['step']:,} of {last.get('steps', 0):,}"
    more = f" · {last['tokens_per_second']:,.0f} tokens/s" if last.get("tokens_per_second") else ""
    left = (
        f" · {last['seconds_left'] / 60:,.0f} min left"
        if last.get("seconds_left") and not run.finished
        else ""
    )
    head = Content.assemble(
        (one_line(printable(run.name)), "bold $primary"), (f"  {state}{more}{left}", "$foreground 60%")
    )
    rows = line(run.losses, width, HEIGHT)
    high, low = max(run.losses), min(run.losses)
    labels = [f"{high:8.3f} "] + [" " * 9] * (len(rows) - 2) + [f"{low:8.3f} "]
    plot = [
        Content.assemble((label, "$foreground 60%"), (row, "$secondary"))
        for label, row in zip(labels, rows, strict=True)
    ]
    ends = Content.styled(f"         loss {run.losses[0]:.3f} → {run.losses[-1]:.3f}", "$foreground 60%")
    return Content("\n").join([head, *plot, ends])


def choices_lines(found: dict[str, Any]) -> Content:
    """The blind choices: for each pair of arms a bar of how often either was preferred."""
    if not found["choices"]:
        return Content.styled("Nothing was chosen blind yet (F3 in the chat).", "$foreground 60%")
    lines: list[Content] = [Content.styled("chosen blind", "bold $primary")]
    pairs: Sequence[dict[str, Any]] = found["pairs"]
    for pair in pairs:
        decided = pair["chosen_a"] + pair["chosen_b"]
        share = pair["chosen_a"] / decided if decided else 0.0
        bar = round(20 * share)
        said = f" {pair['chosen_a']}:{pair['chosen_b']}, alike {pair['ties']}, neither {pair['neither']}"
        lines.append(
            Content.assemble(
                f"{pair['a']:>24} ",
                ("━" * bar, "$primary"),
                ("━" * (20 - bar), "$secondary"),
                f" {pair['b']}",
                (said, "$foreground 60%"),
            )
        )
        if pair["share_a"] is not None:
            low, high = pair["interval"]
            lines.append(
                Content.styled(
                    f"{'':>25}{share:.0%} of them, 95 %: {low:.0%} to {high:.0%}", "$foreground 60%"
                )
            )
    return Content("\n").join(lines)
