"""The hand-over of a turn's events from the engine's thread to the app's.

An engine may say a hundred things a second; a terminal is repainted ten times. Neighbouring deltas
are merged while they wait, and the app is woken at once only where waiting would be seen: at the
first fragment, and whenever something other than text happens. Knows nothing of Textual.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from persona.backends.base import TextDelta, ThinkingDelta
from persona.chat.events import TurnEvent
from persona.errors import PersonaError
from persona.logs import failure

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """Always the last thing a feed gives: the turn is over. error: why it broke off, if it did."""

    error: PersonaError | None = None


FeedEvent = TurnEvent | Ended


class Feed:
    """Events of one turn in their order. `put` is for the engine's thread, `drain` for the app's.

    wake: called from the engine's thread when the app should drain without waiting for its timer.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._pending: list[FeedEvent] = []
        self._last: type[FeedEvent] | None = None

    def put(self, event: FeedEvent) -> None:
        """Add an event, merged into the one before it where both are text of one kind."""
        with self._lock:
            more_of_the_same = self._last is type(event) and isinstance(event, (TextDelta, ThinkingDelta))
            self._last = type(event)
            waiting = self._pending[-1] if self._pending else None
            if isinstance(event, TextDelta) and isinstance(waiting, TextDelta):
                self._pending[-1] = TextDelta(waiting.text + event.text)
            elif isinstance(event, ThinkingDelta) and isinstance(waiting, ThinkingDelta):
                self._pending[-1] = ThinkingDelta(waiting.text + event.text)
            else:
                self._pending.append(event)
        if not more_of_the_same:
            self._wake()

    def drain(self) -> list[FeedEvent]:
        """Everything that waited, in order."""
        with self._lock:
            waiting, self._pending = self._pending, []
        return waiting


def pump(start: Callable[[], Iterator[TurnEvent]], feed: Feed) -> None:
    """Run a turn to its end into `feed`, which gets `Ended` last whatever happens."""
    try:
        for event in start():
            feed.put(event)
    except Exception as error:
        feed.put(Ended(as_persona_error(error)))
    else:
        feed.put(Ended())


def as_persona_error(error: Exception) -> PersonaError:
    """`error` as something to show; the unexpected is logged by place and type, never by its text."""
    if isinstance(error, PersonaError):
        return error
    _log.error("unexpected: %s", failure(error))
    return PersonaError(
        f"something unexpected went wrong: {type(error).__name__}: {error}",
        "what you wrote is kept; the place is in the log (`persona locate` names it)",
    )
