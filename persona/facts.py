"""Facts wherever they were told: in messages of the archive, and in chats."""

from typing import TYPE_CHECKING, Protocol

from knowledge.facts import in_force
from persona.chat.fact_book import FactBook

if TYPE_CHECKING:
    from knowledge.archive_facts import ArchiveFacts
    from knowledge.facts import Fact
    from persona.chat.store import SessionStore


class _Memory(Protocol):
    @property
    def facts(self) -> "ArchiveFacts": ...


class Facts:
    """Both in one. Raises SessionError for an id that neither has."""

    def __init__(self, memory: _Memory, sessions: "SessionStore") -> None:
        self._archive = memory.facts
        self._chats = FactBook(sessions)

    def told(self) -> "list[Fact]":
        """Every fact, oldest first, each with what superseded it, wherever that was told."""
        return in_force(sorted([*self._archive.told(), *self._chats.told()], key=lambda fact: fact.told_at))

    def get(self, id: str) -> "Fact":
        """One fact."""
        return self._archive.get(id) or self._chats.get(id)

    def pin(self, id: str, *, pinned: bool) -> "Fact":
        """Have a fact shown in every chat, or no more."""
        where = self._archive if self._archive.get(id) else self._chats
        return where.pin(id, pinned=pinned)

    def correct(self, id: str, text: str) -> "Fact":
        """Write down what holds in place of a fact. Raises a PersonaError where there is no text."""
        where = self._archive if self._archive.get(id) else self._chats
        return where.correct(id, text)
