"""What is laid out once where Textual would do it several times."""

from typing import Self

from textual._compositor import Compositor, ReflowResult
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.widget import Widget


class Settled(Widget):
    """A widget in which nothing scrolls, or whose scrollbar has its place kept. Named last among the bases,
    because Textual takes the look of the first.

    Once Textual has learned in a layout how large a widget became, it lays everything out again, for the
    scrollbars that may now be wanted; a page of messages would pay that for each that is brought.
    """

    virtual_size = Reactive(Size(0, 0))

    @property
    def size(self) -> Size:
        """The size of the content, as the last layout gave it. Asked for the size of what is out of view,
        Textual lays out the whole page."""
        return self.outer_size - self.styles.gutter.totals

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Paint anew. What has no place yet asks for no layout: it gets its place with what it came in."""
        placed = self.outer_size.width > 0
        return super().refresh(*regions, repaint=repaint, layout=layout and placed, recompose=recompose)


class PageCompositor(Compositor):
    """Lays out and paints a long page no more often than it changed.

    Textual notes at every scroll, and for every widget out of view that asks to be painted, that it no longer
    knows the places of all; it then lays the whole page out for the first one that it is asked for.
    """

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """Lay everything out; the places are known."""
        result = super().reflow(parent, size)
        self._full_map_invalidated = False
        return result

    def reflow_visible(self, parent: Widget, size: Size) -> set[Widget]:
        """Lay out what is in view; only what moved since everything was laid out is painted."""
        if self._visible_map is None:
            self._visible_map = self._full_map
        return super().reflow_visible(parent, size)

    def update_widgets(self, widgets: set[Widget]) -> None:
        """Paint widgets anew where they are in view."""
        super().update_widgets({w for w in widgets if w in self.visible_widgets or w not in self._full_map})
