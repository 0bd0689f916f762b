"""The engine and everything that is asked of it away from the app's own thread.

Every method but `engine`, `hush` and `leave` blocks and is for a worker thread; what comes of it is
posted to the screen as messages, which is safe from any thread.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from persona.errors import PersonaError
from persona.tui.door import ChatEngine, Opener
from persona.tui.feed import as_persona_error

if TYPE_CHECKING:
    from knowledge.progress import Progress
    from persona.chat.store import Turn

_SECONDS_BETWEEN_REPORTS = 0.05


class Progressed(Message):
    """The start got somewhere: done of total in the stage's own units."""

    def __init__(self, stage: str, done: int, total: int | None) -> None:
        super().__init__()
        self.stage, self.done, self.total = stage, done, total


@dataclass(frozen=True, slots=True)
class Past:
    """A chat that is resumed: its messages in order."""

    session_id: str
    turns: "Sequence[Turn]"


class Opened(Message):
    """The engine is there. error: why the chat that was asked for could not be resumed."""

    def __init__(self, engine: ChatEngine, past: Past | None, error: PersonaError | None) -> None:
        super().__init__()
        self.engine, self.past, self.error = engine, past, error


class OpeningFailed(Message):
    """The engine could not be opened."""

    def __init__(self, error: PersonaError) -> None:
        super().__init__()
        self.error = error


class ContextRead(Message):
    """How full the context of a chat is, in tokens."""

    def __init__(self, session_id: str, used: int, budget: int) -> None:
        super().__init__()
        self.session_id, self.used, self.budget = session_id, used, budget


class IdleFailed(Message):
    """Work in a quiet moment went wrong; the chat itself is whole."""

    def __init__(self, error: PersonaError) -> None:
        super().__init__()
        self.error = error


class _Left(BaseException):
    """The user left while the engine was being opened."""


class EngineRoom:
    """One engine for the life of the app."""

    def __init__(self, opener: Opener) -> None:
        self.engine: ChatEngine | None = None
        self._opener = opener
        self._leaving = threading.Event()
        self._quiet_work = threading.Event()

    def open(self, session_id: str | None, post: Callable[[Message], object]) -> None:
        """Open the engine and the chat to resume; posts Progressed, then Opened or OpeningFailed."""
        try:
            self.engine = self._opener(self._reporter(post))
        except _Left:
            return
        except Exception as error:
            post(OpeningFailed(as_persona_error(error)))
            return
        past, trouble = None, None
        if session_id is not None:
            try:
                past = Past(session_id, self.engine.sessions.turns(session_id))
            except Exception as error:
                trouble = as_persona_error(error)
        post(Opened(self.engine, past, trouble))
        if past is not None:
            self.read_context(past.session_id, post)

    def idle(self, session_id: str, post: Callable[[Message], object]) -> None:
        """Let the engine do its work for quiet moments, until `hush`."""
        if self.engine is None:
            return
        self._quiet_work.clear()
        try:
            self.engine.idle(session_id, self._quiet_work)
        except Exception as error:
            post(IdleFailed(as_persona_error(error)))
        if not self._quiet_work.is_set():
            self.read_context(session_id, post)

    def read_context(self, session_id: str, post: Callable[[Message], object]) -> None:
        """Count how full the context is; posts ContextRead."""
        if self.engine is None:
            return
        try:
            report = self.engine.context(session_id)
        except Exception as error:
            post(IdleFailed(as_persona_error(error)))
        else:
            post(ContextRead(session_id, report.used, report.budget))

    def hush(self) -> None:
        """End the quiet work: the user wants the engine."""
        self._quiet_work.set()

    def leave(self) -> None:
        """The app closes: end what can be ended."""
        self._leaving.set()
        self._quiet_work.set()

    def close(self) -> None:
        """Free the engine, once no worker uses it any more."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def _reporter(self, post: Callable[[Message], object]) -> "Callable[[Progress], None]":
        last = 0.0
        stage = ""

        def report(progress: "Progress") -> None:
            nonlocal last, stage
            if self._leaving.is_set():
                raise _Left
            now = time.monotonic()
            finished = progress.done == progress.total
            if progress.stage != stage or finished or now - last >= _SECONDS_BETWEEN_REPORTS:
                last, stage = now, progress.stage
                post(Progressed(progress.stage, progress.done, progress.total))

        return report
