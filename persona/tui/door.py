"""What the app asks of an engine: `persona.chat.engine.Engine` has it, and so has a scripted one in tests.

Knows nothing of Textual.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from knowledge.records import Memory, StoredMessage
from persona.backends.base import ModelInfo, Sampling
from persona.chat.events import PromptReady, TurnEvent, TurnRequest

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.archive_facts import ArchiveFacts
    from knowledge.facts import Fact
    from knowledge.forgetting import Forgetting, What
    from knowledge.memory import IngestResult
    from knowledge.people import Owner, Person
    from knowledge.progress import Progress
    from persona.chat.card import PersonaCard
    from persona.chat.store import SessionStore

ProgressFn = Callable[["Progress"], None]


class _Loaded(Protocol):
    @property
    def info(self) -> ModelInfo: ...
    def default_sampling(self, thinking: bool, /) -> Sampling: ...
    def close(self) -> None: ...


class Archive(Protocol):
    """What the twin knows, as the app reads it, adds to it and has it forget."""

    def message(self, id: str, /) -> StoredMessage | None:
        """One message, None when there is none of that id."""
        ...

    def around(self, id: str, /, before: int = 2, after: int = 2) -> Sequence[StoredMessage]:
        """A message with those before and after it in its conversation."""
        ...

    def messages(
        self, *, conversation: str | None = None, author: str | None = None, limit: int | None = 50
    ) -> Sequence[StoredMessage]:
        """The newest messages that fit, oldest first."""
        ...

    def people(self) -> "Sequence[Person]":
        """Everyone, by how much they wrote."""
        ...

    @property
    def facts(self) -> "ArchiveFacts":
        """What messages state."""
        ...

    def pinned_facts(self) -> "Sequence[Fact]":
        """Those that are shown in every chat."""
        ...

    def owner(self) -> "Owner | None":
        """Whose archive it is, None while that is not known."""
        ...

    def set_owner(self, names: Sequence[str], /) -> "Owner":
        """Settle who the owner is. Raises ArchiveError when nobody matches."""
        ...

    def own_speech(self, limit: int | None = None, /) -> Iterator[StoredMessage]:
        """The owner's own speech, newest first."""
        ...

    def ingest(
        self, paths: "Sequence[Path]", /, *, me: Sequence[str] = (), progress: ProgressFn | None = None
    ) -> "IngestResult":
        """Import every export at or below `paths`. Raises ImportFailed."""
        ...

    def plan_forgetting(self, what: "What", value: str, /) -> "Forgetting":
        """What forgetting would take. Raises ArchiveError when there is no such thing."""
        ...

    def begin_forgetting(self, plan: "Forgetting", /) -> int:
        """Take it out of the archive; returns how many facts went."""
        ...

    def finish_forgetting(self) -> int:
        """Leave no byte of it; returns how many vectors went. Raises ArchiveError."""
        ...


class _Context(Protocol):
    @property
    def used(self) -> int: ...
    @property
    def budget(self) -> int: ...


class ChatEngine(Protocol):
    """The one engine, as the app sees it. Every call blocks, and is made from a worker thread."""

    card: "PersonaCard"
    """Its name is the twin's, its text empty while nobody is known. One that is set is shown from the next
    prompt on."""

    @property
    def backend(self) -> _Loaded:
        """The backend; its info says which model talks."""
        ...

    @property
    def sessions(self) -> "SessionStore":
        """The stored chats."""
        ...

    @property
    def memory(self) -> Archive:
        """What the twin knows."""
        ...

    def load(self) -> None:
        """Load the model now rather than with the first turn."""
        ...

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        """Run one turn."""
        ...

    def regenerate(
        self, session_id: str, request: TurnRequest | None = None, cancel: threading.Event | None = None
    ) -> Iterator[TurnEvent]:
        """Answer the last user message again."""
        ...

    def idle(self, session_id: str, cancel: threading.Event | None = None) -> None:
        """Work for quiet moments."""
        ...

    def index(self, cancel: threading.Event | None = None, progress: "ProgressFn | None" = None) -> None:
        """Compute the vectors that wait; may run beside everything else."""
        ...

    def preview(self, request: TurnRequest) -> tuple[PromptReady, tuple[Memory, ...]]:
        """The prompt a request would send, with its memories."""
        ...

    def context(self, session_id: str) -> _Context:
        """Tokens the next prompt starts from, and the most it may have."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


Opener = Callable[[ProgressFn], ChatEngine]
