"""Looking after what the twin knows, from where it is seen: pin, correct, forget, leave out.

Knows nothing of Textual. Calls block.
"""

from typing import TYPE_CHECKING, cast

from persona.chat.fact_book import FactBook
from persona.chat.left_out import leave_out
from persona.tui.door import ChatEngine

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore


class Care:
    """For one chat; session_id None where it is not begun yet. Raises as stores do."""

    def __init__(self, engine: ChatEngine, session_id: str | None) -> None:
        self._engine = engine
        self._session_id = session_id
        self._book = FactBook(engine.sessions)

    def pin(self, fact_id: str) -> str:
        """Have a fact shown in every chat, or no more; what to say of it."""
        pinned = not self._book.get(fact_id).pinned
        self._book.pin(fact_id, pinned=pinned)
        return "Shown in every chat from the next start on." if pinned else "Not pinned any more."

    def fact_text(self, fact_id: str) -> str:
        """What a fact says."""
        return self._book.get(fact_id).text

    def correct(self, fact_id: str, text: str) -> str:
        """Write down what holds in its place; what to say of it."""
        self._book.correct(fact_id, text)
        return "Corrected; what was told stays to be seen."

    def forget_fact(self, fact_id: str) -> str:
        """Take a fact and the sentence that tells it away for good; what to say of it."""
        self._book.forget(fact_id)
        self._engine.sessions.scrub()
        return "Forgotten, with the sentence that told it."

    def leave_out(self, message_id: str) -> str:
        """Do not show this chat a message of the archive any more; what to say of it."""
        if self._session_id is None:
            return "This chat is not begun yet: there is nothing to leave it out of."
        leave_out(self._engine.sessions, self._session_id, message_id)
        return "Left out of this chat from now on; every other chat still finds it."

    def forget_message(self, message_id: str) -> str:
        """Take a message out of every store for good; what to say of it."""
        from persona import forgetting

        memory = cast("MemoryStore", self._engine.memory)
        done = forgetting.forget(memory, self._engine.sessions, memory.plan_forgetting("id", message_id))
        trained = f" These adapters learned from it: {', '.join(done.adapters)}." if done.adapters else ""
        return f"Forgotten everywhere: {done.messages} message, {done.turns} replies emptied.{trained}"
