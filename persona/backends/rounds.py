"""Whether a reply goes round: greedy decoding that has said one stretch several times over never ends."""

from collections.abc import Sequence

LONGEST = 16
"""Tokens of a stretch."""

TIMES, LEAST = 4, 16
"""How often it was said, and in how many tokens in all: "ha ha ha" is none yet."""


def goes_round(tokens: Sequence[int]) -> bool:
    """Whether `tokens` end in one stretch said over and over."""
    return any(_repeats(tokens, period) for period in range(1, LONGEST + 1))


def _repeats(tokens: Sequence[int], period: int) -> bool:
    length = max(TIMES * period, LEAST)
    if len(tokens) < length:
        return False
    return all(tokens[-n] == tokens[-n - period] for n in range(1, length - period + 1))
