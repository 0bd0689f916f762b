"""Whether what was written about messages stands in them: its names, its numbers and most of its words.

The one check of summaries and of facts that a model wrote. Knows nothing of either.
"""

import re
from collections.abc import Collection, Iterable, Set

from knowledge.lexical import fold, terms
from knowledge.stopwords import STOP_WORDS

SUPPORTED = 0.5
"""Share of a text's words that must be held, besides all its names and numbers."""

_WORD = re.compile(r"\w+")
_MARKED = re.compile(r"\b(?:[A-ZÀ-Þ]\w*|\w*\d\w*)")


def words(texts: Iterable[str]) -> set[str]:
    """Every word of `texts`, folded."""
    return {fold(word) for text in texts for word in _WORD.findall(text)}


def marked(text: str) -> set[str]:
    """The names and numbers of `text`, folded."""
    return {fold(word) for word in _MARKED.findall(text)} - STOP_WORDS


def share(text: str, held: Collection[str]) -> float:
    """How many of the words of `text` are among `held`: 0 to 1, 1 where it has none."""
    wanted = terms(text)
    return sum(word in held for word in wanted) / len(wanted) if wanted else 1.0


def supported(text: str, held: Set[str], besides: Set[str] = frozenset()) -> bool:
    """Whether `held`, folded words, has every name and number of `text`, and most of its words.

    besides: names that need not be held.
    """
    return marked(text) - besides <= held and share(text, held) >= SUPPORTED
