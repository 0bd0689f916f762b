"""How somebody writes, measured over their messages: languages, length, case, emoji, openers.

Simple counts, no model. Knows nothing of the archive or the card.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

LEAST_LANGUAGE_SHARE = 0.03
"""A language counts as spoken from this share of the messages that could be told apart."""

_STOP_WORDS = {
    "English": "the and you that is it to of in was for on are with have this but not what they be at do i'm",
    "German": "der die das und ich nicht ist ein eine zu mit auf für von den wir aber auch noch wie wenn",
    "Portuguese": "não que uma com para eu você mas está por isso muito também já foi um os são meu minha",
    "French": "le la les des est pas je et une pour que dans vous mais avec sur ce qui c'est j'ai nous au",
    "Spanish": "el los una que no es y por para con pero está muy lo como más ya yo hay también las eso",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in _STOP_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)

# Every sentence may start with these; starting with them is no habit.
_PLAIN_OPENERS = frozenset(
    "i a an my we our he she they his her there here if when where what how why who which no one some "
    "all can could will would did does has had let please as at by from or then after before because".split()
)

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_EMOJI = re.compile(
    "[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2764](?:\ufe0f)?(?:\u200d[\U0001f300-\U0001faff\u2640\u2642]\ufe0f?)*"
)
_URL = re.compile(r"\S+://\S+")


@dataclass(frozen=True, slots=True)
class Style:
    """Measures over `messages` messages.

    languages: share of each among the messages that could be told apart, largest first.
    words: median words a message. lower, dots, shouts: shares of messages that start in lower case,
    end with a full stop, end with an exclamation mark. emoji: share with any; favourites: the most
    used. openers: (word, share of messages that start with it), habits only.
    """

    messages: int
    languages: dict[str, float]
    words: float
    lower: float
    dots: float
    shouts: float
    emoji: float
    favourites: tuple[str, ...]
    openers: tuple[tuple[str, float], ...]


def language_of(text: str) -> str | None:
    """The language most stop words of `text` vote for; None when they are too few or undecided."""
    votes = Counter(
        language
        for word in _WORD.findall(text.casefold())
        for language in _LANGUAGES_OF.get(word.replace("’", "'"), ())
    )
    ranked = votes.most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def measure(texts: Iterable[str]) -> Style | None:
    """The style of `texts`, None when there are none with words."""
    lengths: list[int] = []
    languages: Counter[str] = Counter()
    openers: Counter[str] = Counter()
    emoji: Counter[str] = Counter()
    habits: Counter[str] = Counter()
    for text in texts:
        text = _URL.sub("", text).strip()
        words = _WORD.findall(text)
        if not words:
            continue
        lengths.append(len(words))
        if language := language_of(text):
            languages[language] += 1
        first = words[0]
        opener = first.casefold()
        habits["lower"] += first[0].islower()
        habits["dots"] += text.endswith(".")
        habits["shouts"] += text.endswith("!")
        if len(words) > 1 and opener not in _LANGUAGES_OF and opener not in _PLAIN_OPENERS:
            openers[opener] += 1
        found = _EMOJI.findall(text)
        habits["emoji"] += bool(found)
        emoji.update(found)
    if not lengths:
        return None
    n = len(lengths)
    told = languages.total() or 1
    return Style(
        messages=n,
        languages={name: count / told for name, count in languages.most_common()},
        words=median(lengths),
        lower=habits["lower"] / n,
        dots=habits["dots"] / n,
        shouts=habits["shouts"] / n,
        emoji=habits["emoji"] / n,
        favourites=tuple(mark for mark, _ in emoji.most_common(3)),
        openers=tuple((word, count / n) for word, count in openers.most_common(3)),
    )


def languages_line(style: Style) -> str:
    """`English, some German`: the main languages, then those that are only used here and there."""
    spoken = {name: s for name, s in style.languages.items() if s >= LEAST_LANGUAGE_SHARE}
    main = [name for name, s in spoken.items() if s >= 0.25]
    some = [f"some {name}" for name in spoken if name not in main]
    return ", ".join(main + some)


def style_line(style: Style) -> str:
    """`short messages (median 8 words), mostly lower case, few emoji`: what stands out, in words."""
    words = round(style.words)
    parts = [f"short messages (median {words} words)" if words <= 12 else f"median {words} words a message"]
    if style.lower >= 0.6:
        parts.append("mostly lower case")
    elif style.lower <= 0.15:
        parts.append("proper sentences" if style.dots >= 0.4 else "capitals at the start")
    if style.dots <= 0.1:
        parts.append("rarely a full stop")
    if style.shouts >= 0.2:
        parts.append("many exclamation marks")
    if style.emoji < 0.01:
        parts.append("no emoji")
    elif style.emoji < 0.1:
        parts.append("few emoji")
    else:
        parts.append("emoji often (" + " ".join(style.favourites) + ")")
    habits = [f"“{word}”" for word, share in style.openers if share >= 0.02]
    if habits:
        parts.append("often starts with " + " or ".join(habits[:2]))
    return ", ".join(parts)
