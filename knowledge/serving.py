"""From ranked messages to the memories that fit: no repeats, the telling part of long ones, a budget."""

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from knowledge import passages
from knowledge.archive import Archive
from knowledge.archive_facts import ArchiveFacts
from knowledge.lexical import fold, terms
from knowledge.records import Later, Memory, Neighbour, StoredMessage
from knowledge.timeline import Timeline

Cost = Callable[[Sequence[Memory]], int]
"""Tokens of these memories as the caller will show them."""

_SAME = 0.85
_INTERJECTIONS = frozenset(
    "ach ah haha hey hm hmm hmmm lol na naja oh ok okay so ugh uh um well yeah".split()
)
_NEIGHBOUR_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Pick:
    """One ranked message. position: in the timeline. words: those of the query that matched it."""

    position: int
    score: float
    why: str
    words: Set[str]


def serve(
    archive: Archive,
    timeline: Timeline,
    picks: Sequence[Pick],
    *,
    budget_tokens: int | None,
    cost: Cost,
    most: int,
) -> list[Memory]:
    """At most `most` memories within the budget, best first.

    Matches come before neighbours: what was said beside a match is added, best match first, only
    where room is left.
    """
    keys = [int(timeline.key[p.position]) for p in picks]
    stored, later = archive.by_key(keys), ArchiveFacts(archive).later(keys)
    chosen: list[Memory] = []
    positions: list[int] = []
    seen: list[frozenset[str]] = []
    for pick in picks:
        if len(chosen) == most:
            break
        message = stored.get(int(timeline.key[pick.position]))
        if message is None:
            continue
        bag = _bag(message.text)
        if any(_alike(bag, other) for other in seen):
            continue
        memory = _memory(message, pick, len(chosen) + 1, tuple(later.get(message.id, ())))
        if budget_tokens is not None and cost([*chosen, memory]) > budget_tokens:
            # a shorter one further down may still fit, but must not jump far over its betters
            if len(chosen) >= 3:
                break
            continue
        chosen.append(memory)
        positions.append(pick.position)
        seen.append(bag)
    return _with_neighbours(archive, timeline, chosen, positions, budget_tokens, cost)


def excerpt(text: str, words: Set[str]) -> str:
    """`text`, or its passage that holds most of `words` where it is long."""
    pieces = passages.split(text)
    if len(pieces) < 2:
        return text
    held = [sum(word in words or _stemmed(word, words) for word in terms(p)) for p in pieces]
    best = max(range(len(pieces)), key=lambda n: (held[n], -n))
    return ("… " if best else "") + pieces[best] + (" …" if best < len(pieces) - 1 else "")


def _stemmed(word: str, words: Set[str]) -> bool:
    """Whether a word and one of `words` have a long beginning in common."""
    return any(len(w) > 4 and len(word) > 4 and w[:5] == word[:5] for w in words)


def _bag(text: str) -> frozenset[str]:
    """The words by which a near-copy is told: "hm, kitchens are safe" is one of "kitchens are safe"."""
    words = frozenset(fold(word) for word in re.findall(r"\w+", text))
    return words - _INTERJECTIONS or words


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _SAME * len(one | other)


def _memory(m: StoredMessage, pick: Pick, rank: int, later: tuple[Later, ...]) -> Memory:
    return Memory(
        id=m.id,
        text=excerpt(m.text, pick.words),
        author=m.author,
        is_self=m.is_self,
        sent_at=m.sent_at,
        source=m.source,
        conversation=m.conversation,
        conversation_id=m.conversation_id,
        rank=rank,
        score=round(pick.score, 4),
        why=pick.why,
        later=later,
    )


def _with_neighbours(
    archive: Archive,
    timeline: Timeline,
    chosen: list[Memory],
    positions: Sequence[int],
    budget_tokens: int | None,
    cost: Cost,
) -> list[Memory]:
    beside = [timeline.beside(position, 1, 1) for position in positions]
    stored = archive.by_key({key for pair in beside for keys in pair for key in keys})
    for n, (before, after) in enumerate(beside):
        fuller = replace(
            chosen[n],
            before=tuple(_neighbour(stored[key]) for key in before if key in stored),
            after=tuple(_neighbour(stored[key]) for key in after if key in stored),
        )
        trial = [*chosen[:n], fuller, *chosen[n + 1 :]]
        if budget_tokens is None or cost(trial) <= budget_tokens:
            chosen = trial
    return chosen


def _neighbour(m: StoredMessage) -> Neighbour:
    first = passages.split(m.text, _NEIGHBOUR_LONGEST)
    text = m.text if len(first) < 2 else first[0] + " …"
    return Neighbour(m.id, m.author, m.is_self, m.sent_at, text)
