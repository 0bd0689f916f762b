"""Intervals of 95 % for what A/B measures."""

from collections.abc import Sequence
from math import comb
from statistics import median

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
    low, high = np.percentile(np.median(draws, axis=1), [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return round(float(low), 2), round(float(high), 2)


def middle(values: Sequence[float]) -> float:
    """The median, 0 of nothing."""
    return round(float(median(values)), 4) if values else 0.0
