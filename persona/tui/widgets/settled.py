"""Widgets that one layout is enough for."""

from textual.geometry import Size
from textual.reactive import Reactive


def settled() -> Reactive[Size]:
    """For `virtual_size` of a widget in which nothing scrolls, or whose scrollbar has its place kept.

    Once Textual has learned in a layout how large a widget became, it lays everything out again, for the
    scrollbars that may now be wanted. A page of messages would pay that for each that is brought.
    """
    return Reactive(Size(0, 0))
