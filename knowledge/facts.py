"""What people state about themselves, found by rules, with every relative date resolved when it was told.

A statement is a sentence, verbatim. What it settles is its attribute ("home", "sister: name"): a newer
statement on the same attribute is the one in force. Where several may hold at once ("I'm allergic to
nuts") there is no attribute, and nothing is ever superseded by a guess. English and German.
Knows nothing of where facts are kept.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from knowledge import timewords
from knowledge.lexical import terms
from knowledge.reldates import resolved
from knowledge.sentences import sentences

Origin = Literal["rules", "model", "user"]
"""Who found a statement; "user" for a correction."""

SURE, LIKELY, UNSURE = 0.9, 0.6, 0.4
"""Confidence in a statement whose attribute a rule names; in another that somebody makes of themselves; and
in any other assertion, or what a model picked out."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing told. text: the sentence. dated: the same with its relative dates resolved.
    attribute: what it settles, None where several may hold. confidence: 0 to 1."""

    text: str
    dated: str
    attribute: str | None
    confidence: float
    origin: Origin = "rules"


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement with its proof. subject: who told it of themselves, None for the owner.

    sources: ids of what proves it: a turn of a chat, with session_id and number; messages of the archive,
    with "" and 0. quotes: their words, where these are not `text`. told_at: when it was told; since: from
    when it holds, where a model was told that. valid_until, superseded_by: when it ended or was told
    otherwise, and by which fact; None while it holds. corrects: the fact it was written in place of. pinned:
    whether it is shown in every chat. model: the name of the one that found it, "" for rules and the user.
    """

    id: str
    subject: str | None
    attribute: str | None
    text: str
    dated: str
    sources: tuple[str, ...]
    session_id: str
    number: int
    told_at: datetime
    confidence: float
    origin: Origin
    valid_until: datetime | None = None
    superseded_by: str | None = None
    corrects: str | None = None
    pinned: bool = False
    model: str = ""
    since: datetime | None = None
    quotes: tuple[str, ...] = ()

    @property
    def valid_from(self) -> datetime:
        """From when it holds: the beginning of a past time that its words name ("since March 2023", "in
        2021"), else when it was told."""
        told_at = self.told_at.astimezone() if self.session_id else self.told_at
        return self.since or _begun(self.text, told_at) or self.told_at

    def is_about(self, name: str, owner: str) -> bool:
        """Whether `name` told it (`owner` is the owner's name), or stands in it as a whole word."""
        wanted = name.strip().casefold()
        told_by = (self.subject or owner).casefold()
        named = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", self.dated.casefold())
        return bool(wanted) and (wanted in (told_by, *told_by.split()) or named is not None)

    def as_json(self, owner: str) -> dict[str, Any]:
        """One row of `memory facts`; `owner` is the name to show for the owner."""
        return {
            "id": self.id,
            "subject": self.subject or owner,
            "attribute": self.attribute,
            "text": self.dated,
            "told_at": self.told_at.isoformat(),
            "valid_from": self.valid_from.isoformat(),
            "valid_until": self.valid_until.isoformat() if self.valid_until else None,
            "superseded_by": self.superseded_by,
            "corrects": self.corrects,
            "pinned": self.pinned,
            "confidence": self.confidence,
            "origin": self.origin,
            "model": self.model or None,
            "sources": [
                {"id": source, "session": self.session_id or None, "turn": self.number or None, "text": quote}
                for source, quote in zip(self.sources, self.quotes or (self.text,), strict=True)
            ],
        }


def statements(text: str, now: datetime) -> list[Statement]:
    """What the author of `text`, written at `now`, states of themselves; a sentence that settles
    several attributes gives one statement for each."""
    found: list[Statement] = []
    for sentence in sentences(text):
        if not tells(sentence):
            continue
        settled = list(dict.fromkeys(_attributes(sentence)))
        likely = bool(_REMEMBER.search(sentence)) or _states(sentence)
        if not settled and not likely and not _asserts(sentence):
            continue
        dated = resolved(sentence, now)
        found += [Statement(sentence, dated, attribute, SURE) for attribute in settled]
        if not settled:
            found.append(Statement(sentence, dated, None, LIKELY if likely else UNSURE))
    return found


def _begun(text: str, told_at: datetime) -> datetime | None:
    """When the first stretch of time begins that `text` dates itself by and that lay behind `told_at`."""
    for span in timewords.find(text, told_at):
        before = text[: text.index(span.said)]
        is_past = span.start and (span.end or span.start) <= told_at
        if is_past and (_DATING.search(before) or _DATES_ITSELF.search(span.said)):
            return span.start
    return None


