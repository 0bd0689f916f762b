"""Opens the stores of the user's home for a command, and closes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from persona import paths

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore
    from persona.chat.store import SessionStore


@contextmanager
def open_memory() -> Iterator["MemoryStore"]:
    """What the twin knows, with the embedding model of the settings."""
    from knowledge.memory import MemoryStore
    from persona import config

    settings = config.load()
    store = MemoryStore(paths.knowledge_dir(), embedding_model=settings.memory.embedding_model)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_sessions() -> Iterator["SessionStore"]:
    """Past chats."""
    from persona.chat.store import SessionStore

    store = SessionStore(paths.sessions_file())
    try:
        yield store
    finally:
        store.close()
