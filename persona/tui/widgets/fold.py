"""A heading that opens and closes what is under it.

Textual's own Collapsible scrolls itself into view whenever it is toggled, by the program too, which
moves the page under a reader.
"""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from persona.tui import keys


class FoldTitle(Static, can_focus=True):
    """The heading of a fold: click it, or Enter on it."""

    ACTIONS = keys.FOLD_ACTIONS
    BINDINGS = keys.bindings(keys.FOLD_ACTIONS)
    ALLOW_SELECT = False

    class Toggled(Message):
        """The reader wants it the other way round."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Toggled())

    def action_open(self) -> None:
        self.post_message(self.Toggled())


class Fold(Vertical):
    """A title, and contents that show while `opened`."""

    DEFAULT_CSS = """
    Fold { height: auto; width: 1fr; }
    Fold > FoldTitle {
        width: auto; height: 1; padding: 0 1 0 0; color: $foreground 60%; pointer: pointer;
    }
    Fold > FoldTitle:hover { color: $foreground; text-style: underline; }
    Fold > FoldTitle:focus { color: $primary; text-style: bold; }
    Fold > .fold--contents { height: auto; padding: 0 0 0 2; display: none; }
    Fold.-opened > .fold--contents { display: block; }
    """

    opened = reactive(False)
    title: reactive[str] = reactive("")

    def __init__(self, title: str = "", *, opened: bool = False, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.contents = Vertical(classes="fold--contents")
        self._title = FoldTitle(markup=False)
        self.set_reactive(Fold.title, title)
        self.set_reactive(Fold.opened, opened)

    def compose(self) -> ComposeResult:
        yield self._title
        with self.contents:
            yield from self.compose_contents()

    def compose_contents(self) -> Sequence[Widget]:
        """What is under the heading from the start."""
        return ()

    def on_mount(self) -> None:
        self._show()

    class Opened(Message):
        """The reader opened a fold, and it has something to show."""

        def __init__(self, fold: "Fold") -> None:
            super().__init__()
            self.fold = fold

    class Closed(Message):
        """The reader closed a fold."""

        def __init__(self, fold: "Fold") -> None:
            super().__init__()
            self.fold = fold

    def toggle_by_reader(self) -> None:
        """Open or close it because the reader wants it, who should then see what it holds."""
        self.opened = not self.opened
        self.post_message(self.Opened(self) if self.opened else self.Closed(self))

    def on_fold_title_toggled(self, event: FoldTitle.Toggled) -> None:
        event.stop()
        self.toggle_by_reader()

    def watch_title(self) -> None:
        self._show()

    def watch_opened(self) -> None:
        self._show()

    def _show(self) -> None:
        self.set_class(self.opened, "-opened")
        self._title.update(Content(f"{'▾' if self.opened else '▸'} {self.title}"))
