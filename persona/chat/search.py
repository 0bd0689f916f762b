"""Full-text search over everything said in chats: the query, and what is found.

Knows nothing of files; `SessionStore.find` runs it.
"""

import sqlite3
from dataclasses import dataclass

from persona.chat.turns import Turn, turn_of

_OPEN, _CLOSE = "\x02", "\x03"
_SNIPPET_WORDS = 14


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of what was said. found: whether it is a word that was searched."""

    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that holds the words. title: its chat's. snippet: the words and what is around them."""

    turn: Turn
    title: str
    snippet: tuple[Fragment, ...]


# Newest first, which FTS5 can walk without ranking every match: a single letter must answer at once too.
FIND = f"""
    SELECT turns.*, sessions.title AS title,
        snippet(turns_text, 0, '{_OPEN}', '{_CLOSE}', '…', {_SNIPPET_WORDS}) AS snippet
    FROM turns_text
    JOIN turns ON turns.n = turns_text.rowid
    JOIN sessions ON sessions.id = turns.session
    WHERE turns_text MATCH ? AND turns.active = 1 AND turns.session NOT IN (SELECT session FROM discarded)
    ORDER BY turns_text.rowid DESC LIMIT ?
"""


def match(text: str) -> str:
    """The FTS5 expression for every word of `text`, the last one perhaps only begun; "" for no words."""
    text = text.replace("\0", " ").encode("utf-8", "replace").decode()
    words = ['"' + word.replace('"', '""') + '"' for word in text.split()]
    return " ".join(words) + "*" if words else ""


def hit_of(row: sqlite3.Row) -> Hit:
    """Hit from a row of FIND."""
    return Hit(turn_of(row), row["title"], _fragments(row["snippet"]))


def _fragments(marked: str) -> tuple[Fragment, ...]:
    first, *rest = marked.split(_OPEN)
    pieces = [Fragment(first, False)]
    for piece in rest:
        found, _, after = piece.partition(_CLOSE)
        pieces += [Fragment(found, True), Fragment(after, False)]
    return tuple(p for p in pieces if p.text)
