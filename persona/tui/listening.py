"""How a screen hears of a turn: the turn runs in a thread, and its feed is drained in the app's own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.message import Message
from textual.screen import Screen

from persona.chat.events import TurnEvent
from persona.tui.feed import Feed, pump

FLUSH_SECONDS = 0.1
"""How often waiting fragments are shown; the first of a reply does not wait."""


class FeedReady(Message):
    """Something happened in a turn of the screen's that should be shown."""


class Listening:
    """Sends `screen` FeedReady: at once where waiting would be seen, else as often as is worth painting."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        # A message, not a call: a timer runs in a task of its own and would overtake its handler.
        self._flush = screen.set_interval(FLUSH_SECONDS, self.wake, pause=True)

    def wake(self) -> None:
        """Have the feed drained; from any thread."""
        self._screen.post_message(FeedReady())

    def run(self, turn: Callable[[], Iterator[TurnEvent]], feed: Feed) -> None:
        """Run `turn` into `feed`, which was made to call `wake`."""
        self._flush.resume()
        self._screen.run_worker(partial(pump, turn, feed), thread=True, group="turn")

    def rest(self) -> None:
        """The turn is over."""
        self._flush.pause()
