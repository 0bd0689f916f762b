"""The engine and everything that is asked of it away from the app's own thread.

`open`, `idle` and `close` block: the first two are for worker threads, and what comes of them is posted
to the screen as messages, which is safe from any thread. The rest is for the app's thread.
"""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from textual.message import Message

from persona.chat.views import View, view
from persona.config import ModelSettings
from persona.errors import PersonaError
from persona.tui.door import ChatEngine, Opener, ProgressFn
from persona.tui.drafts import Drafts
from persona.tui.feed import as_persona_error
from persona.tui.indexing import Indexing, Stopwatch

if TYPE_CHECKING:
    from knowledge.progress import Progress
    from persona.chat.channels import Channel
    from persona.chat.engine import Engine
    from persona.chat.store import Session, SessionStore, Turn

LATEST = "latest"
"""In place of a chat's id: the one used last, or a new one where there is none."""

_SECONDS_BETWEEN_REPORTS = 0.05


class Progressed(Message):
    """The start got somewhere: done of total in the stage's own units."""

    def __init__(self, stage: str, done: int, total: int | None) -> None:
        super().__init__()
        self.stage, self.done, self.total = stage, done, total


@dataclass(frozen=True, slots=True)
class Past:
    """A chat to go on with: its messages in order with their alternatives, and what was not sent.

    session: None for a chat that is not begun yet. at: which turn to show, by its id. channel: where the
    user last spoke as somebody. view: how it was left.
    """

    session: "Session | None" = None
    turns: "Sequence[Turn]" = ()
    draft: str = ""
    at: str | None = None
    channel: "Channel | None" = None
    view: View = field(default_factory=View)


class DraftRead(Message):
    """What was written and not sent in the chat that is about to be opened; it is there before the engine."""

    def __init__(self, session_id: str | None, text: str) -> None:
        super().__init__()
        self.session_id, self.text = session_id, text


class Opened(Message):
    """The engine is there. error: why the chat that was asked for could not be resumed."""

    def __init__(self, engine: ChatEngine, past: Past, error: PersonaError | None) -> None:
        super().__init__()
        self.engine, self.past, self.error = engine, past, error


class Resumed(Message):
    """A chat is read."""

    def __init__(self, past: Past) -> None:
        super().__init__()
        self.past = past


class Failed(Message):
    """Something that was asked for did not work; the chat itself is whole."""

    def __init__(self, error: PersonaError) -> None:
        super().__init__()
        self.error = error


class OpeningFailed(Message):
    """The engine could not be opened."""

    def __init__(self, error: PersonaError) -> None:
        super().__init__()
        self.error = error


class ContextRead(Message):
    """How full the context of a chat is, in tokens; and its title."""

    def __init__(self, session_id: str, used: int, budget: int, title: str) -> None:
        super().__init__()
        self.session_id, self.used, self.budget, self.title = session_id, used, budget, title


class Indexed(Message):
    """Vectors are computed: done of total; a total of None when that is over."""

    def __init__(self, done: int, total: int | None) -> None:
        super().__init__()
        self.done, self.total = done, total


class _Left(BaseException):
    """The user left while the engine was being opened."""


