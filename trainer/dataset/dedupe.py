"""Near-duplicates, found by MinHash: rows that say almost the same teach repetition, and leak."""

import re
import zlib
from collections.abc import Iterable
from itertools import pairwise

_HASHES = 24
_BAND = 3
_PRIME = (1 << 31) - 1
_SEEDS = [(n * 2_654_435_761 % _PRIME + 1, n * 40_503 + 7) for n in range(_HASHES)]
_WORD = re.compile(r"\w+")


def shingles(text: str) -> frozenset[str]:
    """Words and pairs of words, case folded."""
    words = _WORD.findall(text.casefold())
    return frozenset(words) | frozenset(f"{a} {b}" for a, b in pairwise(words))


class Seen:
    """Texts met so far; tells whether a new one is nearly one of them. alike: Jaccard similarity."""

    def __init__(self, alike: float = 0.8) -> None:
        self._alike = alike
        self._bands: dict[tuple[int, tuple[int, ...]], list[frozenset[str]]] = {}

    def add(self, text: str) -> bool:
        """Whether `text` is new; it is remembered if so."""
        bag = shingles(text) or frozenset({text.strip()})
        keys = list(_keys(bag))
        if any(self._same(bag, other) for key in keys for other in self._bands.get(key, ())):
            return False
        for key in keys:
            self._bands.setdefault(key, []).append(bag)
        return True

    def _same(self, one: frozenset[str], other: frozenset[str]) -> bool:
        return len(one & other) >= self._alike * len(one | other)


def _keys(bag: frozenset[str]) -> Iterable[tuple[int, tuple[int, ...]]]:
    codes = [zlib.crc32(shingle.encode()) for shingle in bag]
    least = [min((a * code + b) % _PRIME for code in codes) for a, b in _SEEDS]
    for start in range(0, _HASHES, _BAND):
        yield start, tuple(least[start : start + _BAND])
