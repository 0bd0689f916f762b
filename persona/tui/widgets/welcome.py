"""What an empty chat shows: who is there, how far the start has come, and three questions to pick."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, ProgressBar, Static
from textual.widgets.option_list import Option

from knowledge.text import one_line, printable


class OpeningProgress(Vertical):
    """What the start is busy with, and a bar where its end is known."""

    DEFAULT_CSS = """
    OpeningProgress { height: auto; margin: 1 0 0 0; }
    OpeningProgress ProgressBar { height: 1; }
    OpeningProgress Bar { width: 32; }
    """

    def compose(self) -> ComposeResult:
        yield Static("starting…", id="stage", markup=False)
        yield ProgressBar(show_eta=False, id="bar")

    def show(self, stage: str, done: int, total: int | None) -> None:
        """done of total, in the stage's own units; total None where the end is not known."""
        amount = ""
        if total is None and done:
            amount = f"  {done:,}"
        elif total is not None and total > 1:
            amount = f"  {done:,} of {total:,}"
        self.query_one("#stage", Static).update(Content(one_line(printable(stage)) + amount))
        self.query_one("#bar", ProgressBar).update(total=total or None, progress=done)


class Questions(OptionList):
    """Questions to start with. They are sent when picked."""

    DEFAULT_CSS = """
    Questions {
        height: auto; border: none; padding: 0; margin: 1 0 0 0; background: transparent;
        scrollbar-size: 0 0;
    }
    Questions:focus { border: none; background: transparent; }
    Questions > .option-list--option { padding: 0 1; }
    Questions > .option-list--option-highlighted {
        background: transparent; color: $foreground; text-style: none;
    }
    Questions:focus > .option-list--option-highlighted {
        background: $primary; color: $background; text-style: bold;
    }
    """

    def __init__(self, questions: Sequence[str]) -> None:
        options = [Option(Content("› " + one_line(printable(q)))) for q in questions]
        super().__init__(*options, markup=False)
        self.questions = tuple(questions)


class Welcome(Vertical):
    """Gone after the first turn."""

    DEFAULT_CSS = """
    Welcome { height: auto; padding: 1 2; }
    Welcome #greeting { text-style: bold; color: $primary; }
    Welcome .quiet { color: $foreground 60%; }
    Welcome #hint { margin: 1 0 0 0; }
    """

    def __init__(self, questions: Sequence[str], opening: bool) -> None:
        super().__init__()
        self._questions = questions
        self._opening = opening

    def compose(self) -> ComposeResult:
        yield Static("A twin that remembers", id="greeting", markup=False)
        yield Static(
            "It answers from its owner's own messages. Everything stays on this machine.",
            classes="quiet",
            markup=False,
        )
        if self._opening:
            yield OpeningProgress()
        if self._questions:
            yield Questions(self._questions)
            yield Static(
                "press ↑ to pick a question, or just write", id="hint", classes="quiet", markup=False
            )
