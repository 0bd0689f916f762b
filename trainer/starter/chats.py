"""Lessons on the chat itself: what the user told of themselves, asked for later, and summaries of turns.

What was told reaches a prompt in three ways, as at run time: in a recent turn, in a summary's lines, or
as a memory of this chat once its turn has left the prompt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from knowledge.records import Memory
from persona.backends.base import Prompt
from persona.chat.abstract import summary_prompt
from persona.chat.layout import HistoryTurn, Scene
from persona.chat.lines import USER, Line
from persona.chat.recall import PLACE
from persona.chat.turns import Turn, TurnRole
from trainer.starter.questions import asked, quoted
from trainer.starter.scenes import (
    ACKNOWLEDGED,
    among_chatter,
    history,
    quoting_back,
    recap,
    sentence,
    talk,
)
from trainer.starter.world import World

RELATIVES = 0.45
"""Share of chats that tell several things of each of a few relatives."""

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
        return quoting_back(self.statement)


def tell(world: World, count: int) -> list[Told]:
    """Things told, of different kinds: the bank's own, or facts of its topics told of themselves."""
    rng, bank = world.rng, world.bank
    own = sum(world.chance(0.7) for _ in range(count))
    told = [kind for kind in bank.told if kind.of not in bank.relatives]
    if world.chance(RELATIVES):
        few = rng.sample(sorted(bank.relatives), rng.randint(2, max(3, own // 3)))
        told = [kind for kind in bank.told if kind.of in few]
    kinds = [(kind.say, kind.ask, kind.slot) for kind in rng.sample(told, min(own, len(told)))]
    kinds += [
        (topic.say, tuple(as_mine(a) for a in topic.ask), topic.slot)
        for topic in rng.sample(bank.topics, count - len(kinds))
    ]
    rng.shuffle(kinds)
    return [_told(world, *kind) for kind in kinds]


def _told(world: World, say: Sequence[str], asks: Sequence[str], slot: str) -> Told:
    rng = world.rng
    statement = world.casual(world.fill(rng.choice(say), v=world.value(slot)))
    return Told(statement, tuple(asked(world, a) for a in rng.sample(asks, min(2, len(asks)))))


def as_mine(question: str) -> str:
    """A question to somebody as one on oneself: "Where do you live?" → "Where do I live?"."""
    for pattern, mine in _MINE_PATTERNS:
        question = pattern.sub(mine, question)
    return question[:1].upper() + question[1:] if question[:1] != "I" else question


def in_chat(world: World, scene: Scene, told: Sequence[Told]) -> Scene:
    """The scene with `told` in recent turns, or in a summary with talk after it."""
    rng = world.rng
    turns = list(scene.turns)
    if len(told) < 4 and world.chance(0.6):
        turns = turns or history(world, rng.choice((0, 1, 1, 2, 3)))
        for one in told:
            reply = rng.choice(told).reply if world.chance(0.25) else rng.choice(ACKNOWLEDGED)
            said = HistoryTurn(among_chatter(world, one.statement), reply)
            turns.insert(rng.randrange(len(turns) + 1), said)
        return replace(scene, turns=turns)
    lines = [one.statement for one in told] + [sentence(world) for _ in range(rng.choice((0, 0, 1, 2)))]
    rng.shuffle(lines)
    turns += talk(world, rng.choice((0, 1, 2, 4, 6, 8)), [one.statement for one in told])
    asking = rng.choice((0.0, 0.0, 0.4, 0.9))
    turns = [_asked_before(world, turn, told) if world.chance(asking) else turn for turn in turns]
    return replace(scene, summaries=(recap(world, lines, rng.randint(1, 40)),), turns=turns)


def _asked_before(world: World, turn: HistoryTurn, told: Sequence[Told]) -> HistoryTurn:
    """`turn` as one in which the user asked for something told, and got it, or was given the same reply: what
    the twin said to one question is no answer to the next, however often it stands there."""
    one = world.rng.choice(told)
    reply = one.reply if world.chance(0.5) else turn.reply
    return HistoryTurn(world.rng.choice(one.asks), reply)


def as_memory(world: World, scene: Scene, told: Sequence[Told]) -> Scene:
    """The scene with `told` as its memories, best first, and the archive's after them."""
    said = [_memory(world, one.statement, rank) for rank, one in enumerate(told, 1)]
    archive = [replace(memory, rank=memory.rank + len(said)) for memory in scene.memories]
    return replace(scene, memories=(*said, *archive))


def summary(world: World, exchanges: int) -> tuple[Prompt, str]:
    """The run time's prompt for a summary of so many exchanges, and the lines that hold what was told."""
    turns, lines = chat(world, exchanges)
    return summary_prompt(turns), "\n".join(map(str, lines))


def chat(world: World, exchanges: int) -> tuple[list[Turn], list[Line]]:
    """A chat of so many exchanges, and a line for each thing that the user told in it."""
    rng = world.rng
    first = rng.randint(1, 60)
    turns: list[Turn] = []
    lines: list[Line] = []
    told = [one.statement for one in tell(world, rng.randint(1, 2 * exchanges))]
    where = sorted(rng.randrange(exchanges) for _ in told)
    for place in range(exchanges):
        number = first + place
        statements = [text for text, at in zip(told, where, strict=True) if at == place]
        lines += [Line((number,), USER, " ".join(text.split())) for text in statements]
        parts = [*statements]
        for _ in range(rng.choice((0, 1, 1, 2)) if statements else 1):
            parts.insert(rng.randint(0, len(parts)), sentence(world))
        turns += [
            _turn(world, number, "user", " ".join(parts)),
            _turn(world, number, "assistant", _reply(world)),
        ]
    return turns, lines


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