def in_force(facts: Sequence[Fact]) -> list[Fact]:
    """`facts`, oldest first, with what each was superseded by: its correction, or the next on the same
    attribute of the same subject; what a model picked out supersedes nothing that is surer. Nothing stored is
    changed, so that taking one away brings back the one before."""
    following: dict[tuple[str | None, str], Fact] = {}
    guessed: dict[tuple[str | None, str], Fact] = {}
    corrected = {fact.corrects: fact for fact in facts if fact.corrects}
    found: list[Fact] = []
    for fact in reversed(facts):
        newer = corrected.get(fact.id)
        if fact.attribute is not None:
            about = fact.subject, fact.attribute
            if fact.origin == "model":
                newer = newer or guessed.get(about)
                guessed[about] = fact
            else:
                newer = newer or following.get(about)
                following[about] = guessed[about] = fact
        if newer is not None:
            until = fact.valid_until or newer.told_at
            fact = replace(fact, valid_until=until, superseded_by=newer.id)
        found.append(fact)
    return found[::-1]


def hashed_id(*parts: str | None) -> str:
    """The id of a fact, made of what it is known by."""
    made_of = "\n".join(map(str, parts))
    return f"f-{hashlib.sha256(made_of.encode()).hexdigest()[:10]}"


def cues(attribute: str | None) -> Iterable[str]:
    """Words by which a question may ask for an attribute besides those of the statement."""
    if attribute is None:
        return ()
    of, _, what = attribute.rpartition(": ")
    return (*terms(of), *_CUES.get(what, terms(what)))


_CUES = {
    "home": ("live", "lives", "living", "city", "town", "home", "address", "move", "moved", "reside"),
    "job": ("job", "work", "profession", "occupation", "earn"),
    "employer": ("work", "job", "company", "employer", "employed"),
    "age": ("old", "age"),
    "birth": ("born", "birthday", "birth"),
    "name": ("name", "called", "named"),
}

_NAMED_THINGS = (
    r"name|surname|nickname|username|birthday|age|height|weight|job|profession|employer|boss|doctor|dentist|"
    r"address|e-?mail(?: address)?|(?:phone |mobile |room |flat |locker |house )?number|postcode|zip code|"
    r"(?:shoe |ring |shirt )?size|blood type|star sign|pin|licen[cs]e plate|landlord|hometown|"
    r"(?:favou?rite|lucky|first|new) [\w -]{2,24}?"
)
_A_THING = r"(?P<of>(?!name\b)[\w-]+(?: [\w-]+){0,2}?)"
_IS = r"(?:\s+(?:is|was|are|will be)|['’]s|:)\s+(?:now\s+|still\s+)?"
_I = r"\b(?:i|we)"
_PLACE = r"(?!(?:the|a|an|my|our|another|bed|fear|peace|hope)\b)\w"


def _rule(pattern: str, attribute: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), attribute


_RULES = (
    _rule(rf"\bmy\s+{_A_THING}['’]s\s+(?P<what>{_NAMED_THINGS}){_IS}\w", "{of}: {what}"),
    _rule(rf"\bmy\s+{_A_THING}{_IS}(?:called|named)\s+\w", "{of}: name"),
    _rule(rf"\b(?:named|called)\s+(?-i:my|our|the)\s+{_A_THING}\s+(?=(?-i:[A-ZÀ-Þ]))", "{of}: name"),
    _rule(rf"\bmy\s+{_A_THING}\s+(?:now\s+)?(?:lives in|moved to)\s+{_PLACE}", "{of}: home"),
    _rule(rf"\bmy\s+{_A_THING}\s+(?:works (?:at|for))\s+\w", "{of}: employer"),
    _rule(rf"\bmy\s+{_A_THING}\s+works as\s+\w", "{of}: job"),
    _rule(rf"(?<!\bon )(?<!\bfor )(?<!\bat )\bmy\s+(?P<what>{_NAMED_THINGS}){_IS}\w", "{what}"),
    _rule(rf"{_I}(?:['’]ve| have)?(?: just| recently| finally)? moved to\s+{_PLACE}", "home"),
    _rule(rf"{_I}(?:['’]m| am|['’]re| are)?(?: now| currently)? (?:live|living) in\s+{_PLACE}", "home"),
    _rule(rf"{_I}(?:['’]m| am)?(?: now)? work(?:ing)? (?:at|for)\s+\w", "employer"),
    _rule(rf"{_I}(?:['’]m| am)?(?: now)? work(?:ing)? as\s+\w", "job"),
    _rule(r"\bi(?:['’]m| am| turned)\s+\d{1,3}(?:\s+years old|$|[.,!])", "age"),
    _rule(r"\bi was born\s+(?:on|in)\s+\w", "birth"),
    _rule(r"\b(?:call me|i(?:['’]m| am) called)\s+\w", "name"),
    _rule(r"\bich heiße\s+\w", "name"),
    _rule(r"\bich (?:wohne|lebe)(?: jetzt)? in\s+\w", "home"),
    _rule(r"\bich bin nach\s+\w+ gezogen", "home"),
    _rule(r"\bich arbeite(?: jetzt)? (?:bei|für)\s+\w", "employer"),
    _rule(r"\bmeine?r? (?P<of>[\w-]+) heißt\s+\w", "{of}: name"),
)

