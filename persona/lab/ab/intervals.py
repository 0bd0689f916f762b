"""Intervals of 95 % for what A/B measures."""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
_DRAWS = 2000


def proportion(hits: int, asked: int) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share; all of [0, 1] when nothing was asked."""
    from scipy.special import betaincinv

    tail = (1 - LEVEL) / 2
    low = betaincinv(hits, asked - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, asked - hits, 1 - tail) if hits < asked else 1.0
    return round(float(low), 4), round(float(high), 4)


def sign_test(one: int, other: int) -> float:
    """The two-sided probability of a split at least this uneven when both are equally likely (exact)."""
    both = one + other
    tail = sum(comb(both, n) for n in range(min(one, other) + 1))
    return round(min(1.0, 2 * tail / (1 << both)), 4)


def of_median(values: Sequence[float]) -> tuple[float, float]:
    """The percentile bootstrap interval of a median, the same for the same values."""
    import numpy as np

    if len(values) < 2:
        return (values[0], values[0]) if values else (0.0, 0.0)
    draws = np.random.default_rng(0).choice(np.asarray(values), (_DRAWS, len(values)))
    return _middle_of(np.median(draws, axis=1))


def of_ratio(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float] | None:
    """The percentile bootstrap interval of how many of `pairs` hold first for each that holds second, drawn
    in pairs, the same for the same pairs; None where none holds second."""
    import numpy as np

    held = np.asarray(pairs, dtype=float).reshape(-1, 2)
    if not held[:, 1].any():
        return None
    drawn = held[np.random.default_rng(0).integers(len(held), size=(_DRAWS, len(held)))].sum(axis=1)
    drawn = drawn[drawn[:, 1] > 0]
    return _middle_of(drawn[:, 0] / drawn[:, 1])


def _middle_of(draws: "NDArray[np.float64]") -> tuple[float, float]:
    """Between which the middle 95 % of `draws` lie."""
    import numpy as np

    low, high = np.percentile(draws, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return round(float(low), 4), round(float(high), 4)


def middle(values: Sequence[float]) -> float:
    """The median, 0 of nothing."""
    return round(float(median(values)), 4) if values else 0.0
