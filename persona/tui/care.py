"""Looking after what the twin knows, from where it is seen: pin, correct, forget, leave out.

Knows nothing of Textual. Calls block.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from persona import paths
from persona.chat.fact_book import FactBook
from persona.chat.left_out import leave_out
from persona.facts import Facts
from persona.tui.door import ChatEngine
from persona.tui.origins import Origins

if TYPE_CHECKING:
    from persona.forgetting import Forgotten


class Care:
    """For one chat; session_id None where it is not begun yet. Raises as stores do.

    forgot: whether anything was forgotten, which what was read before may still hold.
    """

    def __init__(self, engine: ChatEngine, session_id: str | None) -> None:
        self.forgot = False
        self._engine = engine
        self._session_id = session_id

    @property
    def _facts(self) -> Facts:
        return Facts(self._engine.memory, self._engine.sessions)

    # Facts, of the archive and of chats

    def pin(self, fact_id: str) -> str:
        """Have a fact shown in every chat, or no more; what to say of it."""
        facts = self._facts
        fact = facts.pin(fact_id, pinned=not facts.get(fact_id).pinned)
        self._renew_card()
        if not fact.pinned:
            return "Not pinned any more."
        if fact.subject:
            return "Pinned; but only what the owner tells of themselves is shown in every chat."
        return "Shown in every chat from the next message on."

    def fact_text(self, fact_id: str) -> str:
        """What a fact says."""
        return self._facts.get(fact_id).text

    def correct(self, fact_id: str, text: str) -> str:
        """Write down what holds in its place; what to say of it."""
        self._facts.correct(fact_id, text)
        self._renew_card()
        return "Corrected; what was told stays to be seen."

    def fact_goes_with(self, fact_id: str) -> str:
        """What is forgotten with a fact, itself included."""
        fact = self._facts.get(fact_id)
        if fact.session_id:
            return "this fact and the sentence that tells it"
        return f"this fact and its proof, {_count(len(fact.sources), 'message')} of the archive"

    def forget_fact(self, fact_id: str) -> str:
        """Take a fact and what tells it away for good; what to say of it."""
        fact = self._facts.get(fact_id)
        if not fact.session_id:
            return self._forget_everywhere(fact.sources)
        FactBook(self._engine.sessions).forget(fact_id)
        self._engine.sessions.scrub()
        self._forgotten()
        return "Forgotten, with the sentence that told it."

    # Memories: messages of the archive, and turns of this chat

    def leave_out(self, memory_id: str) -> str:
        """Do not show this chat a memory any more; what to say of it."""
        if self._session_id is None:
            return "This chat is not begun yet: there is nothing to leave it out of."
        leave_out(self._engine.sessions, self._session_id, memory_id)
        return "Left out of this chat from now on; every other chat still finds it."

    def memory_goes_with(self, memory_id: str) -> str:
        """What is forgotten with a memory, itself included."""
        turn = Origins(self._engine).turn(memory_id)
        if turn is None:
            return "this message, in every store"
        if turn.role == "assistant":
            return "this reply, and what was made of it"
        return "this message of a chat with the reply to it, and what was made of them"

    def forget_memory(self, memory_id: str) -> str:
        """Take a memory out of every store for good; what to say of it."""
        if Origins(self._engine).turn(memory_id) is None:
            return self._forget_everywhere([memory_id])
        self._engine.sessions.delete_turn(memory_id)
        self._engine.sessions.scrub()
        self._forgotten()
        return "Forgotten, with the facts and summaries made of it."

    def _forget_everywhere(self, message_ids: Sequence[str]) -> str:
        from persona import forgetting

        memory, sessions = self._engine.memory, self._engine.sessions
        done: list[Forgotten] = []
        for id in message_ids:
            done.append(forgetting.forget(memory, sessions, memory.plan_forgetting("id", id)))
            self._forgotten()
        messages, turns = sum(d.messages for d in done), sum(d.turns for d in done)
        adapters = sorted({name for d in done for name in d.adapters})
        trained = f" These adapters learned from it: {', '.join(adapters)}." if adapters else ""
        emptied = f"{turns:,} {'reply' if turns == 1 else 'replies'}"
        return f"Forgotten everywhere: {_count(messages, 'message')}, {emptied} emptied.{trained}"

    def _forgotten(self) -> None:
        self.forgot = True
        self._renew_card()

    def _renew_card(self) -> None:
        """Have the next prompt show the card as it is now: its file, and the facts that are pinned."""
        from persona.chat import card

        self._engine.card = card.current(paths.card_file(), self._engine.memory, self._engine.sessions)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
