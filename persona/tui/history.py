"""Stored turns as the widgets of a page."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from textual.widget import Widget

from knowledge.records import Memory
from persona.tui import quoting
from persona.tui.door import ChatEngine
from persona.tui.origins import Origins
from persona.tui.widgets.messages import Quoted, TwinMessage, UserMessage

if TYPE_CHECKING:
    from persona.chat.store import MemoryRef, Turn


class Makers:
    """Makes the messages of a chat. name: what the twin is called. keep_open: whether thinking is open.
    bubbles: whether a reply may be several messages in a row. today: what was said then has no date."""

    def __init__(
        self, engine: ChatEngine, name: str, today: date, *, keep_open: bool = False, bubbles: bool = True
    ) -> None:
        self._engine = engine
        self._today = today
        self._name = name
        self._keep_open = keep_open
        self._bubbles = bubbles

    def of(self, turns: "Sequence[Turn]") -> list[Callable[[], Widget]]:
        """For each turn in force, in order, what makes its message: a page shows some of them at once.

        turns: with their alternatives.
        """
        replies: dict[int, list[Turn]] = {}
        for turn in turns:
            if turn.role == "assistant":
                replies.setdefault(turn.number, []).append(turn)
        return [
            partial(self.reply, turn, replies[turn.number])
            if turn.role == "assistant"
            else partial(self._question, turn, quoted(turn.text, turns[:at], self._name))
            for at, turn in enumerate(turns)
            if turn.active
        ]

    def reply(self, turn: "Turn", among: "Sequence[Turn]") -> TwinMessage:
        """A stored reply, and which it is of those to one message."""
        message = TwinMessage(
            self._name,
            turn.created_at.astimezone(),
            turn_id=turn.id,
            keep_open=self._keep_open,
            bubbles=self._bubbles,
            today=self._today,
        )
        load = partial(recall, self._engine, turn.memories)
        message.restore(turn.text, turn.thinking, turn.status, len(turn.memories), load)
        message.head.number([t.id for t in among].index(turn.id) + 1, len(among))
        return message

    def _question(self, turn: "Turn", quoted: Quoted | None) -> UserMessage:
        when = turn.created_at.astimezone()
        return UserMessage(turn.text, when, _asker(turn), turn.id, self._today, quoted)


def quoted(text: str, before: "Sequence[Turn]", twin: str) -> Quoted | None:
    """Which of the turns before it a message quotes, None where it quotes none of them."""
    turn = quoting.source(text, before)
    if turn is None:
        return None
    return Quoted(twin if turn.role == "assistant" else _asker(turn), turn.id)


def _asker(turn: "Turn") -> str:
    return turn.correspondent or "you"


def recall(engine: ChatEngine, refs: "Sequence[MemoryRef]") -> list[Memory]:
    """The memories a stored reply was given, as they read now; forgotten ones are left out."""
    origins = Origins(engine)
    found = []
    for ref in refs:
        message = origins.message(ref.id)
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
