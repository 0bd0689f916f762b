"""The one engine as the server's routes use it: its life, its queue, and what they may ask it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Literal, TypeVar

from persona import logs
from persona.backends.base import ChatMessage, Event, Prompt, TextDelta, ThinkingDelta
from persona.chat.aside import aside
from persona.chat.converting import Conversion, Converter
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest
from persona.chat.turns import Session
from persona.config import ServerSettings
from persona.errors import PersonaError
from persona.server.generation import Generation, Source
from persona.server.metrics import Metrics
from persona.server.turnstile import Refused, Turnstile

_log = logging.getLogger(__name__)

BARE = ":bare"
"""Ends the name of a model that is asked without card and memory."""

NEW = "new"
"""The session header's value that begins a chat."""

T = TypeVar("T")


class Twin:
    """An engine, and who may speak to it when. All methods but those of sources run in the loop."""

    def __init__(
        self, engine: Engine, name: str, settings: ServerSettings, converter: Converter | None
    ) -> None:
        self.name = name
        self.state: Literal["loading", "healthy", "failed", "stopping"] = "loading"
        self.failure: Exception | None = None
        self.converts = converter is not None
        self._engine = engine
        self._converter = converter
        self._settings = settings
        self._turnstile = Turnstile(settings.queue, settings.wait_seconds)
        # one thread: the model answers one request at a time, and idle work gives way to all
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._idle = threading.Event()
        self._running: set[Generation] = set()
        self.metrics = Metrics(self._turnstile)

    async def load(self) -> None:
        """Load the model; `state` and `failure` say how it went."""
        try:
            await self._apart(self._warm)
        except Exception as error:
            self.state, self.failure = "failed", error
            _log.error("the model could not be loaded: %s", logs.failure(error))
        else:
            if self.state == "loading":
                self.state = "healthy"

    def _warm(self) -> None:
        self._engine.load()
        with suppress(PersonaError):
            # loads the embedding model, so that the first request need not wait for it
            self._engine.preview(TurnRequest("hello"))

    async def close(self) -> None:
        """Stop what runs and close the engine."""
        self.state = "stopping"
        self._idle.set()
        for generation in self._running:
            generation.stop()
        await self._apart(self._engine.close)
        self._executor.shutdown()

    @property
    def window(self) -> int | None:
        """The context window in tokens; None while the model is not there."""
        return self._engine.backend.info.context if self.state == "healthy" else None

    @property
    def names(self) -> Sequence[str]:
        """The models to be asked: the twin, and the model without card and memory."""
        return [self.name, self.name + BARE]

    def session(self, asked: str) -> Session:
        """A stored chat, or a new one. Raises SessionError when there is none of that id."""
        return self._engine.sessions.create() if asked == NEW else self._engine.sessions.get(asked)

    def drop(self, session_id: str) -> None:
        """Delete a chat that was begun for a request that was refused."""
        self._engine.sessions.delete(session_id)

    # Sources

    def stored(self, request: TurnRequest) -> Source:
        """A turn of a stored chat; the chat is made ready for the next turn afterwards."""

        def run(cancel: threading.Event) -> Iterator[Event]:
            yield from _spoken(self._engine, request, cancel)

        return run

    def stateless(self, history: Sequence[ChatMessage], request: TurnRequest) -> Source:
        """A turn after a history that the caller keeps; nothing is stored."""

        def run(cancel: threading.Event) -> Iterator[Event]:
            with aside(self._engine, history) as (engine, session_id):
                yield from _spoken(engine, replace(request, session_id=session_id), cancel)

        return run

    def bare(self, messages: Sequence[ChatMessage], request: TurnRequest) -> Source:
        """The model alone."""
        return lambda cancel: self._engine.bare(messages, request, cancel)

    # Running

    async def start(
        self, source: Source, gone: "asyncio.Task[None]", session_id: str | None = None
    ) -> Generation:
        """Wait for the model and let it speak. gone: done when nobody listens any more.

        session_id: the stored chat, made ready for its next turn afterwards. Raises Refused.
        """
        source = self.metrics.watched(source, time.perf_counter())
        await self._enter(gone)
        generation: Generation

        def ended() -> None:
            self._running.discard(generation)
            self._turnstile.leave()
            if session_id is not None and not self._turnstile.waiting and self.state == "healthy":
                self._make_ready(session_id)

        generation = Generation(source, self._executor, limit=self._settings.reply_seconds, on_end=ended)
        self._running.add(generation)
        gone.add_done_callback(lambda _: generation.stop())
        return generation

    async def convert(self, text: str, gone: "asyncio.Task[None]") -> Conversion:
        """Put `text` into the schema. Raises Refused, and ModelError when it is too long."""
        converter = self._converter
        if converter is None:
            raise Refused(404, "this server has no schema: start it with `persona serve --schema FILE`")
        arrived = time.perf_counter()
        await self._enter(gone)
        cancel = threading.Event()
        gone.add_done_callback(lambda _: cancel.set())
        limit = asyncio.get_running_loop().call_later(self._settings.reply_seconds, cancel.set)
        try:
            source = self.metrics.watched(converter.source(self._engine, text), arrived)
            return await self._apart(lambda: converter.convert(source(cancel)))
        finally:
            cancel.set()
            limit.cancel()
            self._turnstile.leave()

    def count(self, text: str | None, messages: Sequence[ChatMessage], thinking: bool) -> int:
        """Tokens of plain text, or of messages through the chat template. Raises Refused."""
        self._require()
        if text is not None:
            return self._engine.backend.count_tokens(text)
        return self._engine.backend.count_prompt(Prompt(tuple(messages), thinking))

    def _require(self) -> None:
        if self.state != "healthy":
            raise Refused(503, f"the model is not ready ({self.state})", 2)

    async def _enter(self, gone: "asyncio.Task[None]") -> None:
        self._require()
        entering = asyncio.create_task(self._turnstile.enter())
        try:
            await asyncio.wait({entering, gone}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._give_up(entering)
            raise
        if not entering.done():
            self._give_up(entering)
            raise Refused(499, "the client is gone")
        waited = entering.result()
        self.metrics.waited(waited)
        self._idle.set()
        if self.state != "healthy":
            self._turnstile.leave()
            self._require()
        _log.debug("waited %.2f s for the model, %d behind", waited, self._turnstile.waiting)

    def _give_up(self, entering: "asyncio.Task[float]") -> None:
        def late(task: "asyncio.Task[float]") -> None:
            if not task.cancelled() and task.exception() is None:
                self._turnstile.leave()

        entering.cancel()
        entering.add_done_callback(late)

    def _make_ready(self, session_id: str) -> None:
        self._idle = cancel = threading.Event()

        def work() -> None:
            try:
                self._engine.idle(session_id, cancel)
            except PersonaError as error:
                _log.warning("idle work failed: %s", logs.failure(error))

        self._executor.submit(work)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _spoken(engine: Engine, request: TurnRequest, cancel: threading.Event) -> Iterator[Event]:
    """A turn in a backend's words."""
    from persona.backends.base import Done

    for event in engine.turn(request, cancel):
        if isinstance(event, TextDelta | ThinkingDelta):
            yield event
        elif isinstance(event, TurnFinished):
            if event.usage is not None:
                yield event.usage
            yield Done(event.reason)
