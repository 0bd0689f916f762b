"""Stored turns as the widgets of a page."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.widget import Widget

from knowledge.records import Memory
from persona.tui.door import ChatEngine
from persona.tui.widgets.messages import TwinMessage, UserMessage

if TYPE_CHECKING:
    from persona.chat.store import MemoryRef, Turn


def makers_of(turns: "Sequence[Turn]", engine: ChatEngine, name: str) -> list[Callable[[], Widget]]:
    """For each turn in order, what makes its message: a page shows some of them at once."""
    return [partial(_widget, turn, engine, name) for turn in turns]


def _widget(turn: "Turn", engine: ChatEngine, name: str) -> Widget:
    when = turn.created_at.astimezone()
    if turn.role == "user":
        return UserMessage(turn.text, when)
    message = TwinMessage(name, when)
    message.restore(
        turn.text, turn.thinking, turn.status, len(turn.memories), partial(recall, engine, turn.memories)
    )
    return message


def recall(engine: ChatEngine, refs: "Sequence[MemoryRef]") -> list[Memory]:
    """The memories a stored reply was given, read from the archive; forgotten ones are left out."""
    found = []
    for ref in refs:
        message = engine.memory.message(ref.id)
        if message is not None:
            found.append(
                Memory(
                    id=message.id,
                    text=message.text,
                    author=message.author,
                    is_self=message.is_self,
                    sent_at=message.sent_at,
                    source=message.source,
                    conversation=message.conversation,
                    conversation_id=message.conversation_id,
                    rank=ref.rank,
                    score=ref.score,
                    why=ref.why,
                )
            )
    return found
