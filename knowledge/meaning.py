"""How near messages are to a question in meaning: cosines of their vectors, and what answers owe questions.

Which messages have one is decided here, too: those nearest to the question, those that fit the people and
times it names, the best by words, and what follows the best.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from knowledge import lexical, rules
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.errors import PersonaError
from knowledge.index import VectorIndex
from knowledge.timeline import best

if TYPE_CHECKING:
    from knowledge.timeline import Bools, Floats, Ints, Part, Timeline

_log = logging.getLogger(__name__)

REACH = 1000
"""Messages nearest to a question whose cosine is asked of the index, at some 10 µs each."""

ECHOED = 500
"""Messages nearest to the best matches, asked for as well. Of a small archive they are most candidates, of a
million few; what is left of these is read, at some 40 µs each."""

DEEP = 200
"""Candidates taken by words, and by meaning."""

DEEP_WHERE = 60
"""Candidates taken by meaning among the messages that fit a person or a time named."""

FEW = 200
"""Messages that fit a person or a time named which are all looked at, where too few of them are near."""

ANSWERED = 100
"""Best candidates by meaning of which the answer is looked at."""

ANSWERS = 0.8
"""Share of what a question is nearer to the one asked that the message after it gains: its answer seldom
repeats it ("Where do you live?" "Graz, for a while now")."""


@dataclass(frozen=True, slots=True)
class Near:
    """What is nearest to a question. vector: the question's, None where there is nothing to compare it with.

    cosines: of the nearest messages, by key. chosen: positions of those taken as candidates. read: the
    vectors that were asked for since, which take longer than all else.
    """

    vector: "Floats | None"
    cosines: dict[int, float]
    chosen: "Ints"
    read: "dict[int, Floats]" = field(default_factory=dict)


class Meaning:
    """Cosines over the speech of `archive`, as far as `index` has come."""

    def __init__(self, archive: Archive, index: VectorIndex, embedder: Embedder) -> None:
        self._archive = archive
        self._index = index
        self._embedder = embedder

    def near(self, query: str, reading: rules.Reading, timeline: "Timeline") -> Near:
        """What is nearest to `query`, of everything and of what fits the people and times it names."""
        import numpy as np

        nothing = Near(None, {}, np.zeros(0, np.int64))
        if self._index.is_empty() or not query.strip():
            return nothing
        try:
            vector = self._asked(query, reading)
            cosines = self._index.nearest(vector, REACH)
        except PersonaError as error:
            _words_only(error)
            return nothing
        keys = np.array(sorted(cosines, key=lambda key: -cosines[key]), dtype=np.int64)
        nearest = timeline.positions(keys[timeline.known(keys)])
        chosen = [nearest[:DEEP]]
        for fits in self._fitting(reading, timeline):
            theirs = nearest[fits[nearest]][:DEEP_WHERE]
            if len(theirs) < DEEP_WHERE and np.count_nonzero(fits) <= FEW:
                theirs = np.flatnonzero(fits)
            chosen.append(theirs)
        return Near(vector, cosines, np.concatenate(chosen))

    def of(self, near: Near, part: "Part", by_words: "Floats") -> "Floats":
        """The cosine of every candidate, 0 for all others; one entry for each message of `part`."""
        import numpy as np

        meaning = np.zeros(len(part))
        if near.vector is None:
            return meaning
        chosen = np.searchsorted(part.place, near.chosen)
        self._put(meaning, near, chosen, part)
        alike, wordy = best(meaning, ANSWERED), best(by_words, DEEP)
        more = np.union1d(wordy[by_words[wordy] > 0], _after(alike[meaning[alike] > 0], part))
        self._put(meaning, near, more[meaning[more] == 0], part)
        return meaning

    def echoes(self, near: Near, first: "Ints", meaning: "Floats", part: "Part") -> "Floats":
        """How near every candidate is to the `first` ones: what says the same in other words (Rocchio)."""
        import numpy as np

        close = np.zeros(len(part))
        first = first[meaning[first] > 0]
        if not len(first):
            return close
        self._read(near, part.key[first].tolist())
        held = [near.read[key] for key in part.key[first].tolist() if key in near.read]
        if held:
            middle = np.concatenate(held).mean(axis=0)
            middle /= np.linalg.norm(middle)
            around = replace(near, vector=middle, cosines=self._index.nearest(middle, ECHOED))
            self._put(close, around, np.flatnonzero(meaning), part)
            close[first] = 1.0
        return close

    def _asked(self, query: str, reading: rules.Reading) -> "Floats":
        """The vector of a question: the mean of it with the names of people and without.

        What people say of themselves seldom holds their own name, which a question on them repeats. With the
        names of several it would be nearest to whatever one of them says to another.
        """
        import numpy as np

        unnamed = _unnamed(query, reading)
        if not lexical.terms(unnamed):
            unnamed = query
        asked = [unnamed] if reading.several else list(dict.fromkeys([query, unnamed]))
        whole: Floats = self._embedder.embed(asked).mean(axis=0)
        return whole / np.linalg.norm(whole)

    def _fitting(self, reading: rules.Reading, timeline: "Timeline") -> "Iterator[Bools]":
        """Which messages fit, for the people that a question names, the owner among them, and each time."""
        import numpy as np

        people = list(reading.people)
        if reading.you:
            people += [key for (key,) in self._archive.rows("SELECT key FROM identities WHERE is_self")]
        if people:
            yield np.isin(timeline.author, people)
        for span in reading.spans:
            inside, after = rules.within(span, timeline.sent)
            yield inside | after

    def _put(self, into: "Floats", near: Near, positions: "Ints", part: "Part") -> None:
        """Write the cosines of these messages; one without a vector, or that points away, keeps 0."""
        keys = part.key[positions].tolist()
        self._read(near, [key for key in keys if key not in near.cosines])
        into[positions] = [max(0.0, _cosine(near, key)) for key in keys]

    def _read(self, near: Near, keys: Iterable[int]) -> None:
        try:
            near.read.update(self._index.vectors([key for key in keys if key not in near.read]))
        except PersonaError as error:
            _words_only(error)


def _cosine(near: Near, key: int) -> float:
    """Of the best passage of a message; 0 where it is not known."""
    if key in near.cosines:
        return near.cosines[key]
    if near.vector is None or key not in near.read:
        return 0.0
    return float((near.read[key] @ near.vector).max())


def answering(meaning: "Floats", part: "Part") -> "Floats":
    """What each message gains from a question that somebody else asked just before it."""
    import numpy as np

    gain = np.zeros(len(meaning))
    answers = (part.asking[:-1] > 0) & part.are_apart(1) & (part.author[1:] != part.author[:-1])
    gain[1:] = ANSWERS * answers * np.maximum(0.0, -np.diff(meaning))
    return gain


def _words_only(error: PersonaError) -> None:
    # words alone still find most; a chat must not end because the index is damaged
    _log.warning("search by words only: %s", error.message)


def _unnamed(query: str, reading: rules.Reading) -> str:
    def kept(word: re.Match[str]) -> str:
        return "" if lexical.fold(word[1]) in reading.called else word[0]

    return " ".join(re.sub(r"\b(\w+)(?:['’]s\b)?", kept, query).split())


def _after(positions: "Ints", part: "Part") -> "Ints":
    """The positions just after these, in the same stretch of talk."""
    positions = positions[positions + 1 < len(part)]
    after: Ints = positions[part.are_apart(1)[positions]] + 1
    return after
