"""Where a question says that something was said: a channel, a group, a mail's subject, a whole source."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

from knowledge.archive import Archive
from knowledge.importers import registry
from knowledge.lexical import fold, terms

SAID_FOR = {
    "mail": "email", "mailed": "email", "emailed": "email", "note": "notes", "journal": "notes",
    "diary": "notes", "notiz": "notes", "notizen": "notes", "tagebuch": "notes",
}  # fmt: skip
"""Words for a source beside its name."""

_ANYBODYS = {"signal", "messenger", "claude", "git"}
"""Sources whose names are words or people's, too: they need a preposition ("on Signal", "to Claude")."""

_SOURCES = [name for name in registry.names() if name != "generic"]
_ON = r"(?:on|in|over|via|per|through|from|by|to|with|auf|uber|bei|aus|mit)"
A_PLACE = {"channel", "group", "chat", "thread", "kanal", "gruppe", "gruppenchat"}
"""Words beside which a conversation's name may be a single word."""

_LONGEST = 8
"""Words of a conversation's name that are looked for at most."""


class _Known(NamedTuple):
    """The conversations of an archive by their name in folded words, each with key and name as written."""

    version: str | None
    named: Mapping[str, Sequence[tuple[int, str]]]


_known: "WeakKeyDictionary[Archive, _Known]" = WeakKeyDictionary()
_guard = threading.Lock()


def sources(query: str) -> dict[str, str]:
    """The sources that a question names, each under the folded words that name it."""
    text = " ".join(_words(query))
    found = {word: SAID_FOR[word] for word in text.split() if word in SAID_FOR}
    for name in _SOURCES:
        said = name.replace("-", " ")
        before = rf"\b{_ON} (?:the )?" if name in _ANYBODYS else r"\b"
        if re.search(rf"{before}{said}\b", text):
            found[said] = name
    return found


def conversations(archive: Archive, query: str) -> dict[int, str]:
    """Conversations that a question names, by key: by their whole name where it has two telling words or
    more, else with a `#` before it or a word such as "group" beside it. One named after people is theirs."""
    named, words = _conversations(archive), _words(query)
    whole = [said for said in _in_a_row(words) if said in named and len(terms(said)) > 1]
    return {key: name for said in (*whole, *_marked(query)) for key, name in named.get(said, ())}


def _in_a_row(words: Sequence[str]) -> Iterator[str]:
    for size in range(2, _LONGEST + 1):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def _marked(query: str) -> Iterator[str]:
    """`#off-topic`, "the off-topic channel", "group Familie"."""
    whole = re.findall(r"[\w-]+", query)
    for one, other in pairwise(whole):
        if fold(one) in A_PLACE or fold(other) in A_PLACE:
            yield " ".join(_words(other if fold(one) in A_PLACE else one))
    for marked in re.findall(r"#([\w-]+)", query):
        yield " ".join(_words(marked))


def _conversations(archive: Archive) -> Mapping[str, Sequence[tuple[int, str]]]:
    """Read once for each state of the archive: mail alone may have a hundred thousand subjects."""
    version = archive.version()
    with _guard:
        known = _known.get(archive)
        if known is None or known.version != version:
            known = _known[archive] = _Known(version, _read(archive))
    return known.named


def _read(archive: Archive) -> dict[str, list[tuple[int, str]]]:
    people = {word for (alias,) in archive.rows("SELECT alias FROM aliases") for word in _words(alias)}
    named: dict[str, list[tuple[int, str]]] = {}
    for key, name in archive.rows("SELECT key, name FROM conversations WHERE name NOT LIKE '@%'"):
        # Discord's are `#general in SERVER`
        words = _words(name.partition(" in ")[0] if name.startswith("#") else name)
        if words and len(words) <= _LONGEST and not people.issuperset(words):
            named.setdefault(" ".join(words), []).append((key, name))
    return named


def _words(text: str) -> list[str]:
    return [fold(word) for word in re.findall(r"\w+", re.sub(r"['’]s\b", "", text))]
