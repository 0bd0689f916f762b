"""How fast is fast enough to chat: the gates that `doctor` and `bench` name."""

from typing import Literal

Grade = Literal["slow", "acceptable", "good", "great"]

_GATES: tuple[tuple[float, Grade], ...] = ((30, "great"), (20, "good"), (10, "acceptable"))

MOST_MEMORY = 0.5
"""Share of this machine's memory that a model may take to chat."""


def grade(tokens_per_second: float) -> Grade:
    """Above 30 tokens a second great, above 20 good, above 10 acceptable; slower than people read below."""
    return next((name for least, name in _GATES if tokens_per_second > least), "slow")
