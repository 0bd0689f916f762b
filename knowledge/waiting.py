"""Which messages wait for their vectors, and which of them come first: the newest.

A million of them are put in line once and then taken from its end; only when the archive has changed since,
or the line is used up, is it made anew.
"""

from typing import TYPE_CHECKING, Any

from knowledge.archive import Archive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 50_000
"""Rows of one query: a turn of the chat must not wait for a million."""

_TIMES = """
    SELECT w.message, m.sent_at FROM waiting w JOIN messages m ON m.key = w.message
    WHERE w.message > ? ORDER BY w.message LIMIT ?
"""
_ROWS = """
    SELECT w.ticket, w.message, s.text
    FROM waiting w LEFT JOIN speech s ON s.key = w.message WHERE w.message IN ({})
"""


class Waiting:
    """The line of `archive`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._line: NDArray[np.int64] | None = None
        self._version: str | None = None

    def newest(self, most: int) -> list[tuple[Any, ...]]:
        """Ticket, key and text of up to `most`; [] when nothing waits.

        The same again until they are struck off. What is no speech any more has no text.
        """
        if self._line is None or self._archive.version() != self._version:
            self._line = self._in_line()
        while True:
            while len(self._line):
                keys = ",".join(map(str, self._line[-most:].tolist()))
                if rows := self._archive.rows(_ROWS.format(keys)):
                    return rows
                self._line = self._line[:-most]
            self._line = self._in_line()
            if not len(self._line):
                return []

    def _in_line(self) -> "NDArray[np.int64]":
        """The keys of all that wait, the newest last."""
        import numpy as np

        self._version = self._archive.version()
        found, last = [np.empty((0, 2), dtype=np.int64)], -1
        while rows := self._archive.rows(_TIMES, (last, _AT_ONCE)):
            last = rows[-1][0]
            found.append(np.array(rows, dtype=np.int64))
        pairs = np.concatenate(found)
        keys: NDArray[np.int64] = pairs[np.argsort(pairs[:, 1], kind="stable"), 0]
        return keys
