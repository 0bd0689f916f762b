"""Rows from exchanges and questions, laid out as the chat engine would: same module, same memories, same
budget, seen from the time it was said."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from knowledge.records import Memory
from knowledge.text import one_line
from persona.chat.card import PersonaCard
from persona.chat.layout import HistoryTurn, Scene, build, day
from trainer.dataset.exchanges import Exchange, Windows
from trainer.dataset.facts import DECISION, Question
from trainer.dataset.rows import Row, row_id
from trainer.tokens import PromptTokens

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

_SYLLABLES = "ba be bi bo da de di do fa fe fi ka ke ki ko la le li lo ma me mi mo na ne ni no".split()
NOTHING_FOUND = "Nothing here answers this."
NO_MEMORY_NEEDED = "Just small talk, no memory needed."


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scenes are set. memory_tokens: the budget of a prompt's memories, 0 for none."""

    memory: "MemoryStore"
    card: PersonaCard
    tokens: PromptTokens
    memory_tokens: int
    windows: Windows

    def style(self, exchange: Exchange, *, thinking: bool, named: bool) -> Row:
        """A reply as it was given. named: the prompt says who is spoken to, as `--as-correspondent`."""
        bubbles = self.windows.bubbles
        said, reply = exchange.said.text(bubbles), exchange.reply.text(bubbles)
        begun = exchange.earlier[0].start if exchange.earlier else exchange.said.start
        earlier = [
            HistoryTurn(user.text(bubbles), own.text(bubbles))
            for user, own in zip(exchange.earlier[::2], exchange.earlier[1::2], strict=True)
        ]
        memories = self.recall(said, exchange.reply.start, begun, context=[t.user for t in earlier][-2:])
        scene = self._scene(said, exchange.reply.start, memories, thinking)
        scene = replace(scene, turns=earlier, partner=exchange.partner if named else None)
        return Row(
            id=row_id("style", *(m.id for m in exchange.reply.messages)),
            category="decision" if DECISION.search(reply) else "style",
            thinking=thinking,
            messages=_messages(scene),
            reply=reply,
            reasoning=NO_MEMORY_NEEDED if thinking else "",
            sources=_sources(exchange.sources, memories),
            at=exchange.reply.start.isoformat(),
            conversation=exchange.reply.messages[0].conversation,
            episode=exchange.episode,
            source=exchange.reply.messages[0].source,
            partner=exchange.partner,
        )

    def fact(self, question: Question, now: datetime, *, thinking: bool) -> Row:
        """A question with the memory that answers it among those that do not."""
        memories = _holding(self.recall(question.text, now, now), question)
        memories = self._fitted(memories, keep=question.holder.id)
        rank = next(m.rank for m in memories if m.id == question.holder.id)
        reasoning = f"[{rank}] {day(question.at)}, me."
        return self._asked(question, now, memories, question.answer, reasoning if thinking else "")

    def unknown(self, question: Question, now: datetime, reply: str, *, thinking: bool) -> Row:
        """The same kind of question where no memory shown answers it."""
        proof = [word.casefold() for word in question.expect]
        memories = [
            replace(m, before=(), after=())
            for m in self.recall(question.text, now, now)
            if m.id not in question.sources and not any(word in m.text.casefold() for word in proof)
        ]
        row = self._asked(question, now, _ranked(memories), reply, NOTHING_FOUND if thinking else "")
        return replace(row, id=row_id("unknown", question.holder.id), expect=(), answerable=False)

    def canary(self, number: int, now: datetime, rng: random.Random) -> Row:
        """A code that stands nowhere else: a tuned model that repeats it learns by heart."""
        code = " ".join("".join(rng.choice(_SYLLABLES) for _ in range(3)) for _ in range(3))
        question = f"What is the canary code number {number + 1}?"
        return Row(
            id=row_id("canary", str(number), code),
            category="canary",
            thinking=False,
            messages=_messages(self._scene(question, now, (), False)),
            reply=code,
            at=now.isoformat(),
        )

    def recall(
        self, query: str, now: datetime, before: datetime, context: Sequence[str] = ()
    ) -> list[Memory]:
        """What the twin would be shown at `now`, had it heard nothing since `before`."""
        if self.memory_tokens <= 0:
            return []
        found = self.memory.search(
            query, now=now, budget_tokens=2 * self.memory_tokens, cost=self.tokens.memories, context=context
        )
        earlier = [
            replace(
                m,
                before=tuple(n for n in m.before if n.sent_at < before),
                after=tuple(n for n in m.after if n.sent_at < before),
            )
            for m in found
            if m.sent_at < before
        ]
        return self._fitted(_ranked(earlier))

    def _fitted(self, memories: list[Memory], keep: str = "") -> list[Memory]:
        """The memories within the budget: neighbours go first, then the worst matches."""
        while memories and self.tokens.memories(memories) > self.memory_tokens:
            crowded = next((n for n in reversed(range(len(memories))) if _beside(memories[n])), None)
            if crowded is not None:
                memories[crowded] = replace(memories[crowded], before=(), after=())
                continue
            last = next((n for n in reversed(range(len(memories))) if memories[n].id != keep), None)
            if last is None:
                break
            del memories[last]
        return _ranked(memories)

    def _asked(
        self, question: Question, now: datetime, memories: list[Memory], reply: str, reasoning: str
    ) -> Row:
        holder = question.holder
        return Row(
            id=row_id(question.category, holder.id, question.text),
            category=question.category,
            thinking=bool(reasoning),
            messages=_messages(self._scene(question.text, now, memories, bool(reasoning))),
            reply=reply,
            reasoning=reasoning,
            sources=_sources(question.sources, memories),
            at=question.at.isoformat(),
            conversation=holder.conversation,
            episode=question.episode,
            source=holder.source,
            expect=question.expect,
        )

    def _scene(self, message: str, now: datetime, memories: Sequence[Memory], thinking: bool) -> Scene:
        return Scene(
            name=self.card.name,
            card=self.card.text,
            message=message,
            now=now,
            memories=memories,
            thinking=thinking,
        )


def _holding(memories: list[Memory], question: Question) -> list[Memory]:
    """`memories` with the one that holds the answer: where it was not found it takes the last place."""
    holder = question.holder
    if any(m.id == holder.id for m in memories):
        return [_telling(m, question) if m.id == holder.id else m for m in memories]
    missing = Memory(
        id=holder.id,
        text=question.answer,
        author=holder.author,
        is_self=True,
        sent_at=holder.sent_at,
        source=holder.source,
        conversation=holder.conversation,
        conversation_id=holder.conversation_id,
        rank=0,
        score=0.0,
        why="",
    )
    beside = [m for m in memories if holder.id not in {n.id for n in (*m.before, *m.after)}]
    return _ranked([*beside[:4], missing])


def _telling(memory: Memory, question: Question) -> Memory:
    """`memory` with the passage that answers, where another one of a long message was shown."""
    return memory if question.answer in one_line(memory.text) else replace(memory, text=question.answer)


def _ranked(memories: Sequence[Memory]) -> list[Memory]:
    return [replace(m, rank=n) for n, m in enumerate(memories, 1)]


def _beside(memory: Memory) -> bool:
    return bool(memory.before or memory.after)


def _messages(scene: Scene) -> tuple[tuple[str, str], ...]:
    return tuple((m.role, m.content) for m in build(scene).messages)


def _sources(own: Sequence[str], memories: Sequence[Memory]) -> tuple[str, ...]:
    beside = (n.id for m in memories for n in (*m.before, *m.after))
    return tuple(dict.fromkeys((*own, *(m.id for m in memories), *beside)))
