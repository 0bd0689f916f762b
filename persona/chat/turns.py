"""The records of a chat: sessions, their turns, the summaries of folded turns; and how rows become them."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from persona.backends.base import Usage
from persona.chat.events import Status

TurnRole = Literal["user", "assistant"]
Author = Literal["extractive", "abstractive", "mixed"]


@dataclass(frozen=True, slots=True)
class Session:
    """One chat. turns: how many messages `SessionStore.turns` gives for it."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int

    def as_json(self) -> dict[str, Any]:
        """The shape of `sessions list`."""
        return {
            "id": self.id,
            "title": self.title,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "turns": self.turns,
        }


@dataclass(frozen=True, slots=True)
class MemoryRef:
    """A memory a reply was shown: the archive's message id, and why it was chosen. Never its text."""

    id: str
    rank: int
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat.

    number: the exchange it belongs to, from 1; a question and its reply share it.
    thinking_on: whether the model was allowed to think. active: false for a reply that was
    regenerated since. correspondent: who the user spoke as, None for the owner; channel: where they met.
    """

    id: str
    session_id: str
    number: int
    role: TurnRole
    text: str
    thinking: str
    status: Status
    created_at: datetime
    correspondent: str | None = None
    channel: str | None = None
    memories: tuple[MemoryRef, ...] = ()
    usage: Usage | None = None
    thinking_on: bool = False
    active: bool = True

    def as_json(self) -> dict[str, Any]:
        """The shape of a turn in `sessions show`."""
        return {
            "id": self.id,
            "role": self.role,
            "text": self.text,
            "thinking": self.thinking,
            "status": self.status,
            "created_at": self.created_at.isoformat(),
            "number": self.number,
            "thinking_on": self.thinking_on,
            "correspondent": self.correspondent,
            "memories": [asdict(m) for m in self.memories],
            "usage": asdict(self.usage) if self.usage else None,
            "active": self.active,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A frozen block that stands for exchanges `first_turn` to `last_turn` in the prompt.

    level: 1 for turns folded directly, one more for each merge. turn_ids: the messages folded in.
    made_by: who wrote its lines: `extractive` quotes, `abstractive` is the model, `mixed` both.
    dropped: how many of the model's lines failed the check. note: why quotes stand in for the model.
    replaces: the summaries merged into it; in_force: whether none replaced it.
    """

    n: int
    strategy: str
    level: int
    first_turn: int
    last_turn: int
    text: str
    turn_ids: tuple[str, ...]
    made_by: Author = "extractive"
    dropped: int = 0
    note: str = ""
    replaces: tuple[int, ...] = ()
    in_force: bool = True

    def as_json(self) -> dict[str, Any]:
        """The shape of a summary in `sessions show --summaries`."""
        return {**asdict(self), "lines": self.text.splitlines()}


def session_of(row: sqlite3.Row) -> Session:
    """Session from its row."""
    return Session(
        row["id"],
        row["title"],
        datetime.fromisoformat(row["created_at"]),
        datetime.fromisoformat(row["updated_at"]),
        row["turns"],
    )


def turn_of(row: sqlite3.Row) -> Turn:
    """Turn from its row."""
    return Turn(
        id=row["id"],
        session_id=row["session"],
        number=row["number"],
        role=row["role"],
        text=row["text"],
        thinking=row["thinking"],
        status=row["status"],
        created_at=datetime.fromisoformat(row["created_at"]),
        correspondent=row["correspondent"],
        channel=row["channel"],
        memories=tuple(MemoryRef(**m) for m in json.loads(row["memories"])),
        usage=Usage(**json.loads(row["usage"])) if row["usage"] else None,
        thinking_on=bool(row["thinking_on"]),
        active=bool(row["active"]),
    )


def summary_of(row: sqlite3.Row, in_force: bool = True) -> Summary:
    """Summary from its row."""
    return Summary(
        n=row["n"],
        strategy=row["strategy"],
        level=row["level"],
        first_turn=row["first_turn"],
        last_turn=row["last_turn"],
        text=row["text"],
        turn_ids=tuple(json.loads(row["turns"])),
        made_by=row["made_by"],
        dropped=row["dropped"],
        note=row["note"],
        replaces=tuple(json.loads(row["replaces"])),
        in_force=in_force,
    )
