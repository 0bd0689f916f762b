"""How near messages are to a question in meaning: cosines of their vectors, and what answers owe questions.

Which messages have one is decided here, too: those nearest to the question, those that fit the people and
times it names, the best by words, and what follows the best.
"""

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from knowledge import lexical, rules
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.errors import PersonaError
from knowledge.index import VectorIndex, Where

if TYPE_CHECKING:
    from knowledge.timeline import Floats, Ints, Timeline

_log = logging.getLogger(__name__)

DEEP = 200
"""Candidates taken by words, and by meaning."""

DEEP_WHERE = 60
"""Candidates taken by meaning among the messages that fit a person or a time named."""

ANSWERED = 100
"""Best candidates by meaning of which the answer is looked at."""

ANSWERS = 0.4
"""Share of what a question is nearer to the one asked that the message after it gains: its answer seldom
repeats it ("Where do you live?" "Graz, for a while now")."""


class Meaning:
    """Cosines over the speech of `archive`, as far as `index` has come; one array entry for each message."""

    def __init__(self, archive: Archive, index: VectorIndex, embedder: Embedder) -> None:
        self._archive = archive
        self._index = index
        self._embedder = embedder

    def of(self, query: str, reading: rules.Reading, timeline: "Timeline", by_words: "Floats") -> "Floats":
        """The cosine of every candidate for `query`, 0 for all others."""
        import numpy as np

        meaning = np.zeros(len(timeline))
        if self._index.is_empty() or not query.strip():
            return meaning
        wordy = np.flatnonzero(by_words > 0)
        wordy = wordy[np.argsort(-by_words[wordy], kind="stable")][:DEEP]
        try:
            vector = self._asked(query, reading)
            found = self._index.nearest(vector, DEEP)
            for where in self._filters(reading):
                found |= self._index.nearest(vector, DEEP_WHERE, where)
            _put(meaning, found, timeline)
            best = np.flatnonzero(meaning)
            best = best[np.argsort(-meaning[best], kind="stable")][:ANSWERED]
            more = np.union1d(wordy, _after(best, timeline))
            more = more[meaning[more] == 0]
            _put(meaning, self._index.similar(vector, timeline.key[more].tolist()), timeline)
        except PersonaError as error:
            # words alone still find most; a chat must not end because the index is damaged
            _log.warning("search by words only: %s", error.message)
        return meaning

    def echoes(self, best: "Ints", meaning: "Floats", timeline: "Timeline") -> "Floats":
        """How near every candidate is to the `best` ones: what says the same in other words (Rocchio)."""
        import numpy as np

        near = np.zeros(len(timeline))
        best = best[meaning[best] > 0]
        vector = self._index.centre(timeline.key[best].tolist()) if len(best) else None
        if vector is None:
            return near
        found = self._index.nearest(vector, DEEP)
        rest = [k for k in timeline.key[np.flatnonzero(meaning > 0)].tolist() if k not in found]
        _put(near, found | self._index.similar(vector, rest), timeline)
        near[best] = 1.0
        return near

    def _asked(self, query: str, reading: rules.Reading) -> "Floats":
        """The vector of a question: the mean of it with the names of people and without.

        What people say of themselves seldom holds their own name, which a question on them repeats.
        """
        import numpy as np

        unnamed = _unnamed(query, reading)
        if not lexical.terms(unnamed):
            unnamed = query
        whole: Floats = self._embedder.embed(list(dict.fromkeys([query, unnamed]))).mean(axis=0)
        return whole / np.linalg.norm(whole)

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


def answering(meaning: "Floats", timeline: "Timeline") -> "Floats":
    """What each message gains from a question that somebody else asked just before it."""
    import numpy as np

    gain = np.zeros(len(meaning))
    answers = timeline.asks[:-1] & (timeline.stretch[1:] == timeline.stretch[:-1])
    answers &= timeline.author[1:] != timeline.author[:-1]
    gain[1:] = ANSWERS * answers * np.maximum(0.0, -np.diff(meaning))
    return gain


def _unnamed(query: str, reading: rules.Reading) -> str:
    def kept(word: re.Match[str]) -> str:
        return "" if lexical.fold(word[1]) in reading.called else word[0]

    return " ".join(re.sub(r"\b(\w+)(?:['’]s\b)?", kept, query).split())


def _after(positions: "Ints", timeline: "Timeline") -> "Ints":
    """The positions just after these, in the same stretch of talk."""
    import numpy as np

    after = positions[positions + 1 < len(timeline)] + 1
    return np.asarray(after[timeline.stretch[after] == timeline.stretch[after - 1]])


def _put(into: "Floats", found: dict[int, float], timeline: "Timeline") -> None:
    """Write cosines by key at their positions; what is not in the timeline, or points away, is left out."""
    import numpy as np

    keys = np.array(list(found), dtype=np.int64)
    known = timeline.known(keys)
    into[timeline.positions(keys[known])] = np.maximum(0.0, np.array(list(found.values()))[known])
