"""Writes a reply to the store while it is said, so that a killed process keeps what was said so far."""

import time
from collections.abc import Callable, Sequence

from persona.backends.base import TextDelta, ThinkingDelta, Usage
from persona.chat.events import Status
from persona.chat.store import MemoryRef, SessionStore

INTERVAL_S = 0.25
"""Longest time between two writes while words keep coming."""


class ReplyRecorder:
    """One reply on its way into the store. Its row appears with the first delta.

    previous: the turn id of the reply it is to replace; that one stays when not a word was said.
    """

    def __init__(
        self,
        sessions: SessionStore,
        session_id: str,
        number: int,
        *,
        thinking_on: bool,
        previous: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._session_id = session_id
        self._number = number
        self._thinking_on = thinking_on
        self._previous = previous
        self._clock = clock
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._written_at = 0.0
        self._turn_id: str | None = None
        self.memories: Sequence[MemoryRef] = ()
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        """The reply so far."""
        return "".join(self._text)

    @property
    def thinking(self) -> str:
        """The thinking so far."""
        return "".join(self._thinking)

    def add(self, delta: TextDelta | ThinkingDelta) -> None:
        """Take a delta; it is on disk at once or with the next one after the interval."""
        (self._text if isinstance(delta, TextDelta) else self._thinking).append(delta.text)
        now = self._clock()
        if self._turn_id is None or now - self._written_at >= INTERVAL_S:
            self._store("partial")
            self._written_at = now

    def finish(self, status: Status) -> str:
        """Write the reply as it ended; the turn id of the reply now in force."""
        if self._previous and self._turn_id is None:
            return self._previous
        return self._store(status)

    def _store(self, status: Status) -> str:
        if self._turn_id is None:
            opened = self._sessions.add_reply(
                self._session_id,
                self._number,
                text=self.text,
                thinking=self.thinking,
                status="partial",
                memories=self.memories,
                thinking_on=self._thinking_on,
            )
            self._turn_id = opened.id
            if status == "partial":
                return opened.id
        self._sessions.update_reply(
            self._turn_id, text=self.text, thinking=self.thinking, status=status, usage=self.usage
        )
        return self._turn_id
