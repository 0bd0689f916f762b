"""Guesses what a model writes next: what stood after the same words before (prompt lookup).

A reply that quotes its memories is written several tokens at a time: one evaluation judges them all, and
those that the model would not have drawn itself are thrown away, so it is the same reply. After
https://github.com/apoorvumang/prompt-lookup-decoding.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST = 6
"""Tokens guessed at once. A wrong guess costs what they take to evaluate."""

_ALIKE = 3
"""Newest tokens that must have stood there, too: after fewer most guesses are wrong."""


def guess(ids: "np.ndarray[Any, Any]", /) -> "np.ndarray[Any, Any]":
    """Up to `MOST` tokens: what followed the last place where the newest of `ids` stood before, if any."""
    import numpy as np

    starts = len(ids) - _ALIKE
    if starts < 1:
        return ids[:0]
    same = np.ones(starts, dtype=bool)
    for place in range(_ALIKE):
        same &= ids[place : starts + place] == ids[starts + place]
    found = np.flatnonzero(same)
    if not len(found):
        return ids[:0]
    after = int(found[-1]) + _ALIKE
    return ids[after : after + MOST]
