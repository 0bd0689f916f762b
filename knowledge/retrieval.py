"""From a question to ranked, dated memories: words and meaning fused, then rules, then a budget."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from knowledge import lexical, rules, timewords
from knowledge import timeline as timelines
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.errors import PersonaError
from knowledge.index import VectorIndex, Where
from knowledge.records import Memory
from knowledge.serving import Cost, Pick, serve

if TYPE_CHECKING:
    from knowledge.timeline import Floats, Ints, Timeline

_log = logging.getLogger(__name__)

WORDS = 1 / 40
"""What one point of BM25 is worth against a cosine of 1."""

GOOD = 0.6
"""The cosine of a good match."""

DEEP = 200
"""Candidates taken by words, and by meaning."""

DEEP_WHERE = 60
"""Candidates taken by meaning among the messages that fit a person or a time named."""

MOST = 10
"""Memories served when the caller names no number."""

WEAK = 1.8
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

WEAK_BUT_HELD = 1.4
"""The bound where the words are held: a single word may be held by chance ("Which phone do you use?"). Chosen
as `WEAK` is, on a plateau from 1.24 to 1.48."""

_AMONG_FEW = 0.52
"""How far the best match of a small archive counts as standing out: there is nothing to hold it against."""

_ASKING = re.compile(
    r"\?|\b(?:and|who|what|when|where|why|how|which|und|wer|was|wann|wo|warum|wie|welche[rs]?)\b",
    re.IGNORECASE,
)
"""What a follow-up holds, and "thanks" does not."""

_FOLLOW_UP = 3
"""Most words of a question that leans on the one before ("and Jonas?"); a longer one stands alone."""

FEEDBACK = 0.3
"""What being close to the best matches is worth: it brings up what says the same in other words."""

FEEDBACK_FROM = 2
"""How many of the best matches that closeness is measured from."""

_TAIL = 0.3
"""Share of the best score under which a match is not served."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every candidate, best first. score, meaning (cosine, 0 where unknown), covered: by position.

    complete: whether every message had its vectors. idle: whether the question names nothing to look
    for ("hi", "and why?"): whatever is near it in meaning is chance. timely: whether the best match was
    sent in a time that the question names.
    """

    order: "Ints"
    score: "Floats"
    meaning: "Floats"
    covered: "Floats"
    words: dict[str, "Ints"]
    reading: rules.Reading
    complete: bool
    idle: bool
    timely: bool

    def is_weak(self) -> bool:
        """Whether nothing found is evidence enough to be shown."""
        if self.idle or not len(self.order):
            return True
        if self.timely:
            return False
        held = float(self.covered.max())
        if not self.complete:
            return held < WEAK_WORDS and self._evidence() < WEAK
        if held > ALL_WORDS and len(self.words) > 1:
            return False
        return self._evidence() < (WEAK_BUT_HELD if held >= STRONG_WORDS else WEAK)

    def _evidence(self) -> float:
        best = float(self.score[self.order[0]])
        if len(self.order) <= _RUNNER_UP:
            return best + STANDS_OUT * _AMONG_FEW
        return best + STANDS_OUT * (best - float(self.score[self.order[_RUNNER_UP]]))


class Retriever:
    """Ranks the speech of `archive`; meaning is used as far as `index` has come."""

    def __init__(self, archive: Archive, index: VectorIndex, embedder: Embedder) -> None:
        self._archive = archive
        self._index = index
        self._embedder = embedder
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
        """The memories to show, best first; none when the evidence is weak."""
        ranking = self.rank(query, now=now, context=context)
        if ranking.is_weak():
            return []
        best = ranking.score[ranking.order[0]]
        kept = [p for p in ranking.order if k is not None or ranking.score[p] >= _TAIL * best]
        most = MOST if k is None else k
        picks = [self._pick(ranking, int(p)) for p in kept[: 3 * most + 5]]
        return serve(self._archive, self.timeline(), picks, budget_tokens=budget_tokens, cost=cost, most=most)

    def rank(self, query: str, *, now: datetime, context: Sequence[str] = ()) -> Ranking:
        """Every candidate for `query`, without threshold and without budget."""
        import numpy as np

        timeline = self.timeline()
        reading = rules.read(self._archive, query, now)
        bare = rules.without_now(timewords.without(query, list(reading.spans)))
        earlier = context[-1] if context and _leans(bare) else ""
        if earlier and not (reading.people or reading.spans or reading.places):
            reading = rules.read(self._archive, f"{earlier} {query}", now)
        weights = lexical.weighted(bare, [earlier])
        asked = f"{earlier} {bare}".strip()
        found = lexical.match(self._archive, timeline, weights, reading.names, reading.called)
        meaning = self._meaning(asked, reading, timeline, found.score)
        candidates = np.flatnonzero((found.score > 0) | (meaning > 0))
        complete = self._index.pending() == 0
        # where a vector is missing, the best match by words takes the place of a good match by meaning
        unseen = (meaning == 0) & (not complete or not meaning.any())
        worth = np.where(unseen, GOOD / max(1e-9, found.score.max(initial=0.0)), WORDS)
        plain = meaning + worth * found.score
        score = rules.apply(self._archive, reading, timeline, now, plain)
        score = rules.addressed_last(self._archive, reading, timeline, score)
        score = score + FEEDBACK * self._echoes(score, meaning, timeline)
        score = rules.newest_first(reading, timeline, score)
        order = candidates[np.argsort(-score[candidates], kind="stable")]
        idle = not (weights or reading.people or reading.spans or reading.you)
        timely = any(m[order[:1]].any() for span in reading.spans for m in rules.within(span, timeline))
        return Ranking(order, score, meaning, found.covered, found.words, reading, complete, idle, timely)

    def timeline(self) -> "Timeline":
        """The timeline of the archive as it is now."""
        version = self._archive.version()
        if self._timeline is None or version != self._version:
            self._timeline, self._version = timelines.load(self._archive), version
        return self._timeline

    def _meaning(
        self, query: str, reading: rules.Reading, timeline: "Timeline", by_words: "Floats"
    ) -> "Floats":
        """The cosine of every candidate: the nearest, those that fit what is named, the best by words."""
        import numpy as np

        meaning = np.zeros(len(timeline))
        if self._index.is_empty() or not query.strip():
            return meaning
        wordy = np.flatnonzero(by_words > 0)
        wordy = wordy[np.argsort(-by_words[wordy], kind="stable")][:DEEP]
        try:
            vector = self._embedder.embed([query])[0]
            found = self._index.nearest(vector, DEEP)
            for where in self._filters(reading):
                found |= self._index.nearest(vector, DEEP_WHERE, where)
            found |= self._index.similar(vector, [k for k in timeline.key[wordy].tolist() if k not in found])
        except PersonaError as error:
            # words alone still find most; a chat must not end because the index is damaged
            _log.warning("search by words only: %s", error.message)
            return meaning
        keys = np.array(list(found), dtype=np.int64)
        known = timeline.known(keys)
        meaning[timeline.positions(keys[known])] = np.maximum(0.0, np.array(list(found.values()))[known])
        return meaning

    def _echoes(self, score: "Floats", meaning: "Floats", timeline: "Timeline") -> "Floats":
        """How near every candidate is to the best ones: what says the same in other words (Rocchio)."""
        import numpy as np

        near = np.zeros(len(timeline))
        best = np.argsort(-score, kind="stable")[:FEEDBACK_FROM]
        best = best[meaning[best] > 0]
        vector = self._index.centre(timeline.key[best].tolist()) if len(best) else None
        if vector is None:
            return near
        found = self._index.nearest(vector, DEEP)
        rest = [k for k in timeline.key[np.flatnonzero(meaning > 0)].tolist() if k not in found]
        found |= self._index.similar(vector, rest)
        keys = np.array(list(found), dtype=np.int64)
        known = timeline.known(keys)
        near[timeline.positions(keys[known])] = np.maximum(0.0, np.array(list(found.values()))[known])
        near[best] = 1.0
        return near

    def _filters(self, reading: rules.Reading) -> Iterator[Where]:
        """One filter for each person and time that a question names, the owner among them."""
        people = list(reading.people)
        if reading.you:
            people += [key for (key,) in self._archive.rows("SELECT key FROM identities WHERE is_self")]
        if people:
            yield {"author": {"$in": people}}
        for span in reading.spans:
            start = [{"sent_at": {"$gte": rules.micro(span.start)}}] if span.start else []
            end = [{"sent_at": {"$lt": rules.micro(span.end) + rules.TOLD_WITHIN}}] if span.end else []
            both = start + end
            yield both[0] if len(both) == 1 else {"$and": both}

    def _pick(self, ranking: Ranking, position: int) -> Pick:
        words = [w for w, places in ranking.words.items() if position in places]
        beside = (
            [w for w in ranking.words if w not in words] if not words and ranking.covered[position] else []
        )
        timeline, reading, why = self.timeline(), ranking.reading, []
        if words:
            why.append("words: " + ", ".join(words))
        elif beside:
            why.append("words beside it")
        if ranking.meaning[position] > 0:
            why.append(f"meaning {ranking.meaning[position]:.2f}")
        if name := reading.people.get(int(timeline.author[position])):
            why.append(f"by {name}")
        if place := reading.places.get(int(timeline.conversation[position])):
            why.append(f"in {place}")
        why += [span.said for span in reading.spans if any(m[position] for m in rules.within(span, timeline))]
        return Pick(position, float(ranking.score[position]), "; ".join(why), frozenset(ranking.words))


def _leans(query: str) -> bool:
    """Whether a question is too short to stand without the one before it."""
    short = len(query.split()) <= _FOLLOW_UP and len(lexical.terms(query)) < 2
    return short and bool(_ASKING.search(query))
