"""Opens the stores of the user's home for a command, and closes them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore
    from persona.chat.store import SessionStore


@contextmanager
def open_memory() -> Iterator["MemoryStore"]:
    """What the twin knows."""
    from persona import config
    from persona.chat import opening

    with closing(opening.open_memory(config.load())) as store:
        yield store


@contextmanager
def open_sessions() -> Iterator["SessionStore"]:
    """Past chats."""
    from persona.chat import opening

    with closing(opening.open_sessions()) as store:
        yield store


def refresh_card(memory: "MemoryStore") -> None:
    """Make the persona card anew after the archive changed, unless the user edited it."""
    from persona import paths
    from persona.chat import card

    card.refresh(paths.card_file(), memory)
