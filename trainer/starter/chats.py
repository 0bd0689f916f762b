"""Lessons on the chat itself: what the user told of themselves, asked for later, and summaries of turns.

What was told reaches a prompt in three ways, as at run time: in a recent turn, in a summary's lines, or
as a memory of this chat once its turn has left the prompt.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from knowledge.records import Memory
from persona.backends.base import Prompt
from persona.chat.abstract import summary_prompt
from persona.chat.layout import HistoryTurn, Scene, day
from persona.chat.lines import USER, Line
from persona.chat.recall import PLACE
from persona.chat.turns import Turn, TurnRole
from trainer.starter.bank import Topic
from trainer.starter.questions import asked, quoted
from trainer.starter.scenes import ACKNOWLEDGED, history, recap, user_said
from trainer.starter.world import World

_MINE = (
    (r"\byou're\b", "I'm"),
    (r"\byou've\b", "I've"),
    (r"\byou'd\b", "I'd"),
    (r"\bare you\b", "am I"),
    (r"\bwere you\b", "was I"),
    (r"\byou are\b", "I am"),
    (r"\byours\b", "mine"),
    (r"\byour\b", "my"),
    (r"\byourself\b", "myself"),
    (r"\byou\b(?! remember| know| recall)", "I"),
)
_MINE_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), mine) for pattern, mine in _MINE)


@dataclass(frozen=True, slots=True)
class Told:
    """Something the user stated, and the questions that ask for it."""

    statement: str
    asks: tuple[str, ...]

    @property
    def reply(self) -> str:
        """The statement given back, token for token."""
        return f"You told me: {self.statement}"


def tell(world: World, topic: Topic) -> Told:
    """Something told: of the bank's own, or a fact of `topic` said by the user of themselves."""
    rng = world.rng
    if world.chance(0.35):
        kind = rng.choice(world.bank.told)
        say, asks, slot = kind.say, kind.ask, kind.slot
    else:
        say, asks, slot = topic.say, tuple(as_mine(a) for a in topic.ask), topic.slot
    statement = world.casual(world.fill(rng.choice(say), v=world.value(slot)))
    return Told(statement, tuple(asked(world, a) for a in rng.sample(asks, min(2, len(asks)))))


def as_mine(question: str) -> str:
    """A question to somebody as one on oneself: "Where do you live?" → "Where do I live?"."""
    for pattern, mine in _MINE_PATTERNS:
        question = pattern.sub(mine, question)
    return question[:1].upper() + question[1:] if question[:1] != "I" else question


def in_chat(world: World, scene: Scene, told: Told) -> tuple[Scene, str]:
    """The scene with `told` in a recent turn or a summary, and what to think when it is asked for."""
    rng = world.rng
    if world.chance(0.4):
        turns = list(scene.turns) or history(world, rng.choice((0, 1, 1, 2, 3)))
        said = HistoryTurn(_among_chatter(world, told.statement), rng.choice(ACKNOWLEDGED))
        turns.insert(rng.randrange(len(turns) + 1), said)
        scene = replace(scene, turns=turns)
    else:
        lines = [told.statement, *(user_said(world) for _ in range(rng.choice((0, 1, 2, 4, 7))))]
        rng.shuffle(lines)
        scene = replace(scene, summaries=(recap(lines, rng.randint(1, 40)),))
    return scene, "Told in this chat."


def as_memory(world: World, scene: Scene, told: Told, others: int) -> tuple[Scene, str]:
    """The scene with `told` as its best memory, `others` more told ones after it, the archive's last."""
    texts = [told.statement, *(user_said(world) for _ in range(others))]
    said = [_memory(world, text, rank) for rank, text in enumerate(texts, 1)]
    archive = [replace(memory, rank=memory.rank + len(said)) for memory in scene.memories]
    return replace(scene, memories=(*said, *archive)), f"[1] {day(said[0].sent_at)}, {USER}."


def summary(world: World, exchanges: int, topics: Iterable[Topic]) -> tuple[Prompt, str]:
    """The run time's prompt for a summary of so many exchanges, and the lines that hold what was told."""
    rng = world.rng
    first = rng.randint(1, 60)
    turns: list[Turn] = []
    lines: list[Line] = []
    for number, topic in zip(range(first, first + exchanges), topics, strict=False):
        statements = [tell(world, topic).statement for _ in range(rng.choice((0, 0, 1, 1, 2)))]
        if not lines and number == first + exchanges - 1:
            statements = statements or [tell(world, topic).statement]
        lines += [Line((number,), USER, " ".join(text.split())) for text in statements]
        parts = [*statements]
        for _ in range(rng.choice((0, 1, 1, 2)) if statements else 1):
            parts.insert(rng.randint(0, len(parts)), _chatter(world))
        turns += [
            _turn(world, number, "user", " ".join(parts)),
            _turn(world, number, "assistant", _reply(world)),
        ]
    return summary_prompt(turns), "\n".join(map(str, lines))


def _among_chatter(world: World, statement: str) -> str:
    parts = [statement]
    for _ in range(world.rng.choice((0, 0, 1, 2))):
        parts.insert(world.rng.randint(0, len(parts)), _chatter(world))
    return " ".join(parts)


def _chatter(world: World) -> str:
    """A sentence that ends, so that the next one can be told from it."""
    text = world.fill(world.rng.choice(world.bank.chatter))
    return text if text[-1:] in ".!?" else f"{text}."


def _reply(world: World) -> str:
    """A reply as the twin gives them."""
    roll = world.rng.random()
    if roll < 0.5:
        return world.rng.choice(ACKNOWLEDGED)
    if roll < 0.75:
        line = world.chatter()
        return quoted(line, line.text)
    return world.rng.choice(world.bank.dont_know)


def _memory(world: World, text: str, rank: int) -> Memory:
    when = world.now - timedelta(minutes=world.rng.randrange(30, 40_000))
    return Memory(
        id=f"told.{rank}",
        text=text,
        author=USER,
        is_self=False,
        sent_at=when,
        source=PLACE,
        conversation="",
        conversation_id="",
        rank=rank,
        score=1 / rank,
        why="",
    )


def _turn(world: World, number: int, role: TurnRole, text: str) -> Turn:
    return Turn(
        id=f"{number}.{role}",
        session_id="",
        number=number,
        role=role,
        text=text,
        thinking="",
        status="complete",
        created_at=world.now,
    )
