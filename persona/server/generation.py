"""A blocking stream of events as an asynchronous one: run in a thread, stopped from the outside."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress

from persona.backends.base import Event

Source = Callable[[threading.Event], Iterator[Event]]
"""Makes the events; the event it is given stops it."""


class Generation:
    """One running generation. on_end is called in the loop when its thread is done with it.

    limit: seconds after which it is stopped.
    """

    def __init__(
        self, source: Source, executor: Executor, *, limit: float, on_end: Callable[[], object]
    ) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self._cancel = threading.Event()
        self._on_end = on_end
        self._timer = self._loop.call_later(limit, self.stop)
        executor.submit(self._run)

    def stop(self) -> None:
        """End it within a token."""
        self._cancel.set()

    async def events(self) -> AsyncIterator[Event]:
        """What it says, until it ends. Leaving the iteration stops it. Raises what the source raised."""
        try:
            while (item := await self._queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.stop()

    def _run(self) -> None:
        try:
            for event in self._source(self._cancel):
                self._tell(lambda event=event: self._queue.put_nowait(event))  # type: ignore[misc]
        except Exception as error:
            failure = error
            self._tell(lambda: self._queue.put_nowait(failure))
        finally:
            self._tell(self._end)

    def _end(self) -> None:
        self._timer.cancel()
        self._queue.put_nowait(None)
        self._on_end()

    def _tell(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed when the program is
            self._loop.call_soon_threadsafe(what)
