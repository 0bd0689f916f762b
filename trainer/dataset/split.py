"""What is kept for the test: the newest talks, each whole, so that training saw none of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trainer.dataset.exchanges import Exchange


@dataclass(frozen=True, slots=True)
class Split:
    """cutoff: everything before it may be trained on, everything after is for the test. straddling:
    exchanges left out because their talk went on across it.
    """

    cutoff: datetime
    train: tuple[Exchange, ...]
    test: tuple[Exchange, ...]
    straddling: int


def by_time(exchanges: Sequence[Exchange], test_share: float) -> Split | None:
    """Cut where `test_share` of the exchanges follow; None where there are too few to cut."""
    starts: dict[str, datetime] = {}
    ends: dict[str, datetime] = {}
    for e in exchanges:
        begun = (e.earlier[0] if e.earlier else e.said).start
        starts[e.episode] = min(begun, starts.get(e.episode, begun))
        ends[e.episode] = max(e.reply.end, ends.get(e.episode, e.reply.end))
    ordered = sorted(exchanges, key=lambda e: (starts[e.episode], e.reply.start))
    place = round(len(ordered) * (1 - test_share))
    if not 0 < place < len(ordered):
        return None
    cutoff = starts[ordered[place].episode]
    train = tuple(e for e in ordered if ends[e.episode] < cutoff)
    test = tuple(e for e in ordered if starts[e.episode] >= cutoff)
    return Split(cutoff, train, test, len(ordered) - len(train) - len(test))
