"""How long work tells its caller how far it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """stage: what is being done, in words for people. total: None where it is not known beforehand.
    left: seconds until all stages are done, estimated; None where nobody knows."""

    stage: str
    done: int
    total: int | None = None
    left: float | None = None
