"""The scrolling page of a chat. Of a long one it holds the messages around what is in view, no more."""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.layout import DockArrangeResult
from textual.message import Message
from textual.scrollbar import ScrollBar
from textual.widget import Widget
from textual.widgets import Static

from persona.tui.widgets.fold import Fold
from persona.tui.widgets.settled import Settled

MakeWidget = Callable[[], Widget]

PAGE = 12
"""Turns put on the page at once; a chat of thousands must open as fast as one of ten."""

STEP = 1
"""Turns brought at once while the reader scrolls: what a frame has time for, some seven widgets each."""

AHEAD = 1
"""Screens of turns kept ready above and below what is in view."""

REST = 0.5
"""Seconds without a scroll after which nobody waits for the next frame."""


class More(Static, Settled):
    """Stands for the turns above or below what is shown; a click, or coming near, brings some of them."""

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


class Conversation(VerticalScroll, Settled, can_focus=False):
    """Messages in order. It follows its end only while the reader is there.

    That rule is Textual's anchor: scrolling away releases it, coming back to the end takes it up again.
    Away from the end the message at the top of the view stays where it is, whatever comes or goes above it.
    Stored messages are made by their makers when they are needed; those that are added live stay below them.
    """

    DEFAULT_CSS = """
    Conversation { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    Conversation > .-pointed { background: $primary 15%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._past: list[MakeWidget] = []
        self._shown: list[Widget] = []
        self._first = 0
        self._earlier, self._later = More("▴", "earlier"), More("▾", "later")
        self._arranged: DockArrangeResult | None = None
        self._places: dict[Widget, Region] = {}
        """Where each message is on the page, in lines from its top."""
        self.bringing = False
        """Whether turns are on their way to the page because the reader came near its edge."""
        self._laid_out = asyncio.Event()
        # the reader's keys and the nearness of an edge come from different tasks
        self._changing = asyncio.Lock()

    def on_mount(self) -> None:
        self.anchor()
        self._resting = self.set_interval(REST, self._tidy, pause=True)

    @property
    def at_end(self) -> bool:
        """Whether the newest line is in view."""
        return self.scroll_y >= self.max_scroll_y - 1

    @property
    def _last(self) -> int:
        return self._first + len(self._shown)

    async def add(self, *widgets: Widget) -> None:
        """Put `widgets` under the rest, which is the newest page if another one was shown."""
        if self._last < len(self._past):
            await self.fill(self._past)
        await self.mount(*widgets)

    async def fill(self, past: Sequence[MakeWidget], show: int | None = None) -> None:
        """Show these messages instead of what was there: the newest page, or the one around `show`."""
        async with self._changing:
            self._past = list(past)
            last = len(past) if show is None else min(len(past), show + PAGE // 2)
            self._first = max(0, last - PAGE)
            self._earlier, self._later = More("▴", "earlier"), More("▾", "later")
            self._shown = [make() for make in self._past[self._first : last]]
            with self.app.batch_update():
                await self.remove_children()
                await self.mount_all([self._earlier, *self._shown, self._later])
                self._count()
        if show is None:
            self.to_end()
        else:
            self._point_to(self._shown[show - self._first])

    async def replace(self, old: Widget, new: Widget) -> None:
        """Put `new` in the place of `old`; it may be on the page already."""
        if old in self._shown:
            at = self._shown.index(old)
            self._shown[at] = new
            if new.is_attached:
                self.move_child(new, after=old)
        if not new.is_attached:
            await self.mount(new, after=old)
        await old.remove()

    def stands_for(self, widget: Widget, make: MakeWidget) -> None:
        """From now on a stored message on the page is made anew by `make`."""
        if widget in self._shown:
            self._past[self._first + self._shown.index(widget)] = make

    async def show_earlier(self, count: int = PAGE) -> None:
        """Bring some of the turns above, and keep the reader's place."""
        async with self._changing:
            first = max(0, self._first - count)
            page = [make() for make in self._past[first : self._first]]
            far = [w for w in self._shown if self._place(w).y > self._screens_from_here(AHEAD + 1.5)]
            self._shown = [*page, *(w for w in self._shown if w not in far)]
            self._first = first
            with self.app.batch_update():
                await self.mount_all(page, after=self._earlier)
                await self._drop(far)
                self._count()

    async def show_later(self, count: int = PAGE) -> None:
        """Bring some of the turns below, and keep the reader's place."""
        async with self._changing:
            page = [make() for make in self._past[self._last : self._last + count]]
            far = [w for w in self._shown if self._place(w).bottom < self._screens_from_here(-AHEAD - 0.5)]
            self._shown = [*(w for w in self._shown if w not in far), *page]
            self._first += len(far)
            with self.app.batch_update():
                await self.mount_all(page, before=self._later)
                await self._drop(far)
                self._count()

    async def to_oldest(self) -> None:
        """Go to the first turn of the chat."""
        if self._first > 0:
            await self.fill(self._past, 0)
            for widget in self._shown[:1]:
                widget.remove_class("-pointed")
        self.release_anchor()
        self.scroll_home(animate=False)

    async def to_newest(self) -> None:
        """Go to the newest line, whatever page is shown, and follow it."""
        if self._last < len(self._past):
            await self.fill(self._past)
        self.to_end()

    def to_end(self) -> None:
        """Go to the last line shown and follow it."""
        self.anchor()

    def bring(self, widget: Widget) -> None:
        """Bring one message into view, and stop following the end."""
        self._show(widget)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._resting.reset()
        if not self.bringing and self.is_attached and (self._near_first or self._near_last):
            self.bringing = True
            self.run_worker(self._bring_what_is_near())

    def _tidy(self) -> None:
        """Look for the garbage that scrolling made: messages that left the page."""
        self._resting.pause()
        gc.collect()

    @property
    def _near_first(self) -> bool:
        return self._first > 0 and self.scroll_y < AHEAD * self.size.height

    @property
    def _near_last(self) -> bool:
        return self._last < len(self._past) and self._left_below < AHEAD * self.size.height

    @property
    def _left_below(self) -> float:
        """Lines of stored messages below what is in view."""
        return self._place(self._later).bottom - self.scroll_y - self.size.height

    async def _bring_what_is_near(self) -> None:
        """Bring turns a few at a time, each after a frame: a turn of the wheel waits for one at most."""
        try:
            await self._frame()
            while self._near_first or self._near_last:
                self._laid_out.clear()
                await (self.show_earlier(STEP) if self._near_first else self.show_later(STEP))
                await self._laid_out.wait()
                await self._frame()
        finally:
            self.bringing = False

    async def _frame(self) -> None:
        """Wait until what is to be seen is seen."""
        shown = asyncio.Event()
        self.call_after_refresh(shown.set)
        await shown.wait()

    def _screens_from_here(self, count: float) -> float:
        """The line so many screens below the first in view. What is dropped there is farther than what
        is brought, or the two would never end."""
        return self.scroll_y + count * self.size.height

    async def _drop(self, widgets: Sequence[Widget]) -> None:
        if widgets:
            await self.remove_children(widgets)

    def _place(self, widget: Widget) -> Region:
        # Asked where a widget out of view is, Textual lays out the whole page, at each step of a scroll.
        return self._places.get(widget, Region())

    def arrange(self, size: Size, optimal: bool = False) -> DockArrangeResult:
        """Where the messages are. Scrolls along with the one at the top of the view, before it is drawn."""
        arranged = super().arrange(size, optimal)
        if arranged is not self._arranged:
            before, self._arranged = self._places, arranged
            self._places = {placed.widget: placed.region for placed in arranged.placements}
            self._laid_out.set()
            if not self._following:
                self._keep_place(before, arranged.total_region.bottom - size.height)
        return arranged

    def _keep_place(self, before: Mapping[Widget, Region], furthest: int) -> None:
        in_view = (w for w, place in before.items() if place.bottom > self.scroll_y)
        top = next((w for w in in_view if not isinstance(w, More)), None)
        if top is None or top not in self._places:
            return
        moved = self._places[top].y - before[top].y
        if moved:
            y = max(0, min(furthest, self.scroll_y + moved))
            # as Textual's anchor does: the page is being laid out already
            self.set_reactive(Widget.scroll_y, y)
            self.set_reactive(Widget.scroll_target_y, y)
            self.vertical_scrollbar.set_reactive(ScrollBar.position, y)

    @property
    def _following(self) -> bool:
        """Whether the end is kept in view. Textual has no other word for it."""
        return self.is_anchored and not self._anchor_released

    def _point_to(self, widget: Widget) -> None:
        """Bring one message into view, marked until the next is pointed to."""
        widget.add_class("-pointed")
        self.call_after_refresh(self._show, widget)

    def _count(self) -> None:
        self._earlier.show(self._first)
        self._later.show(len(self._past) - self._last)

    def on_fold_opened(self, event: Fold.Opened) -> None:
        """Bring into view what the reader opened, its heading first, instead of following the end."""
        self.call_after_refresh(self._show, event.fold)

    def _show(self, widget: Widget) -> None:
        # A page that fits is drawn from its end upwards, which letting go of the anchor would break.
        if self.max_scroll_y > 0:
            self.release_anchor()
            self.scroll_to_widget(widget, animate=False, immediate=True)

    async def on_more_wanted(self, event: More.Wanted) -> None:
        await (self.show_earlier() if event.more is self._earlier else self.show_later())