class EngineRoom:
    """One engine for the life of the app, and what is written for it. sessions: opens the chats."""

    def __init__(self, opener: Opener, sessions: "Callable[[], SessionStore] | None" = None) -> None:
        self.engine: ChatEngine | None = None
        self.drafts = Drafts(sessions or _open_sessions)
        self._opener = opener
        self._leaving = threading.Event()
        self._hushed = threading.Event()
        self.indexing: Indexing | None = None
        """How far the vectors are, None while none are computed."""
        self._index_thread: threading.Thread | None = None
        self._no_more_indexing = threading.Event()
        self._beside: tuple[ModelSettings, ChatEngine] | None = None
        self._making_beside = threading.Lock()

    def beside(self, model: ModelSettings) -> ChatEngine:
        """An engine of another model over the same chats and archive, loaded; the last one is kept.

        Blocks. Raises ModelError, and RuntimeError while no engine is open.
        """
        with self._making_beside:
            if self.engine is None:
                raise RuntimeError("no engine is open")
            if self._beside is None or self._beside[0] != model:
                self._free_beside()
                from persona.chat.opening import beside

                other = beside(cast("Engine", self.engine), model)
                self._beside = (model, other)
                other.load()
            _, kept = self._beside
            kept.card = self.engine.card  # a fact may have been pinned since
            return kept

    def no_more_beside(self) -> None:
        """Free the other model. Blocks."""
        with self._making_beside:
            self._free_beside()

    def _free_beside(self) -> None:
        if self._beside is not None:
            (_, other), self._beside = self._beside, None
            other.backend.close()

    def reopen(
        self, session_id: str | None, hushed: threading.Event, post: Callable[[Message], object]
    ) -> None:
        """Close the engine and `open` it anew, as the settings and the archive are now."""
        self._no_more_indexing.set()
        self.close()
        self._no_more_indexing = threading.Event()
        self.open(session_id, hushed, post)

    def open(
        self, session_id: str | None, hushed: threading.Event, post: Callable[[Message], object]
    ) -> None:
        """Open the engine and the chat to resume, then be `idle`.

        Posts DraftRead and Progressed, then Opened or OpeningFailed.
        """
        try:
            post(self._last_written(session_id))
            engine = self._loaded(self._reporter(post))
            import persona.tui.widgets.markdown  # noqa: F401 (the first word of a reply shall not wait for it)
        except _Left:
            return
        except Exception as error:
            post(OpeningFailed(as_persona_error(error)))
            return
        self.engine = engine
        # What is loaded by now stays; looking through all of it for garbage would stop a scroll for 0.2 s.
        gc.freeze()
        # The rest is looked through when a reader rests (`Conversation`), and by itself a tenth as often.
        gc.set_threshold(*gc.get_threshold()[:2], 100)
        trouble = None
        try:
            past = self._past(engine, session_id)
        except Exception as error:
            past, trouble = Past(), as_persona_error(error)
        post(Opened(engine, past, trouble))
        self.idle(past.session.id if past.session else None, hushed, post)

    def resume(self, session_id: str | None, at: str | None, post: Callable[[Message], object]) -> None:
        """Read a chat to go on with; None is the one that is not begun. Posts Resumed or Failed."""
        if self.engine is None:
            return
        try:
            post(Resumed(self._past(self.engine, session_id, at)))
        except Exception as error:
            post(Failed(as_persona_error(error)))

    def quiet(self) -> threading.Event:
        """A new quiet time; the event is set when it ends, by `hush`."""
        self._hushed = threading.Event()
        if self._leaving.is_set():
            self._hushed.set()
        return self._hushed

    def idle(
        self, session_id: str | None, hushed: threading.Event, post: Callable[[Message], object]
    ) -> None:
        """Let the engine do its work for quiet moments, until `hushed`, and look for vectors to compute.

        Posts ContextRead and Failed, and Indexed as long as vectors are computed.
        """
        engine = self.engine
        if engine is None:
            return
        self._index(engine, post)
        if session_id is None:
            return
        try:
            # Before, because the work may be long; after, because it may fold turns.
            self._post_context(engine, session_id, post)
            engine.idle(session_id, hushed)
            self._post_context(engine, session_id, post)
        except Exception as error:
            post(Failed(as_persona_error(error)))

    def _index(self, engine: ChatEngine, post: Callable[[Message], object]) -> None:
        """Begin to compute vectors, unless that is going on; it lasts beside turns until the app closes."""
        if self._leaving.is_set() or (self._index_thread is not None and self._index_thread.is_alive()):
            return

        stop, watch = self._no_more_indexing, Stopwatch()

        def indexed(now: "Progress") -> None:
            self.indexing = watch.at(now.done, now.total or now.done)
            post(Indexed(now.done, now.total))

        def work() -> None:
            try:
                engine.index(stop, indexed)
            except Exception as error:
                post(Failed(as_persona_error(error)))
            finally:
                self.indexing = None
                post(Indexed(0, None))

        self._index_thread = threading.Thread(target=work, name="index")
        self._index_thread.start()

    def hush(self) -> None:
        """End the quiet work: the user wants the engine."""
        self._hushed.set()

    def leave(self) -> None:
        """The app closes: end what can be ended."""
        self._leaving.set()
        self._no_more_indexing.set()
        self._hushed.set()

    def close(self) -> None:
        """Free the engine, once no worker uses it any more."""
        self.no_more_beside()
        if self._index_thread is not None:
            self._index_thread.join()
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def _loaded(self, progress: ProgressFn) -> ChatEngine:
        engine = self._opener(progress)
        try:
            engine.load()
        except BaseException:
            engine.close()
            raise
        return engine

    def _last_written(self, session_id: str | None) -> DraftRead:
        """The draft to go on with; one of a chat that is not there counts for a new one."""
        store = self.drafts.store
        session_id = _chosen(store, session_id)
        there = session_id if any(session.id == session_id for session in store.list()) else None
        return DraftRead(there, self.drafts.read(there))

    def _past(self, engine: ChatEngine, session_id: str | None, at: str | None = None) -> Past:
        store = engine.sessions
        session_id = _chosen(store, session_id)
        draft = self.drafts.read(session_id)
        if session_id is None:
            return Past(draft=draft)
        turns = store.turns(session_id, alternatives=True)
        channel, left = _channel(engine, turns), view(store, session_id)
        return Past(store.get(session_id), turns, draft, at, channel, left)

    @staticmethod
    def _post_context(engine: ChatEngine, session_id: str, post: Callable[[Message], object]) -> None:
        report = engine.context(session_id)
        title = engine.sessions.get(session_id).title
        post(ContextRead(session_id, report.used, report.budget, title))

    def _reporter(self, post: Callable[[Message], object]) -> ProgressFn:
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


def _open_sessions() -> "SessionStore":
    from persona.chat.opening import open_sessions

    return open_sessions()


def _chosen(store: "SessionStore", session_id: str | None) -> str | None:
    """The chat that is meant, None for one that is not begun yet."""
    if session_id != LATEST:
        return session_id
    used = store.list()
    return used[0].id if used else None


def _channel(engine: ChatEngine, turns: "Sequence[Turn]") -> "Channel | None":
    asked = next((turn for turn in reversed(turns) if turn.role == "user"), None)
    if asked is None or asked.channel is None:
        return None
    from persona.chat.channels import channel

    return channel(engine.memory, asked.channel)
