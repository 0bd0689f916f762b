"""An engine that says exactly what a test tells it to, when it tells it to.

The store behind it is the real one; only the model's words are scripted. For what a real model must
show (streaming, stopping, storing) there are tests over the real engine.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from knowledge.facts import Fact
from knowledge.people import Person
from knowledge.progress import Progress
from knowledge.records import Memory, StoredMessage
from persona.backends.base import ModelInfo, Prompt, Sampling, Section, TextDelta, ThinkingDelta, Usage
from persona.chat.budget import Budget
from persona.chat.events import PromptReady, Retrieved, TurnEvent, TurnFinished, TurnRequest, TurnStarted
from persona.chat.store import SessionStore
from persona.errors import PersonaError
from persona.tui.door import ProgressFn

STARTER = ModelInfo("starter", "qwen3", 3_100_000, 2048, 2048, is_starter=True)
USAGE = Usage(423, 310, 21, 412.0, 31.4, 400)


def memory(rank: int = 1, text: str = "I moved to Porto last week", **changes: object) -> Memory:
    """A memory with everything a list of them shows."""
    values: dict[str, object] = {
        "id": f"slack:C1:{rank}",
        "text": text,
        "author": "Mira Sol",
        "is_self": True,
        "sent_at": datetime(2024, 3, 12, 9, 30, tzinfo=UTC),
        "source": "slack",
        "conversation": "#general",
        "conversation_id": "slack:C1",
        "rank": rank,
        "score": 0.83,
        "why": "words: moved, porto; meaning 0.52",
    }
    return Memory(**{**values, **changes})  # type: ignore[arg-type]


def ready(message: str) -> PromptReady:
    """A prompt with the sections of a chat that has a past; 423 tokens of 1,664."""
    sections = {
        "rules": "You are Mira Sol.",
        "persona card": "About you:\nName: Mira Sol",
        "summaries": "Earlier in this chat:\n- (turn 1) user: my dog is called Rufus",
        "recent turns": "user: hello\nassistant: hello you",
    }
    tokens = {"rules": 80, "persona card": 120, "summaries": 40, "recent turns": 60}
    if message:
        sections |= {"memories": "<memories>\n[1] 12 March 2024\n</memories>", "message": message}
        tokens |= {"memories": 70, "message": 30}
    shown = tuple(Section(name, text) for name, text in sections.items())
    return PromptReady(Prompt((), sections=shown), 423, 1664, tokens, Budget(2048, 384, 210, 300))


@dataclass
class Archive:
    """Messages by id, as `MemoryStore.message` gives them; they are each other's neighbours."""

    stored: dict[str, StoredMessage] = field(default_factory=dict)
    known: list[Person] = field(default_factory=list)
    heard: dict[str, list[StoredMessage]] = field(default_factory=dict)
    """What each of them wrote."""
    known_facts: list[Fact] = field(default_factory=list)

    def around(self, id: str, before: int = 2, after: int = 2) -> list[StoredMessage]:
        return list(self.stored.values()) if id in self.stored else []

    def messages(
        self, *, conversation: str | None = None, author: str | None = None, limit: int | None = 50
    ) -> list[StoredMessage]:
        said = [m for messages in self.heard.values() for m in messages]
        there = [m for m in said if conversation in (None, m.conversation_id)]
        return [m for m in there if author in (None, m.author)][:limit]

    def people(self) -> list[Person]:
        return self.known

    def message(self, id: str) -> StoredMessage | None:
        return self.stored.get(id)

    @property
    def facts(self) -> SimpleNamespace:
        return SimpleNamespace(told=lambda: self.known_facts, get=lambda id: None)

    def pinned_facts(self) -> list[Fact]:
        return []

    def owner(self) -> None:
        return None


Said = str | ThinkingDelta | PersonaError | BaseException


class ScriptedEngine:
    """Say things with `say`, end the reply with `end`; `requests` holds what was asked."""

    def __init__(self, folder: Path, memories: tuple[Memory, ...] = (), info: ModelInfo = STARTER) -> None:
        self.card = SimpleNamespace(name="Mira Sol", text="Name: Mira Sol")
        self.backend = SimpleNamespace(
            info=info,
            default_sampling=lambda thinking: Sampling(0.6 if thinking else 0.7, 0.8, 20),
            close=lambda: None,
        )
        self.memory = Archive()
        self._folder = folder
        self.sessions = self.open_sessions()
        self.memories = memories
        self.requests: list[TurnRequest] = []
        self.regenerated: list[str] = []
        self.idled: list[str] = []
        self.unindexed = 0
        self.indexed = threading.Event()
        self.closed = False
        self._said: queue.Queue[Said | None] = queue.Queue()

    def open_sessions(self) -> SessionStore:
        """Its chats, for one more to read and write them."""
        return SessionStore(self._folder / "sessions.sqlite3")

    def say(self, *pieces: Said) -> None:
        """Let the reply go on with these: text, thinking, or an error that breaks it off."""
        for piece in pieces:
            self._said.put(piece)

    def end(self) -> None:
        """Let the reply end here."""
        self._said.put(None)

    def load(self) -> None:
        """Nothing to load."""

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        self.requests.append(request)
        session_id = request.session_id or self.sessions.create().id
        user = self.sessions.add_user(
            session_id, request.text, correspondent=request.correspondent, channel=request.channel
        )
        yield TurnStarted(session_id, user.id)
        yield from self._reply(session_id, user.number, request, cancel or threading.Event())

    def regenerate(
        self, session_id: str, request: TurnRequest | None = None, cancel: threading.Event | None = None
    ) -> Iterator[TurnEvent]:
        self.regenerated.append(session_id)
        user = [t for t in self.sessions.turns(session_id) if t.role == "user"][-1]
        yield TurnStarted(session_id, user.id)
        yield from self._reply(
            session_id, user.number, request or TurnRequest(user.text), cancel or threading.Event()
        )

    def idle(self, session_id: str, cancel: threading.Event | None = None) -> None:
        self.idled.append(session_id)

    def index(self, cancel: threading.Event | None = None, progress: ProgressFn | None = None) -> None:
        if self.unindexed and progress:
            progress(Progress("embedding", 256, self.unindexed))
            while not self.indexed.wait(0.01) and not (cancel and cancel.is_set()):
                pass

    def preview(self, request: TurnRequest) -> tuple[PromptReady, tuple[Memory, ...]]:
        return ready(request.text), self.memories if request.text else ()

    def context(self, session_id: str) -> SimpleNamespace:
        return SimpleNamespace(used=512, budget=1664)

    def close(self) -> None:
        self.closed = True
        self.sessions.close()

    def _reply(
        self, session_id: str, number: int, request: TurnRequest, cancel: threading.Event
    ) -> Iterator[TurnEvent]:
        memories = self.memories if request.memory else ()
        yield Retrieved(memories)
        yield ready(request.text)
        reply = self.sessions.add_reply(session_id, number)
        text = thinking = ""
        while (piece := self._next(cancel)) is not None:
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, ThinkingDelta):
                thinking += piece.text
                yield piece
            else:
                text += piece
                yield TextDelta(piece)
        status = "partial" if cancel.is_set() else "complete"
        self.sessions.update_reply(reply.id, text=text, thinking=thinking, status=status, usage=USAGE)
        yield TurnFinished(session_id, reply.id, text, thinking, status, USAGE, memories)

    def _next(self, cancel: threading.Event) -> Said | None:
        while not cancel.is_set():
            try:
                return self._said.get(timeout=0.01)
            except queue.Empty:
                continue
        return None
