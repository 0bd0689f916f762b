"""Times told by what happened ("before I moved", "after the wedding", "when Noor was ill"), found by rules.

Only the words are read here; whether it happened, and when, is looked for among what people said. English and
German. What people do again and again ("after work", "when it rains") is no event, nor is a question for the
time itself ("when did you move?", "do you know when he left?").
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from knowledge import inflection, timewords
from knowledge.lexical import fold, terms

Relation = Literal["before", "after", "about"]

ABOUT = timedelta(days=7)
"""How long before and after "when I was ill" is meant."""

_RELATIONS: dict[str, Relation] = {
    "before": "before", "bevor": "before", "vor": "before", "after": "after", "since": "after",
    "nachdem": "after", "nach": "after", "seit": "after", "when": "about", "als": "about",
}  # fmt: skip
_WITH_A_THING = ("before", "after", "since", "vor", "nach", "seit")
_OWN = {
    "i": "you", "we": "you", "me": "you", "us": "you", "my": "your", "our": "your", "ich": "du", "wir": "du",
    "mein": "dein", "meine": "deine", "meiner": "deiner", "meinem": "deinem", "meinen": "deinen",
    "unser": "dein", "unsere": "deine", "unserer": "deiner", "unserem": "deinem",
}  # fmt: skip
"""Words for the owner, each with the one that a question to the owner has for it."""

_THEM = {"he", "she", "they", "er", "sie"}
_SUBJECTS = {"i", "we", "you", "ich", "wir", "du", *_THEM}
_THE = {"the", "his", "her", "their", "der", "dem", "die", "das", *_OWN, *_OWN.values()} - _SUBJECTS
_PAST = {
    *"was were had did got went gave said made saw left put quit let".split(),
    *"war warst waren hatte hattest hatten wurde wurdest wurden zog umzog kam ging fand".split(),
    *"habe hast haben bin bist".split(),
    *(form for group in inflection.GROUPS for form in group[1:]),
}
_DOING = re.compile(r"(?!(?:morn|even|spr|everyth|noth|someth)ing$)[a-z]{3,}ing$")

_CLAUSE = re.compile(
    rf"\b(?P<relation>{'|'.join(_RELATIONS)})\s+(?P<clause>[^\W_][^,;:?!.()]*)", re.IGNORECASE
)
_LOOKS_AFTER = re.compile(
    r"\b(?:look(?:s|ed|ing)?|named?|called|takes?|took|ask(?:s|ed|ing)?|runs?|goes)\s+$", re.IGNORECASE
)
_ASKS_WHEN = re.compile(
    r"\b(?:know|knew|tell|told|remember|forg[eo]t|sure|exactly|ask|asked|say|said|me|us|wonder)\s+$",
    re.IGNORECASE,
)
"""What stands before "after your dog" and "when you moved" where these tell no time."""

_NOT = r"(?:n['’]t|\b(?:not|never|nicht|nie))\W+(?:\w+\W+){0,2}?"


@dataclass(frozen=True, slots=True)
class Event:
    """said: the words in the question, "before I moved". told: what to look for, "you moved", with the name
    of whoever "she" is."""

    said: str
    told: str
    relation: Relation

    def span(self, when: datetime) -> timewords.Span:
        """The time that is meant, where it happened on the day of `when`."""
        start = when.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=1)
        if self.relation == "before":
            return timewords.Span(None, start, self.said)
        if self.relation == "after":
            return timewords.Span(start, None, self.said)
        return timewords.Span(start - ABOUT, end + ABOUT, self.said)


def find(question: str, now: datetime, named: Collection[str] = ()) -> Event | None:
    """The first event that tells a time in `question`; None where there is none, or a calendar says it.

    named: folded names of people in the question, for one of whom "she" may stand.
    """
    for match in _CLAUSE.finditer(question):
        clause, relation = match["clause"].strip(), match["relation"].lower()
        before, after = question[: match.start()], question[match.end() :]
        if _is_event(clause, relation, before, after) and not timewords.find(match[0], now):
            return Event(match[0].strip(), _told(clause, named), _RELATIONS[relation])
    return None


def is_denied(text: str, words: Iterable[str]) -> bool:
    """Whether `text` says that one of these folded words did not happen ("I haven't moved yet")."""
    stems = "|".join(re.escape(word[: max(4, len(word) - 3)]) for word in words)
    return bool(re.search(f"{_NOT}(?:{stems})", fold(text)))


def _is_event(clause: str, relation: str, before: str, after: str) -> bool:
    tells_no_time = _ASKS_WHEN if _RELATIONS[relation] == "about" else _LOOKS_AFTER
    if not terms(clause) or tells_no_time.search(before):
        return False
    first, *rest = re.findall(r"\w+(?:['’]s\b)?", clause)
    is_thing = fold(first) in _THE or first.endswith(("'s", "’s"))
    is_subject = fold(first) in _SUBJECTS or first[0].isupper()
    if _is_past(rest):
        return is_thing or is_subject
    if relation == "seit" and is_subject:
        return True
    happened = is_thing or bool(_DOING.match(first))
    is_past = relation == "since" or _is_past(re.findall(r"\w+", before + after))
    return relation in _WITH_A_THING and happened and is_past


def _is_past(words: Iterable[str]) -> bool:
    folded = [fold(word) for word in words]
    return any(word in _PAST or (word.endswith("ed") and len(word) > 3) for word in folded)


def _told(clause: str, named: Collection[str]) -> str:
    """The clause as a question to the owner has it, with a name in place of "she"."""
    name = min(named).title() if named else ""

    def instead(word: re.Match[str]) -> str:
        folded = fold(word[0])
        return name if name and folded in _THEM else _OWN.get(folded, word[0])

    return re.sub(r"\w+", instead, clause)
