"""Ctrl-C while a model works, so that what it did is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from persona.errors import PersonaError


@contextmanager
def interrupt_cancels() -> Iterator[threading.Event]:
    """An event that the first interrupt sets; the second one quits."""
    cancel = threading.Event()

    def stop(signum: int, frame: object) -> None:
        cancel.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_ends() -> Iterator[None]:
    """An interrupt ends the block with KeyboardInterrupt, also within a callback of the engine's: nothing can
    be raised through that, and the engine fails instead."""
    came = threading.Event()

    def stop(signum: int, frame: object) -> None:
        came.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except PersonaError:
        if came.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
