"""Extractive compression: what folded turns said, in their own sentences.

Every line is a sentence of the turn it cites, verbatim, so that names and numbers are right by
construction. No model is called. Knows nothing of the store or the prompt.

    - (turn 3) user: my dog is called Rufus
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from knowledge.sentences import sentences
from knowledge.text import one_line
from persona.chat.lines import Line, covers, speaker_of
from persona.chat.turns import Summary, Turn

SHARE = 0.2
"""Tokens of a summary for each token folded."""

LEAST_USER, LEAST_REPLY = 1.3, 3.0
"""Scores from which a sentence is worth its tokens."""

_LEAST_WORDS = 2
"""Content words, politeness apart, that a sentence needs to tell anything: "I'm vegan"."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence that tells a fact. text: the same with its relative dates resolved, as it is served."""

    text: str
    confidence: float


Facts = Mapping[tuple[str, str], Told | None]
"""What is known of sentences, by turn id and sentence; None where a newer fact has superseded one."""

_NO_FACT = Told("", 0.0)

_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_NUMBER = re.compile(r"\d")
_NAME = re.compile(r"(?<=[\w,;:)] )[A-ZÀ-Þ][\w’'-]+")
_DATE = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    r"yesterday|tomorrow|birthday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)\b",
    re.IGNORECASE,
)
_SELF = re.compile(
    r"\b(?:i|i'm|i’m|i've|i’ve|i'd|i’d|my|mine|we|our|ich|mein\w*|wir|eu|meu|minha|je|j'\w+|mon|ma|yo|mi)\b",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(?:decid\w*|chose\w*|will|going to|plan\w*|agreed?|because|so that|prefer\w*|hate|love|never|always|"
    r"is called|named|remember|entschied\w*|weil|porque|parce que)\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"(?:\W*\b(?:hi|hey|hello|hallo|hola|olá|salut|thanks?|thank you|danke|obrigad[ao]|merci|ok|okay|cool|"
    r"nice|great|sure|yes|no|yeah|yep|nope|good (?:morning|evening|night)|how are you|bye|see you|noted|"
    r"got it|never mind|lol|haha)\b)+",
    re.IGNORECASE,
)
_NOT_KNOWN = re.compile(
    r"\b(?:don't|don’t|do not|doesn't) know\b|\bno idea\b|\bstarter model\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    order: int
    turn: Turn
    line: Line
    words: frozenset[str]
    score: float
    confidence: float


def extract(
    turns: Sequence[Turn],
    tokens: int,
    count: Callable[[str], int],
    facts: Facts | None = None,
    told: Sequence[Line] = (),
    standing: Sequence[Line] = (),
) -> list[Line]:
    """The telling sentences of `turns` as cited lines in their order, at most `tokens` in all.

    `count` gives the tokens of a text. told: lines on the same turns, whose content is not said again;
    standing: lines on earlier ones, which are not repeated. Empty when nothing was telling, or nothing fits.
    """
    chosen: list[_Candidate] = []
    covered: set[str] = set()
    left = tokens
    # The surest facts first, then the user's own words: a reply mostly repeats what the archive holds.
    ranked = sorted(
        _candidates(turns, facts or {}),
        key=lambda c: (-c.confidence, c.turn.role != "user", -c.score, c.order),
    )
    for candidate in ranked:
        line = candidate.line
        cost = count(f"{line}\n")
        known = candidate.words <= covered or any(
            covers(other, line.text) for other in told if set(line.numbers) & set(other.numbers)
        )
        if cost <= left and not known and not _repeats(candidate, standing):
            chosen.append(candidate)
            covered |= candidate.words
            left -= cost
    return [c.line for c in sorted(chosen, key=lambda c: c.order)]


def next_merge(standing: Sequence[Summary]) -> list[Summary]:
    """Those to merge next: all of the lowest level that has several, else the two oldest.

    Merging by rank keeps the work small: what was said is read again once for each doubling of the
    chat, not with every fold.
    """
    levels = Counter(s.level for s in standing)
    shared = [level for level, n in levels.items() if n > 1]
    if not shared:
        return list(standing[:2])
    return [s for s in standing if s.level == min(shared)]


def _candidates(turns: Sequence[Turn], facts: Facts) -> Iterable[_Candidate]:
    spoken = [(turn, sentence) for turn in turns for sentence in sentences(turn.text)]
    seen = Counter(word for _, sentence in spoken for word in _content(sentence))
    for order, (turn, sentence) in enumerate(spoken):
        key = (turn.id, sentence)
        told = facts.get(key, _NO_FACT)
        if told is None:
            continue
        words = _content(sentence)
        score = _telling(sentence, words, seen)
        if told.confidence or score >= (LEAST_USER if turn.role == "user" else LEAST_REPLY):
            line = Line((turn.number,), speaker_of(turn), one_line(told.text or sentence))
            yield _Candidate(order, turn, line, words, score, told.confidence)


def _repeats(candidate: _Candidate, standing: Sequence[Line]) -> bool:
    """Whether it says what a line far up says: a reply in other words, the user word for word.

    A fact told again is told anew: it may have become true again after another.
    """
    if candidate.turn.role != "user":
        return any(covers(line, candidate.line.text) for line in standing)
    return not candidate.confidence and any(candidate.words <= _content(line.text) for line in standing)


def _telling(sentence: str, words: frozenset[str], seen: Counter[str]) -> float:
    """How much a sentence tells that the rest of the chat would miss; 0 when it can go."""
    polite = _POLITE.match(sentence)
    telling = _content(sentence[polite.end() :]) if polite else words
    if len(telling) < _LEAST_WORDS or sentence.endswith("?") or _NOT_KNOWN.search(sentence):
        return 0.0
    score = 0.0
    score += 2.0 * bool(_NUMBER.search(sentence))
    score += 2.0 * min(2, len(_NAME.findall(sentence)))
    score += 1.0 * bool(_DATE.search(sentence))
    score += 1.5 * bool(_SELF.search(sentence))
    score += 1.5 * bool(_DECISION.search(sentence))
    score += 0.3 * sum(1 for w in words if seen[w] == 1 and len(w) > 4)
    # A long sentence takes the room of several.
    return score / (1 + len(words) / 30)


def _content(sentence: str) -> frozenset[str]:
    return frozenset(w for w in (m.casefold() for m in _WORD.findall(sentence)) if len(w) > 2) | frozenset(
        re.findall(r"\d+", sentence)
    )
