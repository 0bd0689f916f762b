"""How far one set of messages is from another in manner.

Burrows' Delta (Burrows 2002, doi:10.1093/llc/17.3.267): mean absolute difference of z-scored frequencies,
over the most frequent words of the reference and, with the same weight, over surface marks (length, case,
punctuation, emoji). Content hardly counts: frequent words are function words.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MARKS = ".,!?:;…-–—()\"'"
_MOST_WORDS = 60
_CHUNK = 25


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages as numbers. words: [messages, frequent words] counts. length: [messages] words.
    surface: [messages, marks]."""

    words: Array
    length: Array
    surface: Array

    def take(self, rows: NDArray[np.intp]) -> "Counts":
        """Some of the messages, with repetition."""
        return Counts(self.words[rows], self.length[rows], self.surface[rows])


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap 95 % interval."""

    value: float
    low: float
    high: float


class StyleScale:
    """The yardstick: which words count, and how much each measure differs from one stretch of messages to
    the next. reference: many messages, of the owner and others."""

    def __init__(self, reference: Sequence[str]) -> None:
        found = Counter(word for text in reference for word in _WORD.findall(text.casefold()))
        self._words = {word: n for n, (word, _) in enumerate(found.most_common(_MOST_WORDS))}
        chunks = [reference[n : n + _CHUNK] for n in range(0, len(reference), _CHUNK)]
        profiles = [_profile(self.count(chunk)) for chunk in chunks if len(chunk) == _CHUNK]
        every = np.array(profiles or [_profile(self.count(reference))])
        spread = every.std(axis=0)
        self._scale = np.where(spread > 1e-9, spread, np.inf)

    def count(self, texts: Sequence[str]) -> Counts:
        """The numbers of `texts`."""
        words = np.zeros((len(texts), len(self._words)))
        length = np.zeros(len(texts))
        for n, text in enumerate(texts):
            found = _WORD.findall(text.casefold())
            length[n] = len(found)
            for word in found:
                if word in self._words:
                    words[n, self._words[word]] += 1
        return Counts(words, length, np.array([_surface(text) for text in texts]).reshape(len(texts), -1))

    def distance(self, one: Counts, other: Counts) -> float:
        """0 where they are alike; about 1 where they differ as two stretches of messages do."""
        apart = np.abs(_profile(one) - _profile(other)) / self._scale
        words = len(self._words)
        return float((apart[:words].mean() + apart[words:].mean()) / 2)

    def compare(
        self, base: Counts, tuned: Counts, owner: Counts, *, samples: int = 1000, seed: int = 0
    ) -> Interval:
        """How much nearer `tuned` is to the owner than `base`; above 0 is better.

        All three answer the same messages in the same order, and are resampled together.
        """
        rng = np.random.default_rng(seed)
        n = len(owner.length)
        drawn = []
        for _ in range(samples):
            rows = rng.integers(0, n, n)
            real = owner.take(rows)
            drawn.append(self.distance(base.take(rows), real) - self.distance(tuned.take(rows), real))
        low, high = np.percentile(drawn, [2.5, 97.5])
        value = self.distance(base, owner) - self.distance(tuned, owner)
        return Interval(round(value, 4), round(float(low), 4), round(float(high), 4))


def _profile(counts: Counts) -> Array:
    total = max(1.0, float(counts.length.sum()))
    return np.concatenate([counts.words.sum(axis=0) / total, counts.surface.mean(axis=0)])


def _surface(text: str) -> list[float]:
    words = _WORD.findall(text)
    letters = [c for c in text if c.isalpha()]
    return [
        float(np.log1p(len(words))),
        float(bool(letters) and letters[0].islower()),
        sum(c.isupper() for c in letters) / max(1, len(letters)),
        float(any(unicodedata.category(c) == "So" for c in text)),
        float(text.rstrip().endswith(".")),
        float(text.count("\n")),
        *(text.count(mark) / max(1, len(words)) for mark in _MARKS),
    ]
