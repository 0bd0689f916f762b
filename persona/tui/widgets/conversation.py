"""The scrolling page of a chat."""

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from persona.tui.widgets.fold import Fold

PAGE = 40
"""Turns put on the page at once; a chat of thousands must open as fast as one of ten."""


class Earlier(Static):
    """Stands for the turns above; a click brings a page of them."""

    DEFAULT_CSS = """
    Earlier { height: 1; width: auto; color: $foreground 60%; pointer: pointer; }
    Earlier:hover { color: $primary; }
    """
    ALLOW_SELECT = False

    class Wanted(Message):
        """The reader wants the turns above."""

    def on_click(self) -> None:
        self.post_message(self.Wanted())


class Conversation(VerticalScroll, can_focus=False):
    """Messages in order. It follows its end only while the reader is there.

    That rule is Textual's anchor: scrolling away releases it, coming back to the end takes it up again.
    """

    DEFAULT_CSS = """
    Conversation { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._hidden: list[Widget] = []

    def on_mount(self) -> None:
        self.anchor()

    @property
    def at_end(self) -> bool:
        """Whether the newest line is in view."""
        return self.scroll_y >= self.max_scroll_y - 1

    async def add(self, *widgets: Widget) -> None:
        """Put `widgets` under the rest."""
        await self.mount(*widgets)

    async def fill(self, widgets: Sequence[Widget]) -> None:
        """Show these instead of what was there, the newest page of them at once."""
        await self.remove_children()
        self._hidden = list(widgets[:-PAGE])
        shown = list(widgets[-PAGE:])
        await self.mount_all([Earlier(self._label(), markup=False), *shown] if self._hidden else shown)
        self.to_end()

    async def show_earlier(self) -> None:
        """Bring a page of the hidden turns, and keep the reader's place."""
        page, self._hidden = self._hidden[-PAGE:], self._hidden[:-PAGE]
        from_end = self.max_scroll_y - self.scroll_y
        line = self.query_one(Earlier)
        await self.mount_all(page, after=line)
        line.update(self._label())
        line.display = bool(self._hidden)
        self.call_after_refresh(lambda: self.scroll_to(y=self.max_scroll_y - from_end, animate=False))

    def to_end(self) -> None:
        """Go to the newest line and follow it."""
        self.anchor()

    def on_fold_opened(self, event: Fold.Opened) -> None:
        """Bring into view what the reader opened, its heading first, instead of following the end."""
        event.stop()
        self.call_after_refresh(self._show, event.fold)

    def _show(self, fold: Fold) -> None:
        # A page that fits is drawn from its end upwards, which letting go of the anchor would break.
        if self.max_scroll_y > 0:
            self.release_anchor()
            self.scroll_to_widget(fold, animate=False, immediate=True)

    async def on_earlier_wanted(self) -> None:
        await self.show_earlier()

    def _label(self) -> Content:
        return Content(f"▴ {len(self._hidden)} earlier messages")
