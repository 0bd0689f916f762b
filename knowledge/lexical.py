"""BM25 over single messages, with the neighbours' scores added at query time.

An answer seldom repeats the words of its question, but the messages around it do. Indexing windows
would triple the text; adding up when asked costs nothing.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from knowledge import inflection
from knowledge.archive import Archive
from knowledge.stopwords import STOP_WORDS

if TYPE_CHECKING:
    from knowledge.timeline import Floats, Ints, Part, Timeline

NEIGHBOURS = (0.5, 0.3)
"""Share of its score that a message lends to those one and two places away."""

STRETCH_SHARE = 0.3
"""Share of the best match for each word that a stretch of talk lends to all its matches."""

_COMMON = 0.12
_MOST_ROWS = 2_500
"""Messages that hold a word from which it is too common to be looked for: each costs some 6 µs."""

_DERIVED = 6
"""Letters of a word that may be looked for by its beginning, when the word itself does not occur."""

_WORD = re.compile(r"\w+")


Hits = dict[str, tuple["Ints", "Floats"]]
"""For each word of a query the positions of the messages that hold it, with its score there."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What the words of a query gave, one entry for each message of a part of the timeline.

    score: with neighbours and stretch. covered: the share of the query's weight (rare words weigh
    more) that the message itself, or one beside it, holds. words: for each word, the positions of the
    messages that hold it.
    """

    score: "Floats"
    covered: "Floats"
    words: dict[str, "Ints"]


def terms(text: str) -> list[str]:
    """The words of a query worth looking for, folded, in order, each once."""
    text = re.sub(r"['’]s\b", "", text)
    found = dict.fromkeys(fold(word) for word in _WORD.findall(text))
    return [word for word in found if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())]


def fold(word: str) -> str:
    """A word as the index compares it: no case, no accents."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def hits(archive: Archive, timeline: "Timeline", words: Iterable[str]) -> Hits:
    """Where each of these words occurs; one that very many messages hold is left out."""
    import numpy as np

    found: Hits = {}
    for word in words:
        rows = _rows(archive, word, len(timeline))
        if rows is not None:
            keys, ranks = np.array(rows, dtype=np.float64).reshape(-1, 2).T
            known = timeline.known(keys.astype(np.int64))
            found[word] = timeline.positions(keys.astype(np.int64)[known]), -ranks[known]
    return found


def match(
    hits: Hits,
    timeline: "Timeline",
    part: "Part",
    weights: Mapping[str, float],
    names: Set[str] = frozenset(),
    called: Mapping[str, Set[int]] | None = None,
) -> Matches:
    """Score every message of `part`, which holds all hits and what stands beside them.

    names: words that name a person or a place, which need not occur: what was said there never does.
    called: the words that name people, with the keys of those: what they say themselves covers the name, and
    makes it as common as it is: one line that greets them is no better evidence than their own.
    """
    import numpy as np

    size = len(timeline)
    own, shared, covered = np.zeros(len(part)), np.zeros(len(part)), np.zeros(len(part))
    words: dict[str, Ints] = {}
    whole = 0.0
    for word, (places, scores) in hits.items():
        weight = weights[word]
        if not len(places):
            whole += _rarity(size, 0) * weight if word not in names else 0.0
            continue
        theirs = list((called or {}).get(word, ()))
        said = np.isin(timeline.author, theirs).sum() - np.isin(timeline.author[places], theirs).sum()
        meant = len(places) + int(said)
        rarity = _rarity(size, meant) * weight
        whole += rarity
        positions = words[word] = np.searchsorted(part.place, places)
        scores = scores * weight * _idf(size, meant) / _idf(size, len(places))
        own[positions] += scores
        stretch = np.zeros(len(part))
        np.maximum.at(stretch, part.stretch[positions], scores)
        shared += stretch[part.stretch]
        held = np.where(np.isin(part.author, theirs), rarity, 0.0)
        held[positions] = rarity
        covered += np.maximum(held, 0.6 * _strongest_beside(held, part))
    score = own + _lent(own, part)
    score += np.where(score > 0, STRETCH_SHARE * shared, 0.0)
    return Matches(score, covered / whole if whole else covered, words)


def _rarity(size: int, holding: int) -> float:
    """What a word that so many of `size` messages hold counts among those of its question."""
    return log(1 + (size + 0.5) / (holding + 0.5))


def _idf(size: int, holding: int) -> float:
    """What BM25 multiplies the score of such a word by, as SQLite has it: never below a millionth."""
    return max(1e-6, log((size - holding + 0.5) / (holding + 0.5)))


def _rows(archive: Archive, word: str, size: int) -> list[tuple[int, float]] | None:
    """Key and BM25 rank (lower is better) of the messages that hold a word, None for a common word."""
    most = min(max(40, int(_COMMON * size)), _MOST_ROWS)
    wanted = " OR ".join(f'"{form}"' for form in inflection.forms(word))
    held = holding(archive, wanted, most + 1)
    if not held and len(word) >= _DERIVED:
        # the stemmer knows endings, not derivations: "allergy" is told of as "allergic"
        wanted = f'"{word[:-2]}"*'
        held = holding(archive, wanted, most + 1)
    if held > most:
        return None
    return archive.rows("SELECT rowid, bm25(words) FROM words WHERE words MATCH ?", (wanted,))


def holding(archive: Archive, wanted: str, most: int) -> int:
    """How many messages match, up to `most`: a hundred times as quick as their ranks."""
    sql = "SELECT COUNT(*) FROM (SELECT rowid FROM words WHERE words MATCH ? LIMIT ?)"
    return int(archive.rows(sql, (wanted, most))[0][0])


def _lent(own: "Floats", part: "Part") -> "Floats":
    import numpy as np

    lent = np.zeros(len(own))
    for distance, share in enumerate(NEIGHBOURS, 1):
        apart = part.are_apart(distance)
        lent[distance:] += share * own[:-distance] * apart
        lent[:-distance] += share * own[distance:] * apart
    return lent


def _strongest_beside(held: "Floats", part: "Part") -> "Floats":
    import numpy as np

    beside = np.zeros(len(held))
    for distance in range(1, len(NEIGHBOURS) + 1):
        apart = part.are_apart(distance)
        beside[distance:] = np.maximum(beside[distance:], held[:-distance] * apart)
        beside[:-distance] = np.maximum(beside[:-distance], held[distance:] * apart)
    return beside


def weighted(query: str, earlier: Iterable[str] = (), share: float = 0.5) -> dict[str, float]:
    """The words of a query with weight 1, and those of earlier messages with `share`."""
    weights = {word: share for text in earlier for word in terms(text)}
    return weights | dict.fromkeys(terms(query), 1.0)
