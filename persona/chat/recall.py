"""What this chat's own earlier turns hold on a question, once they have left the prompt.

Facts told and folded turns are searched by words, and served as memories beside those of the archive:

    [1] 12 March 2024, user, this chat: my dog is called Rufus

Summaries far up in the prompt may show the same: what stands beside the question is read, by small
models above all (docs/LOG.md). Knows nothing of models; it is given what a served memory costs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from math import log

from knowledge.facts import Fact, cues
from knowledge.inflection import forms
from knowledge.lexical import fold, terms
from knowledge.records import Memory
from knowledge.serving import Cost, excerpt
from persona.chat.fact_book import FactBook
from persona.chat.lines import ME, USER
from persona.chat.store import SessionStore, Turn

PLACE = "this chat"
"""Where such a memory comes from, as the prompt says it."""

ENOUGH = 0.34
"""Share of a question's words, rare ones weighing more, that must be found."""

AS_GOOD = 0.75
"""Share of the best one's score that another must have: what is told of the user's aunt answers nothing on
their sister, and a small reader mixes the two up (docs/LOG.md)."""

MOST = 5

_ASKED_AGAIN = 0.4
_BESIDE_A_FACT = 0.8
_REPLY = 0.6
_OWN = re.compile(r"\b(?:i|i['’]\w+|my|me|mine|we|our|us|ich|mein\w*|mir|mich|wir|unser\w*)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d")
_STEM = 4
"""A word matches by its beginning, two letters off its end at most, from this many letters on."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for. before: turns of lower numbers only, the others are in the prompt; facts are
    served from those, too. number: the exchange that the question opens, None for the next one.
    turns: whether folded turns may be served, or facts only."""

    text: str
    session_id: str
    before: int
    turns: bool = True
    number: int | None = None

    @property
    def is_on_the_user(self) -> bool:
        """Whether it asks about the user, who told of themselves here, rather than about the twin."""
        return bool(_OWN.search(self.text))


@dataclass(frozen=True, slots=True)
class _Found:
    turn: Turn
    text: str
    words: frozenset[str]
    weight: float
    why: str


class ChatRecall:
    """Searches one chat at a time."""

    def __init__(self, sessions: SessionStore, facts: FactBook) -> None:
        self._sessions = sessions
        self._facts = facts

    def search(self, question: Question, *, budget_tokens: int | None, cost: Cost) -> list[Memory]:
        """What answers `question`, best first, within the budget; [] when the evidence is weak."""
        asked = {stem(word) for word in terms(question.text)}
        if not asked:
            return []
        found = list(self._candidates(question, asked))
        rarity = {w: log(1 + len(found) / (1 + sum(w in f.words for f in found))) + 0.1 for w in asked}
        whole = sum(rarity.values())

        scored = [(f.weight * sum(rarity[w] for w in asked & f.words) / whole, f) for f in found]
        least = max(ENOUGH, AS_GOOD * max((score for score, _ in scored), default=0.0))
        served: list[Memory] = []
        taken: set[str] = set()
        for score, f in sorted(scored, key=lambda pair: (-pair[0], -pair[1].turn.number)):
            if score < least or len(served) == MOST:
                break
            memory = _memory(f, len(served) + 1, score, terms(question.text))
            fits = budget_tokens is None or cost([*served, memory]) <= budget_tokens
            if f.turn.id not in taken and fits:
                served.append(memory)
                taken.add(f.turn.id)
        return served

    def _candidates(self, question: Question, asked: set[str]) -> Iterable[_Found]:
        number = question.number
        turns = [t for t in self._sessions.turns(question.session_id) if number is None or t.number < number]
        by_id = {t.id: t for t in turns}
        facts = [f for f in self._facts.told(question.session_id) if f.sources[0] in by_id]
        telling = {f.sources[0] for f in facts}
        for fact in facts:
            if not fact.superseded_by:
                yield _told(fact, by_id[fact.sources[0]])
        if not question.turns:
            return
        for turn in turns:
            words = _words(turn.text) if turn.number < question.before else frozenset()
            if asked & words:
                weight = 1.0 if turn.role == "user" else _REPLY
                weight *= _ASKED_AGAIN if turn.text.rstrip().endswith("?") else 1.0
                weight *= _BESIDE_A_FACT if turn.id in telling else 1.0
                yield _Found(turn, turn.text, words, weight, "words said in this chat")


def together(question: Question, told: Sequence[Memory], found: Sequence[Memory]) -> list[Memory]:
    """What the chat and the archive hold in one ranking, each in its own order: the chat's first where the
    user asks of themselves, else by turns, the archive's first."""
    if question.is_on_the_user:
        return [*told, *found]
    return [memory for pair in zip_longest(found, told) for memory in pair if memory is not None]


def stem(word: str) -> str:
    """The beginning by which a folded word is compared: `decided` and `decide` are one. A number is whole."""
    return word if _NUMBER.search(word) else word[: max(_STEM, len(word) - 2)]


# worked out for all that was told at every turn, it took 40 ms of the first word after 200
@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    """Every beginning of every word of `text` that a question's stem may be."""
    written = (fold(word) for word in re.findall(r"\w+", text))
    found = (form for word in written for form in (*forms(word), word.removesuffix("s")))
    return frozenset(start for word in found for start in _starts(word))


def _starts(word: str) -> Iterable[str]:
    if _NUMBER.search(word):
        return (word,)
    return (word[:end] for end in range(min(len(word), max(_STEM, len(word) - 4)), len(word) + 1))


def _told(fact: Fact, turn: Turn) -> _Found:
    words = _words(f"{fact.dated} {' '.join(cues(fact.attribute))}")
    return _Found(turn, fact.text, words, 1.0, "told in this chat")


def _memory(found: _Found, rank: int, score: float, words: Sequence[str]) -> Memory:
    turn = found.turn
    return Memory(
        id=turn.id,
        text=excerpt(found.text, frozenset(words)),
        author=USER if turn.role == "user" else ME,
        is_self=turn.role == "assistant",
        sent_at=turn.created_at.astimezone(),
        source=PLACE,
        conversation="",
        conversation_id=turn.session_id,
        rank=rank,
        score=round(score, 4),
        why=f"{found.why} (turn {turn.number})",
    )
