"""The scrolling page of a chat."""

from collections.abc import Callable, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from persona.tui.widgets.fold import Fold

MakeWidget = Callable[[], Widget]

PAGE = 40
"""Turns put on the page at once; a chat of thousands must open as fast as one of ten."""


class More(Static):
    """Stands for the turns above or below what is shown; a click brings a page of them."""

    DEFAULT_CSS = """
    More { height: 1; width: auto; color: $foreground 60%; pointer: pointer; }
    More:hover { color: $primary; }
    """
    ALLOW_SELECT = False

    class Wanted(Message):
        """The reader wants those turns."""

        def __init__(self, more: "More") -> None:
            super().__init__()
            self.more = more

    def __init__(self, arrow: str, what: str) -> None:
        super().__init__(markup=False)
        self._arrow, self._what = arrow, what

    def show(self, count: int) -> None:
        """Say how many there are; gone where there are none."""
        self.display = count > 0
        self.update(Content(f"{self._arrow} {count} {self._what} messages"))

    def on_click(self) -> None:
        self.post_message(self.Wanted(self))


class Conversation(VerticalScroll, can_focus=False):
    """Messages in order. It follows its end only while the reader is there.

    That rule is Textual's anchor: scrolling away releases it, coming back to the end takes it up again.
    """

    DEFAULT_CSS = """
    Conversation { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    Conversation > .-pointed { background: $primary 15%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._past: Sequence[MakeWidget] = ()
        self._first = self._last = 0
        self._earlier, self._later = More("▴", "earlier"), More("▾", "later")

    def on_mount(self) -> None:
        self.anchor()

    @property
    def at_end(self) -> bool:
        """Whether the newest line is in view."""
        return self.scroll_y >= self.max_scroll_y - 1

    async def add(self, *widgets: Widget) -> None:
        """Put `widgets` under the rest, which is the newest page if another one was shown."""
        if self._last < len(self._past):
            await self.fill(self._past)
        await self.mount(*widgets)

    async def fill(self, past: Sequence[MakeWidget], show: int | None = None) -> None:
        """Show these messages instead of what was there: the newest page, or the one around `show`."""
        await self.remove_children()
        self._past = past
        self._last = len(past) if show is None else min(len(past), show + PAGE // 2)
        self._first = max(0, self._last - PAGE)
        self._earlier, self._later = More("▴", "earlier"), More("▾", "later")
        shown = [make() for make in past[self._first : self._last]]
        await self.mount_all([self._earlier, *shown, self._later])
        self._count()
        if show is None:
            self.to_end()
        else:
            self._point_to(shown[show - self._first])

    async def show_earlier(self) -> None:
        """Bring a page of the turns above, and keep the reader's place."""
        first = max(0, self._first - PAGE)
        page = [make() for make in self._past[first : self._first]]
        self._first = first
        from_end = self.max_scroll_y - self.scroll_y
        await self.mount_all(page, after=self._earlier)
        self._count()
        self.call_after_refresh(lambda: self.scroll_to(y=self.max_scroll_y - from_end, animate=False))

    async def show_later(self) -> None:
        """Bring a page of the turns below."""
        last = min(len(self._past), self._last + PAGE)
        page = [make() for make in self._past[self._last : last]]
        self._last = last
        await self.mount_all(page, before=self._later)
        self._count()

    async def to_newest(self) -> None:
        """Go to the newest line, whatever page is shown, and follow it."""
        if self._last < len(self._past):
            await self.fill(self._past)
        self.to_end()

    def to_end(self) -> None:
        """Go to the last line shown and follow it."""
        self.anchor()

    def _point_to(self, widget: Widget) -> None:
        """Bring one message into view, marked until the next is pointed to."""
        widget.add_class("-pointed")
        self.call_after_refresh(self._show, widget)

    def _count(self) -> None:
        self._earlier.show(self._first)
        self._later.show(len(self._past) - self._last)

    def on_fold_opened(self, event: Fold.Opened) -> None:
        """Bring into view what the reader opened, its heading first, instead of following the end."""
        event.stop()
        self.call_after_refresh(self._show, event.fold)

    def _show(self, widget: Widget) -> None:
        # A page that fits is drawn from its end upwards, which letting go of the anchor would break.
        if self.max_scroll_y > 0:
            self.release_anchor()
            self.scroll_to_widget(widget, animate=False, immediate=True)

    async def on_more_wanted(self, event: More.Wanted) -> None:
        await (self.show_earlier() if event.more is self._earlier else self.show_later())
