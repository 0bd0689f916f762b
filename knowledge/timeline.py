"""Who spoke when and beside whom: all speech as columns in memory, ordered by stretch of talk and time.

A stretch is what belongs together: the messages of one thread, or of one conversation without a
long pause. A question concerns a few thousand messages of a million, so ranking works on a part.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowledge.archive import Archive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

HOUR = 3_600_000_000
"""One hour in the archive's microseconds."""

_PAUSE = 6 * HOUR
_PAUSE_IN_THREAD = 14 * 24 * HOUR


@dataclass(frozen=True, slots=True)
class Part:
    """One entry for each of some spoken messages, in the order of streams and times.

    place: where it stands among all. key, author, conversation: archive keys. sent: microseconds.
    stretch: the number of the stretch. own: whether the owner wrote it. words: how many it has.
    asking: the share of them that stand in questions.
    """

    place: "Ints"
    key: "Ints"
    author: "Ints"
    conversation: "Ints"
    sent: "Ints"
    stretch: "Ints"
    own: "Bools"
    words: "Ints"
    asking: "Floats"

    def __len__(self) -> int:
        return len(self.key)

    @property
    def asks(self) -> "Bools":
        """Which messages hardly do anything but ask."""
        mostly: Bools = self.asking > 0.5
        return mostly

    def are_apart(self, distance: int) -> "Bools":
        """Whether each message and the one `distance` entries on stand just so far apart in one stretch."""
        same = self.stretch[distance:] == self.stretch[:-distance]
        apart: Bools = same & (self.place[distance:] - self.place[:-distance] == distance)
        return apart


@dataclass(frozen=True, slots=True)
class Timeline(Part):
    """All that was spoken. of_key: positions by ascending key; sorted_keys: those keys."""

    sorted_keys: "Ints"
    of_key: "Ints"

    def part(self, positions: "Ints") -> Part:
        """These messages alone, in their order; `positions` may hold one twice."""
        import numpy as np

        at = self.reach(positions, 0, 0)
        stretch = self.stretch[at]
        return Part(
            place=self.place[at],
            key=self.key[at],
            author=self.author[at],
            conversation=self.conversation[at],
            sent=self.sent[at],
            stretch=np.cumsum(np.diff(stretch, prepend=stretch[:1]) != 0),
            own=self.own[at],
            words=self.words[at],
            asking=self.asking[at],
        )

    def reach(self, positions: "Ints", before: int, after: int) -> "Ints":
        """These positions and those up to so many before and after each, of whatever stretch; ascending."""
        import numpy as np

        reached = np.zeros(len(self), dtype=np.bool_)
        for step in range(-before, after + 1):
            moved = positions + step
            reached[moved[(moved >= 0) & (moved < len(self))]] = True
        return np.flatnonzero(reached)

    def positions(self, keys: "Ints") -> "Ints":
        """Where these keys are; all must be in the timeline."""
        import numpy as np

        return self.of_key[np.searchsorted(self.sorted_keys, keys)]

    def position(self, key: int) -> int:
        """Where this key is; it must be in the timeline."""
        import numpy as np

        return int(self.positions(np.array([key]))[0])

    def known(self, keys: "Ints") -> "Bools":
        """Which of these keys are in the timeline."""
        import numpy as np

        if not len(self):
            return np.zeros(len(keys), dtype=np.bool_)
        place = np.minimum(np.searchsorted(self.sorted_keys, keys), len(self) - 1)
        return np.asarray(self.sorted_keys[place] == keys)

    def beside_key(self, key: int, before: int, after: int) -> tuple[list[int], list[int]]:
        """As `beside`, for the message with this key."""
        return self.beside(self.position(key), before, after)

    def beside(self, position: int, before: int, after: int) -> tuple[list[int], list[int]]:
        """Keys of the messages just before and after one, within its stretch, in time order."""
        first, last = max(0, position - before), min(len(self), position + after + 1)
        same = [p for p in range(first, last) if self.stretch[p] == self.stretch[position]]
        return (
            [int(self.key[p]) for p in same if p < position],
            [int(self.key[p]) for p in same if p > position],
        )


def best(values: "Floats", most: int) -> "Ints":
    """Where the `most` highest are, the best first, equals as they stand; quicker than to sort all."""
    import numpy as np

    if most < len(values):
        at = np.flatnonzero(values >= np.partition(values, -most)[-most])
    else:
        at = np.arange(len(values))
    return at[np.argsort(-values[at], kind="stable")][:most]


def load(archive: Archive) -> Timeline:
    """The timeline of everything spoken so far."""
    import numpy as np

    rows: list[tuple[Any, ...]] = archive.rows(
        "SELECT m.key, m.author, m.conversation, m.sent_at, m.thread IS NOT NULL, i.is_self, "
        "CASE WHEN instr(m.text, '?') THEN asked(m.text) ELSE 0 END, "
        "length(m.text) - length(replace(m.text, ' ', '')) + 1, "
        "dense_rank() OVER (ORDER BY m.conversation, m.thread) AS stream "
        "FROM speech m JOIN identities i ON i.key = m.author ORDER BY stream, m.sent_at, m.key"
    )
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 9)
    # a column of a table is strided: each look at one would read the whole table
    key, author, conversation, sent, threaded, own, asked, words, stream = np.ascontiguousarray(table.T)
    pause = np.where(threaded == 1, _PAUSE_IN_THREAD, _PAUSE)
    begins = np.ones(len(rows), dtype=np.int64)
    begins[1:] = (np.diff(stream) != 0) | (np.diff(sent) > pause[1:])
    order = np.argsort(key)
    return Timeline(
        place=np.arange(len(rows)),
        key=key,
        author=author,
        conversation=conversation,
        sent=sent,
        stretch=np.cumsum(begins) - 1,
        own=own == 1,
        words=words,
        asking=np.minimum(1.0, asked / words),
        sorted_keys=key[order],
        of_key=order,
    )
