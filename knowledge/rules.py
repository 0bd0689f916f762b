"""What a question says about who, where and when: a bonus for the messages that fit.

Rules only raise a message's score; none of them hides one, because people tell of things later, of
each other, and in the wrong channel.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from knowledge import kin, places, timewords
from knowledge.archive import Archive, moment
from knowledge.lexical import fold
from knowledge.timeline import HOUR, best

if TYPE_CHECKING:
    from knowledge.timeline import Bools, Floats, Ints, Part

NAMED_PERSON = 0.1
NAMED_PERSON_SHARE = 0.4
OWN_WORDS = 0.25
NAMED_PLACE = 0.2
IN_TIME = 0.5
SOON_AFTER = 0.25
NEWEST = 0.01
NEWEST_WHEN_NOW = 0.05
A_QUESTION = ADDRESSED = -0.2
"""What fitting is worth, in the unit of the ranking: a cosine of 1 is a perfect match by meaning. What
a named person said also gains a share of its score, for a name alone is little evidence. A message that
asks proves nothing, however much it looks like the question; the one after it may. One that tells and asks
back loses the share that asks. One that calls the person by name is said to them, not of them."""

_LOOKED_AT = 60
"""Best matches whose text is looked at."""

AS_GOOD = 0.95
AS_GOOD_WHEN_NOW = 0.75
"""Share of the best score from which statements of one person count as equally good answers: of
these the newest is right, unless the question is about the past."""

_DAY = 24 * HOUR
TOLD_WITHIN = 14 * _DAY
"""How long after something people mostly tell of it."""

_YEAR = 365 * _DAY
_YOU = {"you", "your", "yours", "yourself", "du", "dein", "deine", "deinen", "deiner", "dich", "dir", "ihr"}
_NOW = re.compile(
    r"\b(?:now|nowadays|currently|these days|at the moment|at present|still|latest|today|inzwischen|jetzt|"
    r"heute|momentan|zurzeit|aktuell)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:did|was|were|had|ever|used to|first|before|earlier|originally|"
    r"war|warst|waren|hast|hatte|früher)\b",
    re.IGNORECASE,
)
_KIN = re.compile(r"\b(?:your|my|deine?[nmr]?|meine?[nmr]?)\s+(\w+)\s+(\w+)", re.IGNORECASE)
"""What somebody is to the owner, before their name: "your brother Emil"."""

_GREETING = "(?:hey|hi|hello|oh|dear|hallo|liebe[rs]?)"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question names. people, places: archive keys of identities and conversations.

    sources: by name. called: the words that named the people, with whom. names: those that named any of
    these. spans: times. you: it is about the owner. now: it asks for the present state. past: for what was.
    bond: the key of the message that says whom the question means, where it does not name them.
    """

    people: dict[int, str] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    called: Mapping[str, Set[int]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    spans: tuple[timewords.Span, ...] = ()
    you: bool = False
    now: bool = False
    past: bool = False
    bond: int | None = None

    @property
    def several(self) -> bool:
        """Whether it names people who cannot be the same."""
        return any(one.isdisjoint(other) for one, other in combinations(self.called.values(), 2))


def without_now(query: str) -> str:
    """`query` without "these days" and the like: they ask for the newest, and match any talk of days."""
    return _NOW.sub(" ", query)


def read(archive: Archive, query: str, now: datetime) -> Reading:
    """What `query`, asked at `now`, names of who, where and when."""
    words = [fold(w) for w in re.findall(r"\w+", re.sub(r"['’]s\b", "", query))]
    people, named, bond = _people(archive, query, words)
    conversations = places.conversations(archive, query)
    sources = {said: source for said, source in places.sources(query).items() if said not in named}
    where = {fold(w) for name in (*conversations.values(), *sources) for w in re.findall(r"\w+", name)}
    return Reading(
        people=people,
        places=conversations,
        sources=frozenset(sources.values()),
        called=named,
        names=frozenset({*named, *where, *(places.A_PLACE if conversations else ())}),
        spans=tuple(timewords.find(query, now)),
        you=not _YOU.isdisjoint(words),
        now=bool(_NOW.search(query)),
        past=bool(_PAST.search(query)),
        bond=bond,
    )


def apply(archive: Archive, reading: Reading, part: "Part", now: datetime, score: "Floats") -> "Floats":
    """`score`, raised for each message of the part by what it fits of the question."""
    import numpy as np

    age = np.maximum(0, micro(now) - part.sent) / _YEAR
    gain = (NEWEST_WHEN_NOW if reading.now else NEWEST) * np.exp(-age)
    if reading.people:
        theirs = np.isin(part.author, list(reading.people))
        gain[theirs] += NAMED_PERSON + NAMED_PERSON_SHARE * score[theirs]
    if reading.you:
        gain[part.own] += OWN_WORDS
    gain += A_QUESTION * part.asking
    where = set(reading.places)
    if reading.sources:
        marks = ",".join("?" * len(reading.sources))
        sql = f"SELECT key FROM conversations WHERE source IN ({marks})"
        where |= {key for (key,) in archive.rows(sql, tuple(reading.sources))}
    if where:
        gain[np.isin(part.conversation, list(where))] += NAMED_PLACE
    for span in reading.spans:
        gain += timely(span, part)
    return np.asarray(score + gain)


def timely(span: timewords.Span, part: "Part") -> "Floats":
    """What each message of the part gains from when it was sent."""
    import numpy as np

    inside, after = within(span, part.sent)
    gain: Floats = np.where(inside, IN_TIME, np.where(after, SOON_AFTER, 0.0))
    return gain


def addressed_last(archive: Archive, reading: Reading, part: "Part", score: "Floats") -> "Floats":
    """`score`, lowered for the best matches that others said to a named person ("emil! come home")."""
    import numpy as np

    if not reading.called:
        return score
    name = "(?:" + "|".join(map(re.escape, sorted(reading.called))) + r")\b"
    calls = re.compile(rf"^\W*(?:{_GREETING}\s+)?{name}\s*[!,:]|,\s*{name}\s*(?:[.!?]|$)|@{name}")
    first = best(score, _LOOKED_AT)
    first = first[~np.isin(part.author[first], list(reading.people))]
    said = archive.by_key(part.key[first].tolist())
    lowered = score.copy()
    lowered[[p for p in first if calls.search(fold(said[int(part.key[p])].text))]] += ADDRESSED
    return lowered


def newest_first(reading: Reading, part: "Part", score: "Floats") -> "Floats":
    """`score` with the best places of equally good statements of one person changed: the newest first."""
    import numpy as np

    said = np.isin(part.author, list(reading.people)) if reading.people else part.own & reading.you
    said &= ~part.asks
    if reading.spans or (reading.past and not reading.now) or not said.any():
        return score
    share = AS_GOOD_WHEN_NOW if reading.now else AS_GOOD
    alike = np.flatnonzero(said & (score >= share * score[said].max()))
    changed = score.copy()
    changed[alike[np.argsort(-part.sent[alike])]] = -np.sort(-score[alike])
    return changed


def within(span: timewords.Span, sent: "Ints") -> tuple["Bools", "Bools"]:
    """Which times, in microseconds, are in a span, and which so soon after that they may tell of it."""
    import numpy as np

    start = micro(span.start) if span.start else np.iinfo(np.int64).min
    end = micro(span.end) if span.end else np.iinfo(np.int64).max - TOLD_WITHIN
    return (sent >= start) & (sent < end), (sent >= end) & (sent < end + TOLD_WITHIN)


def micro(when: datetime) -> int:
    """Microseconds since 1970, as the archive stores times."""
    return int((when - moment(0)).total_seconds() * 1_000_000)


def _people(
    archive: Archive, query: str, words: Iterable[str]
) -> tuple[dict[int, str], dict[str, set[int]], int | None]:
    """Identities one of whose names occurs in the question, or whom it calls by what they are to the owner;
    the words that named them, each with whom; the message that tells the latter.

    Names need a capital unless all is small.
    """
    capitals = query != query.lower()
    said = {fold(w) for w in re.findall(r"\w+", query) if w[0].isupper()} if capitals else set(words)
    bearers: dict[str, dict[int, str]] = {}
    for identity, alias in archive.rows("SELECT identity, alias FROM aliases WHERE alias NOT LIKE '%@%'"):
        for name in _first_and_last(alias):
            bearers.setdefault(name, {})[identity] = alias
    names = {name: bearers[name] for name in said & bearers.keys()}
    for relation, name in _KIN.findall(query):
        if fold(name) in names:
            names[fold(relation)] = names[fold(name)]
    bond = None if names else kin.find(archive, query, bearers)
    if bond:
        names = {word: dict(bond.people) for word in bond.words}
    found = {identity: alias for people in names.values() for identity, alias in people.items()}
    return found, {name: set(people) for name, people in names.items()}, bond.key if bond else None


@lru_cache(maxsize=10_000)
def _first_and_last(alias: str) -> frozenset[str]:
    """The parts of a name that may stand for it, folded."""
    parts = [fold(p) for p in re.findall(r"\w+", alias)] if ":" not in alias else []
    return frozenset(p for p in parts[:1] + parts[-1:] if len(p) > 2)
