"""What keeps the forgotten from coming back: keyed hashes of whom and what, never their names.

The key is the archive's own, so that the hashes of two archives have nothing in common. Whoever holds the
archive can still ask whether a name they guess is among them; that cannot be helped.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

from knowledge.records import ImportReport, Message

Kind = Literal["message", "person", "conversation", "source", "line"]

FORGOTTEN = "forgotten"
"""The reason an import gives for what it leaves out, and the name of a place named after the forgotten."""

LEAST_LINE = 32
"""Letters from which a line is telling enough to be known again where somebody quotes it."""

_MOST_WORDS = 4
_WORD = re.compile(r"[^\s,;()<>\[\]@#]+")
_JOINING = re.compile(r"[/\\._+-]+")
_QUOTING = re.compile(r"^[>|\s]+")


def lines(text: str | None) -> set[str]:
    """The telling lines of `text`, without marks of quotation."""
    found = (_QUOTING.sub("", line).strip() for line in (text or "").splitlines())
    return {line for line in found if len(line) >= LEAST_LINE}


class Tombstones:
    """The hashes in one archive, as they are while a transaction on `db` lasts."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        ((key,),) = db.execute("SELECT value FROM meta WHERE name = 'archive'").fetchall() or [("",)]
        self._key = str(key).encode()
        self._known = {hash for (hash,) in db.execute("SELECT hash FROM tombstones")}
        self._names_forgotten = lru_cache(10_000)(self._named)

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, kind: Kind, values: Iterable[str]) -> None:
        """Keep these from coming back."""
        self._db.executemany(
            "INSERT OR IGNORE INTO tombstones VALUES (?)", [(self._hash(kind, v),) for v in values]
        )

    def lets_in(self, messages: Sequence[Message], report: ImportReport) -> list[Message]:
        """`messages` without the forgotten, who are counted in `report`; what quotes them loses its raw
        form, and a conversation named after them its name."""
        kept = []
        for m in messages:
            if self._is_gone(m):
                report.skipped[FORGOTTEN] += 1
                continue
            if m.raw and any(self._has("line", line) for line in lines(m.raw)):
                m = replace(m, raw=None)
            theirs = self._names_forgotten(m.conversation) or self._has("line", m.conversation)
            kept.append(replace(m, conversation=FORGOTTEN) if theirs else m)
        return kept

    def names(self, path: str) -> bool:
        """Whether the name of a file or folder on `path` is one of a forgotten person."""
        return self._names_forgotten(path) or self._names_forgotten(_JOINING.sub(" ", path))

    def _is_gone(self, m: Message) -> bool:
        return (
            self._has("message", m.id)
            or self._has("conversation", m.conversation_id)
            or self._has("source", m.source)
            or any(self._has("person", name) for name in (m.author.id, m.author.name, *m.author.aliases))
        )

    def _named(self, text: str) -> bool:
        words = _WORD.findall(text)
        spans = (
            " ".join(words[start : start + n])
            for n in range(1, _MOST_WORDS + 1)
            for start in range(len(words))
        )
        return any(self._has("person", span) for span in spans)

    def _has(self, kind: Kind, value: str) -> bool:
        return self._hash(kind, value) in self._known

    def _hash(self, kind: Kind, value: str) -> bytes:
        said = f"{kind}\0{value.strip().casefold()}".encode("utf-8", "replace")
        return blake2b(said, key=self._key, digest_size=16).digest()
