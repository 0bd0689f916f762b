"""Whom a question means by what they are to the owner: "your sister" is whom the owner calls so somewhere.

The second hop of a chained question: one message says who it is, another, of their own, answers. English
and German.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.archive import Archive
from knowledge.lexical import fold, holding
from knowledge.stopwords import STOP_WORDS

_ROLE = re.compile(r"\b(?:your|dein\w{0,2})\s+((?:beste?[rn]?\s+)?\w{3,})(['’]s\s+\w{3,})?", re.IGNORECASE)
_IS = r"(?:['’]s name is|, who is|,| is called| is| was| called| named| heisst| ist| namens)?"
_TOO_COMMON = 5_000
"""Messages that hold a word from which it is no role."""

_LOOKED_AT = 300
"""Newest messages of the owner with the word that are read."""


@dataclass(frozen=True, slots=True)
class Bond:
    """What somebody is to the owner. words: of the role, folded; people: keys of their identities, with their
    names; key: of the message that says so."""

    words: frozenset[str]
    people: Mapping[int, str]
    key: int


def find(archive: Archive, query: str, names: Mapping[str, Mapping[int, str]]) -> Bond | None:
    """Whom the first role in `query` means, by the newest message of the owner that tells; None when nobody.

    names: folded, first or last, with the identities that they may stand for, and their whole names.
    """
    for short, more in _ROLE.findall(query):
        # "your sister's husband" is somebody else, "your sister's job" is hers
        for role in dict.fromkeys((fold(short + more), fold(short))):
            told = _telling(role)
            for key, text in _said(archive, role.split()[-1]):
                named = _may_name(text)
                for name in map("".join, told.findall(fold(text))):
                    if name in named and name in names:
                        return Bond(frozenset(re.findall(r"\w{2,}", role)), names[name], key)
    return None


def _may_name(text: str) -> frozenset[str]:
    """The words of a message that may be names, folded: those with a capital, or where none has one, all but
    the common ones ("my brother will come")."""
    words = re.findall(r"\w+", text)
    if text != text.lower():
        return frozenset(fold(word) for word in words if word[0].isupper())
    return frozenset(map(fold, words)) - STOP_WORDS


def _telling(role: str) -> re.Pattern[str]:
    """What says who holds a role: "my sister Ana", "my sister is called Ana", "Ana is my sister"."""
    what = re.escape(role)
    mine = r"(?:my|mein\w{0,2})\s+(?:\w+\s+)?"
    before = rf"\b(\w{{3,}})(?:\s+\w+)?(?:,| is| was| has been| ist| war)\s+{mine}{what}\b"
    return re.compile(rf"\b{what}{_IS}\s+(\w{{3,}})|{before}")


def _said(archive: Archive, word: str) -> list[tuple[int, str]]:
    """Key and text of the owner's messages that hold a word, newest first; none of a very common word."""
    if holding(archive, f'"{word}"', _TOO_COMMON) == _TOO_COMMON:
        return []
    return archive.rows(
        "SELECT m.key, m.text FROM words JOIN speech m ON m.key = words.rowid "
        "JOIN identities i ON i.key = m.author "
        "WHERE words MATCH ? AND i.is_self ORDER BY m.sent_at DESC LIMIT ?",
        (f'"{word}"', _LOOKED_AT),
    )