_REMEMBER = re.compile(
    r"\b(?:remember|note|don['’]t forget|keep in mind|for the record|just so you know|"
    r"merk dir|vergiss nicht)\b",
    re.IGNORECASE,
)
_NOT_TOLD = re.compile(
    r"\?\s*$|^\W*(?:if|what if|suppose|imagine|when|wenn|falls)\b|\b(?:i wish|would i|should i|can i|do i|"
    r"i don['’]t know|i wonder|remember (?:when|how|what))\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:my|mine|our|mein\w*|unser\w*)\s+\w|"
    r"\b(?:i|we)(?:['’](?:m|ve|d|re|ll)\b|\s+(?:just |also |really |always |never |only |finally )*(?:am|was|"
    r"have|had|got|own|bought|sold|adopted|love|like|hate|prefer|enjoy|play|speak|study|studied|drive|need|"
    r"decided|chose|plan|want|married|met|start|started|finish|finished|join|joined|quit|won|lost|found|"
    r"booked|paid|pay|owe|grew up|collect|keep|kept|take|took|wear|eat|drink|use|leave|left|lent|borrowed|"
    r"learn|learned|teach|taught|went|go|came|visit|visited|saw|read|wrote|made|built|broke|hid|parked|put|"
    r"named|called|will|can['’]?t|cannot|don['’]t|did|ordered|signed|switched|moved|live|work)\b)|"
    r"\b(?:ich)\s+(?:bin|habe|mag|hasse|liebe|brauche|spreche|spiele|will|werde|kann)\b",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\bi(?:['’]m| am)\s+(?:fine|good|ok|okay|well|tired|back|here|sure|sorry|glad|so|not sure|afraid|bored|"
    r"happy|hungry|great|done|confused|curious|wondering|asking|kidding|joking|going to bed)\b|"
    r"\bi (?:have|had|got) (?:a|another|one more|no) (?:question|idea|clue)\b|\bmy (?:bad|god|question)\b",
    re.IGNORECASE,
)
_DID = re.compile(
    r"\b(?:i|we|ich|wir)(?:['’](?:ve|d|ll))?\s+(?!(?:think|guess|suppose|wonder|hope|mean|see|know|agree|understand|"
    r"bet|feel|believe|hear|heard|say|said|thought|should|would|could|might|may|must|shall|do|did|does|glaube|"
    r"denke|weiß|hoffe|meine)\b)[a-zäöüß]{2,}",
    re.IGNORECASE,
)
_OF_SOMETHING = re.compile(
    r"^\W*(?:(?:by the way|btw|oh|well|so|also|and|ps)\b[,:]?\s+)?"
    r"(?:(?:the|our|his|her|their|der|die|das|unser\w*)\s+[\w’'-]+|"
    r"(?!(?:it|this|that|there|here|he|she|they|you|what|who)\b)(?-i:[A-ZÀ-Þ])[\w’'-]+(?:\s+[\w’'-]+)?\s+"
    r"(?:is|are|was|were|has|had|can|will|ist|war|hat|hid|sold|bought|gave|got|made|went|owns|lives|works|likes|"
    r"loves|hates|plays|comes|goes|needs|wants|costs|starts|leaves|wears|speaks|drives|eats|drinks|[a-z]{2,}ed)\b)",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r"\d|\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|june|july|"
    r"august|september|october|november|december)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<=[\w,] )[A-ZÀ-Þ][\w’'-]+")
_DATING = re.compile(r"\b(?:since|in|on|seit|im|am|ab)\s+(?:the\s+|dem\s+)?$", re.IGNORECASE)
_DATES_ITSELF = re.compile(
    r"^(?:on|am|last|letzte\w*|vergangene\w*|yesterday|the day before|gestern|vorgestern|vor)\b|\bago$",
    re.IGNORECASE,
)
"""What says that something was at a time; a bare number may be any."""

_SHORT = 10
"""Words up to which a plain sentence about something asserts one thing."""

_LEAST_TERMS = 1


def tells(sentence: str) -> bool:
    """Whether a sentence states anything: no question, no supposition, not politeness alone."""
    return not _NOT_TOLD.search(sentence) and len(terms(sentence)) >= _LEAST_TERMS


def _states(sentence: str) -> bool:
    return bool(_STATES.search(sentence)) and not _PASSING.search(sentence)


def _asserts(sentence: str) -> bool:
    """Whether a sentence says what somebody did, or something of something: a date, a name, a number, or
    one thing in a few words."""
    if _PASSING.search(sentence):
        return False
    if _DID.search(sentence):
        return True
    telling = _MARKED.search(sentence) or _NAMED.search(sentence) or len(sentence.split()) <= _SHORT
    return bool(_OF_SOMETHING.search(sentence)) and bool(telling) and len(terms(sentence)) > _LEAST_TERMS


def _attributes(sentence: str) -> Iterator[str]:
    for pattern, attribute in _RULES:
        for match in pattern.finditer(sentence):
            named = {k: " ".join(v.casefold().split()) for k, v in match.groupdict().items() if v}
            yield attribute.format(**named)
