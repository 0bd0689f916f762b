"""What the memories of a reply are: messages of the archive, or earlier turns of a chat.

Knows nothing of Textual. Calls block.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.records import Kind, StoredMessage
from persona.errors import SessionError
from persona.tui.door import ChatEngine

if TYPE_CHECKING:
    from persona.chat.store import Turn


class Origins:
    """Both in one: which of the two an id is of is settled here alone."""

    def __init__(self, engine: ChatEngine) -> None:
        self._memory = engine.memory
        self._sessions = engine.sessions

    def turn(self, id: str) -> "Turn | None":
        """The turn of that id, None where it is none of a chat."""
        try:
            return self._sessions.turn(id)
        except SessionError:
            return None

    def message(self, id: str) -> StoredMessage | None:
        """What was said under that id, None where it is no longer there."""
        found = self._memory.message(id)
        if found is None and (turn := self.turn(id)) is not None:
            found = as_message(turn)
        return found

    def around(self, id: str, before: int, after: int) -> Sequence[StoredMessage]:
        """It with what was said beside it in its conversation or chat; [] where it is no longer there."""
        turn = self.turn(id)
        if turn is None:
            return self._memory.around(id, before, after)
        said = self._sessions.turns(turn.session_id)
        at = next((n for n, other in enumerate(said) if other.id == id), None)
        beside = [turn] if at is None else said[max(0, at - before) : at + after + 1]
        return [as_message(other) for other in beside]


def as_message(turn: "Turn") -> StoredMessage:
    """A turn as a message of the archive would be, told in the place that a prompt names."""
    from persona.chat.lines import ME, USER
    from persona.chat.recall import PLACE

    author = USER if turn.role == "user" else ME
    return StoredMessage(
        id=turn.id,
        source=PLACE,
        conversation_id=turn.session_id,
        conversation="",
        author_id=author,
        author=author,
        is_self=turn.role == "assistant",
        sent_at=turn.created_at.astimezone(),
        text=turn.text,
        kind=Kind.SPEECH,
        thread=None,
        reply_to=None,
    )
