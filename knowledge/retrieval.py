"""From a question to ranked, dated memories: words and meaning fused, then rules, then a budget."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from knowledge import events, lexical, rules, timewords
from knowledge import timeline as timelines
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.meaning import Meaning, Near, answering
from knowledge.records import Memory
from knowledge.reranking import Reranker
from knowledge.serving import Cost, Pick, excerpt, serve

if TYPE_CHECKING:
    from knowledge.timeline import Floats, Ints, Part, Timeline

WORDS = 1 / 40
"""What one point of BM25 is worth against a cosine of 1, for the order and as evidence. Chosen on generated
talks by a rule that was fixed before they were drawn (docs/LOG.md)."""

GOOD = 0.6
"""The cosine of a good match."""

MOST = 10
"""Memories served when the caller names no number."""

WEAK = 1.75
"""Below this there is no evidence: the score of the best match, and how far it stands out. Chosen where what
is served rightly less what is served wrongly is most on generated archives; the dev questions keep theirs."""

STANDS_OUT = 1.5
"""What standing out is worth: an answer does, and what only looks like the question comes in numbers. From
generated archives in which half of the questions have their answer (docs/LOG.md)."""

_RUNNER_UP = 5
"""The place, from 0, that the best match is held against."""

WEAK_WORDS = 0.34
"""The bound for the share of words alone, while vectors are still missing."""

STRONG_WORDS = 0.65
"""The share of words from which less is asked of the rest: a rare exact word is found."""

ALL_WORDS = 0.99
"""The share from which nothing more is asked, of a question of several words: "locker K180126"."""

WEAK_BUT_HELD = 1.35
"""The bound where the words are held: a single word may be held by chance ("Which phone do you use?"). Chosen
with `WEAK`; anything from 1.2 to 1.5 does about as well."""

_AMONG_FEW = 0.52
"""How far the best match of a small archive counts as standing out: there is nothing to hold it against."""

_ASKING = re.compile(
    r"\?|\b(?:and|who|what|when|where|why|how|which|und|wer|was|wann|wo|warum|wie|welche[rs]?)\b",
    re.IGNORECASE,
)
"""What a follow-up holds, and "thanks" does not."""

_FOLLOW_UP = 3
"""Most words of a question that leans on the one before ("and Jonas?"); a longer one stands alone."""

LENGTH = 0.1
"""What twice as many words are worth: a longer message is likelier to tell something, whatever is asked (a
prior on length: Kraaij, Westerveld and Hiemstra 2002). It is no evidence that this is asked for."""

LONG = 24
"""Words from which more are worth nothing."""

FEEDBACK = 0.3
"""What being close to the best matches is worth: it brings up what says the same in other words."""

FEEDBACK_FROM = 2
"""How many of the best matches that closeness is measured from; what asks is none of them."""

_TAIL = 0.3
"""Share of the best score under which a match is not served."""

_LOOKED_AT = 20
"""Best matches for an event whose text is looked at."""

RERANKED = 30
"""Best matches that a cross-encoder reads, where a setting names one."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every candidate, best first. score, evidence, meaning (cosine, 0 where unknown), covered: by position
    in `timeline`, which is the part that concerns the question.

    complete: whether every message had its vectors. idle: whether the question names nothing to look
    for ("hi", "and why?"): whatever is near it in meaning is chance. timely: whether the best match was
    sent in a time that the question names. asked: the question, after the one that it leans on.
    """

    timeline: "Part"
    order: "Ints"
    score: "Floats"
    evidence: "Floats"
    meaning: "Floats"
    covered: "Floats"
    words: dict[str, "Ints"]
    reading: rules.Reading
    complete: bool
    idle: bool
    timely: bool
    asked: str = ""

    def is_weak(self) -> bool:
        """Whether nothing found is evidence enough to be shown."""
        if self.idle or not len(self.order):
            return True
        if self.timely:
            return False
        held = float(self.covered.max())
        if not self.complete:
            return held < WEAK_WORDS and self._strength() < WEAK
        if held > ALL_WORDS and len(self.words) > 1:
            return False
        return self._strength() < (WEAK_BUT_HELD if held >= STRONG_WORDS else WEAK)

    def _strength(self) -> float:
        strongest = sorted(self.evidence[self.order].tolist(), reverse=True)[: _RUNNER_UP + 1]
        apart = strongest[0] - strongest[-1] if len(strongest) > _RUNNER_UP else _AMONG_FEW
        return float(strongest[0] + STANDS_OUT * apart)


class Retriever:
    """Ranks the speech of `archive`; meaning is used as far as `index` has come.

    reranker: what orders the best matches anew; None leaves them as they are.
    """

    def __init__(
        self, archive: Archive, index: VectorIndex, embedder: Embedder, reranker: Reranker | None = None
    ) -> None:
        self._archive = archive
        self._index = index
        self._reranker = reranker
        self._meaning = Meaning(archive, index, embedder)
        self._version: str | None = None
        self._timeline: Timeline | None = None

    def search(
        self,
        query: str,
        *,
        now: datetime,
        budget_tokens: int | None,
        cost: Cost,
        k: int | None = None,
        context: Sequence[str] = (),
    ) -> list[Memory]:
        """The memories to show, best first; none when the evidence is weak, but who is meant."""
        ranking = self.rank(query, now=now, context=context)
        most = MOST if k is None else k
        picks: list[Pick] = []
        if not ranking.is_weak():
            ranking = self.reranked(ranking)
            first = ranking.order[: 3 * most + 5]
            if k is None:
                first = first[ranking.score[first] >= _TAIL * ranking.score[first[0]]]
            picks = [_pick(ranking, int(p)) for p in first]
        if ranking.reading.bond is not None:
            position = self.timeline().position(ranking.reading.bond)
            score = picks[0].score if picks else 0.0
            picks.insert(1, Pick(position, score, "says who is meant", frozenset(ranking.words)))
        return serve(self._archive, self.timeline(), picks, budget_tokens=budget_tokens, cost=cost, most=most)

    def rank(self, query: str, *, now: datetime, context: Sequence[str] = ()) -> Ranking:
        """Every candidate for `query`, without threshold and without budget.

        A time told by what happened ("before I moved") is looked for first, by one more ranking.
        """
        reading = rules.read(self._archive, query, now)
        return self._ranked(query, now, context, reading, self._happened(query, now, reading))

    def _happened(self, query: str, now: datetime, reading: rules.Reading) -> timewords.Span | None:
        """The time that the question tells by an event; None without one, or where nothing is good evidence
        of it among what is said by whom it happened to."""
        import numpy as np

        if (event := events.find(query, now, reading.called)) is None:
            return None
        asked = rules.read(self._archive, event.told, now)
        ranking = self._ranked(event.told, now, (), asked, None)
        part = ranking.timeline
        told = np.isin(part.author, list(asked.people)) if asked.people else part.own
        # a wrong time leads astray: whatever is only like the event in meaning tells none
        told &= ~part.asks & (ranking.covered >= STRONG_WORDS)
        order = ranking.order[told[ranking.order]][:_LOOKED_AT]
        said = self._archive.by_key(part.key[order].tolist())
        happened = [not events.is_denied(said[int(key)].text, ranking.words) for key in part.key[order]]
        order = order[happened]
        if replace(ranking, order=order).is_weak():
            return None
        return event.span(said[int(part.key[order[0]])].sent_at)

    def _ranked(
        self,
        query: str,
        now: datetime,
        context: Sequence[str],
        reading: rules.Reading,
        happened: timewords.Span | None,
    ) -> Ranking:
        import numpy as np

        timeline = self.timeline()
        bare = rules.without_now(timewords.without(query, list(reading.spans)))
        earlier = context[-1] if context and _leans(bare) else ""
        if earlier and not (reading.people or reading.spans or reading.places):
            reading = rules.read(self._archive, f"{earlier} {query}", now)
        if happened:
            reading = replace(reading, spans=(*reading.spans, happened))
        weights = lexical.weighted(bare, [earlier])
        asked = f"{earlier} {bare}".strip()
        hits = lexical.hits(self._archive, timeline, weights)
        near = self._meaning.near(asked, reading, timeline)
        part = _concerned(timeline, hits, near)
        found = lexical.match(hits, timeline, part, weights, reading.names, reading.called)
        meaning = self._meaning.of(near, part, found.score)
        candidates = np.flatnonzero((found.score > 0) | (meaning > 0))
        complete = self._index.pending() == 0
        # where a vector is missing, the best match by words takes the place of a good match by meaning
        unseen = (meaning == 0) & (not complete or not meaning.any())
        worth = np.where(unseen, GOOD / max(1e-9, found.score.max(initial=0.0)), WORDS)
        plain = meaning + answering(meaning, part) + worth * found.score
        score = rules.apply(self._archive, reading, part, now, plain)
        score = rules.addressed_last(self._archive, reading, part, score)
        telling = timelines.best(np.where(part.asks, -np.inf, score), FEEDBACK_FROM)
        score = score + FEEDBACK * self._meaning.echoes(near, telling, meaning, part)
        evidence = rules.newest_first(reading, part, score)
        score = evidence + LENGTH * np.log2(1 + np.minimum(part.words, LONG))
        order = candidates[np.argsort(-score[candidates], kind="stable")]
        idle = not (weights or reading.people or reading.spans or reading.you)
        timely = any(_is_of(span, part, int(p)) for span in reading.spans for p in order[:1])
        if happened:
            # half of an archive was said before, or after: that is no evidence
            timely, evidence = False, evidence - rules.timely(happened, part)
        covered, words = found.covered, found.words
        whole = f"{earlier} {query}".strip()
        return Ranking(
            part, order, score, evidence, meaning, covered, words, reading, complete, idle, timely, whole
        )

    def reranked(self, ranking: Ranking) -> Ranking:
        """`ranking` with the places of its best matches exchanged as the cross-encoder orders them.

        Whether the evidence is weak is told by the ranking before. Raises ModelError where the model that is
        set cannot be used.
        """
        import numpy as np

        first = ranking.order[:RERANKED]
        if self._reranker is None or len(first) < 2:
            return ranking
        answers = self._reranker.scores(ranking.asked, self._read(ranking, first))
        best = first[np.argsort(-answers, kind="stable")]
        order, score = ranking.order.copy(), ranking.score.copy()
        order[: len(first)], score[best] = best, ranking.score[first]
        return replace(ranking, order=order, score=score)

    def timeline(self) -> "Timeline":
        """The timeline of the archive as it is now."""
        version = self._archive.version()
        if self._timeline is None or version != self._version:
            self._timeline, self._version = timelines.load(self._archive), version
        return self._timeline

    def _read(self, ranking: Ranking, positions: "Ints") -> list[str]:
        """What is read of these matches: what was said just before, for an answer alone says little, and
        the telling passage."""
        timeline, words = self.timeline(), frozenset(ranking.words)
        keys = ranking.timeline.key[positions].tolist()
        before = [timeline.beside_key(key, 1, 0)[0] for key in keys]
        stored = self._archive.by_key({*keys, *(key for pair in before for key in pair)})
        return [
            "\n".join(excerpt(stored[k].text, words) for k in (*earlier, key) if k in stored)
            for earlier, key in zip(before, keys, strict=True)
        ]


def _concerned(timeline: "Timeline", hits: lexical.Hits, near: Near) -> "Part":
    """What a question concerns: what holds a word of it or is near it, and what is said beside that."""
    import numpy as np

    aside = len(lexical.NEIGHBOURS)
    held = np.concatenate([np.zeros(0, np.int64), *(places for places, _ in hits.values())])
    beside = (timeline.reach(held, aside, aside), timeline.reach(near.chosen, 0, 1))
    return timeline.part(np.concatenate(beside))


def _pick(ranking: Ranking, position: int) -> Pick:
    part, reading, why = ranking.timeline, ranking.reading, []
    words = [w for w, places in ranking.words.items() if position in places]
    if words:
        why.append("words: " + ", ".join(words))
    elif ranking.covered[position] and ranking.words:
        why.append("words beside it")
    if ranking.meaning[position] > 0:
        why.append(f"meaning {ranking.meaning[position]:.2f}")
    if name := reading.people.get(int(part.author[position])):
        why.append(f"by {name}")
    if place := reading.places.get(int(part.conversation[position])):
        why.append(f"in {place}")
    why += [span.said for span in reading.spans if _is_of(span, part, position)]
    score = float(ranking.score[position])
    return Pick(int(part.place[position]), score, "; ".join(why), frozenset(ranking.words))


def _is_of(span: timewords.Span, part: "Part", position: int) -> bool:
    """Whether a message was sent in a span, or so soon after that it may tell of it."""
    return any(m.any() for m in rules.within(span, part.sent[position : position + 1]))


def _leans(query: str) -> bool:
    """Whether a question is too short to stand without the one before it."""
    short = len(query.split()) <= _FOLLOW_UP and len(lexical.terms(query)) < 2
    return short and bool(_ASKING.search(query))
