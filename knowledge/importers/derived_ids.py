"""Ids for records whose export gives them none: made of what stays the same in every export."""

import hashlib
from collections import Counter
from datetime import datetime


def digest(*parts: str) -> str:
    """A short id of these words; the same words, the same id."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


class DerivedIds:
    """Ids within one chat: of time, author and words, and a number among equal ones of the same time."""

    def __init__(self, chat: str) -> None:
        self._chat = chat
        self._when: datetime | None = None
        self._equal: Counter[str] = Counter()

    def of(self, when: datetime, author: str, text: str) -> str:
        """when: naive, to the precision in which every export of this kind writes it."""
        if when != self._when:
            self._when = when
            self._equal.clear()
        own = digest(self._chat, when.isoformat(), author, text.strip())
        self._equal[own] += 1
        number = self._equal[own]
        return own if number == 1 else f"{own}-{number}"
