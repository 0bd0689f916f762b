"""An engine over a scripted backend and a real session store, for tests that control every word."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from queued_backend import QueuedBackend

from knowledge.records import Memory
from persona.backends.base import Prompt
from persona.chat.abstract import INSTRUCTION
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.events import TurnEvent, TurnFinished, TurnRequest
from persona.chat.store import SessionStore
from persona.config import ChatSettings, MemorySettings, Settings

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)


def memory(rank: int, text: str, words: int = 0) -> Memory:
    return Memory(
        id=f"slack:C1:{rank}",
        text=text + " blah" * words,
        author="Mira Sol",
        is_self=True,
        sent_at=datetime(2024, 3, rank, tzinfo=UTC),
        source="slack",
        conversation="#general",
        conversation_id="slack:C1",
        rank=rank,
        score=1 / rank,
        why="words: ring",
    )


@dataclass
class Shelf:
    """What a memory store gives for a search, within the budget it is asked to keep."""

    holds: list[Memory] = field(default_factory=list)
    asked: list[tuple[str, tuple[str, ...], int | None]] = field(default_factory=list)
    fails: Exception | None = None
    closed: bool = False
    embedded: int = 0

    def embed_pending(
        self, progress: object = None, cancel: threading.Event | None = None, *, apart: bool = False
    ) -> int:
        assert apart
        self.embedded += 1
        return 0

    def search(
        self,
        query: str,
        *,
        now: datetime,
        budget_tokens: int | None = 600,
        cost: Callable[[Sequence[Memory]], int],
        k: int | None = None,
        context: Sequence[str] = (),
    ) -> list[Memory]:
        self.asked.append((query, tuple(context), budget_tokens))
        if self.fails:
            raise self.fails
        served: list[Memory] = []
        for item in self.holds:
            if cost([*served, item]) <= (budget_tokens or 0):
                served.append(item)
        return served

    def own_speech(self, limit: int | None = None) -> list[object]:
        return []

    def owner(self) -> None:
        return None

    def stats(self) -> dict[str, int]:
        return {"messages": 0}

    def close(self) -> None:
        self.closed = True


@dataclass
class House:
    """An engine over a scripted backend and a real session store."""

    engine: Engine
    backend: QueuedBackend
    sessions: SessionStore
    shelf: Shelf

    @property
    def summary_prompts(self) -> list[Prompt]:
        """What the model was asked to summarise."""
        return [p for p in self.backend.prompts if p.messages[0].content == INSTRUCTION]

    @property
    def chat_prompts(self) -> list[Prompt]:
        """What the model was asked to answer."""
        return [p for p in self.backend.prompts if p.messages[0].content != INSTRUCTION]

    def say(self, text: str, reply: str = "fine.", **options: object) -> TurnFinished:
        self.backend.reply(reply)
        request = TurnRequest(text, now=NOW, **options)  # type: ignore[arg-type]
        return finished(self.engine.turn(request))


def finished(events: Iterator[TurnEvent]) -> TurnFinished:
    *_, last = events
    assert isinstance(last, TurnFinished)
    return last


def make_house(file: Path, context: int = 400, trained: int | None = None, **chat: object) -> House:
    backend, shelf, sessions = QueuedBackend(context, trained), Shelf(), SessionStore(file)
    engine = Engine(
        memory=shelf,  # type: ignore[arg-type]
        sessions=sessions,
        backend=backend,
        settings=Settings(
            chat=ChatSettings.model_validate({"reply_tokens": 40, **chat}),
            memory=MemorySettings(budget_tokens=100),
        ),
        card=PersonaCard("Mira Sol", "Name: Mira Sol"),
    )
    return House(engine, backend, sessions, shelf)


def chat(house: House, turns: int, **options: object) -> str:
    session_id: str | None = None
    for n in range(turns):
        session_id = house.say(
            f"My friend number {n} is called Person{n}.", "Good to know.", session_id=session_id, **options
        ).session_id
        assert session_id
        house.engine.idle(session_id)
    assert session_id
    return session_id
