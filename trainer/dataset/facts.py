"""Questions of fact that the archive answers: what people asked the owner, and what the owner told.

A question carries the owner's own words as its answer and the words that prove it was read. By rules, no
model. Knows nothing of prompts: the memory block is put around a question in `scenes`.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from knowledge.lexical import fold
from knowledge.records import StoredMessage
from knowledge.sentences import sentences
from knowledge.stopwords import STOP_WORDS
from knowledge.text import one_line
from persona.chat.style import language_of
from trainer.dataset.exchanges import Exchange
from trainer.dataset.rows import Category

DECISION = re.compile(
    r"\b(?:decid\w+|decision|(?:go|going|went) with|settled on|pick(?:ed)?|chose|choosing|i'll take"
    r"|we'll take|let's (?:go|take|do)|booked|signed up|bought|sold|switch(?:ed|ing) to|moving to|instead of"
    r"|entschieden|genommen|gebucht|gekauft|decidi|comprei|reservei|décidé|acheté|decidí|compré)\b",
    re.IGNORECASE,
)
DONT_KNOW = re.compile(
    r"\b(?:don['’]?t know|do not know|no idea|dunno|not sure|no clue|can['’]?t remember|keine ahnung"
    r"|weiß (?:ich )?nicht|não sei|sem ideia|je (?:ne )?sais pas|aucune idée|no (?:lo )?sé|ni idea)\b",
    re.IGNORECASE,
)
_PLAIN_DONT_KNOW = ("I don't know.", "I don't know that.", "No idea, I don't know.")

_ASKS: dict[str, tuple[str, ...]] = {
    "English": (
        "What did you say about {x}?",
        "what was it with {x}?",
        "Remind me, what about {x}?",
        "What do you know about {x}?",
    ),
    "German": ("Was hast du über {x} gesagt?", "wie war das mit {x}?"),
    "Portuguese": ("O que disseste sobre {x}?", "como era isso de {x}?"),
    "French": ("Qu'est-ce que tu as dit sur {x} ?", "c'était quoi, {x} ?"),
    "Spanish": ("¿Qué dijiste de {x}?", "¿cómo era lo de {x}?"),
}
_ASKS_DECISION: dict[str, tuple[str, ...]] = {
    "English": ("What did you decide about {x}?", "what did you do about {x} in the end?"),
}
_WORD = re.compile(r"[^\W_][\w'’-]*")
_LONGEST_WORDS = 40


@dataclass(frozen=True, slots=True)
class Question:
    """text: as somebody asks it. answer: the owner's words. holder: the message that holds them.
    expect: words of the answer that the question does not give away.
    """

    text: str
    answer: str
    holder: StoredMessage
    expect: tuple[str, ...]
    category: Category
    sources: tuple[str, ...]
    episode: str
    at: datetime


class Rarity:
    """How often words occur, to tell what a message is about."""

    def __init__(self, messages: Iterable[StoredMessage]) -> None:
        self._found: Counter[str] = Counter()
        self._messages = 0
        for m in messages:
            self._messages += 1
            self._found.update({fold(w) for w in _WORD.findall(m.text)})

    def telling(self, text: str) -> list[str]:
        """The words of `text` that few messages hold, rarest first."""
        most = max(3, self._messages // 200)
        words = {fold(w): w for w in reversed(_WORD.findall(text)) if len(w) > 3 or w.isdigit()}
        held = [(self._found[key], -len(word), word) for key, word in words.items() if "'" not in word]
        return [w for count, _, w in sorted(held) if count <= most and fold(w) not in STOP_WORDS]


def asked(exchanges: Iterable[Exchange], rarity: Rarity) -> Iterator[Question]:
    """Questions that somebody asked and the owner answered with something to know."""
    for exchange in exchanges:
        text = one_line(exchange.said.messages[-1].text)
        answer = exchange.reply.messages[0]
        reply = one_line(answer.text)
        if not text.endswith("?") or len(text.split()) < 4 or "?" in reply or DONT_KNOW.search(reply):
            continue
        if expect := _proof(rarity, reply, text):
            sources = (exchange.said.messages[-1].id, answer.id)
            yield Question(
                text, reply, answer, expect, _category(reply), sources, exchange.episode, answer.sent_at
            )


def told(messages: Iterable[StoredMessage], rarity: Rarity, rng: random.Random) -> Iterator[Question]:
    """Questions on what the owner said unasked: one for each message that has something to ask for."""
    for m in messages:
        said = [one_line(s) for s in sentences(m.text)]
        said = [s for s in said if 5 <= len(s.split()) <= _LONGEST_WORDS and not s.endswith("?")]
        if not said:
            continue
        sentence = max(said, key=lambda s: len(rarity.telling(s)))
        words = rarity.telling(sentence)
        if len(words) < 2:
            continue
        topic = words[0]
        expect = _proof(rarity, sentence, topic)
        if not expect:
            continue
        category = _category(sentence)
        language = language_of(sentence) or "English"
        asks = _ASKS_DECISION.get(language, _ASKS[language]) if category == "decision" else _ASKS[language]
        text = rng.choice(asks).format(x=topic)
        yield Question(text, sentence, m, expect, category, (m.id,), m.id, m.sent_at)


def dont_know_replies(own: Iterable[StoredMessage], lower: bool) -> Sequence[str]:
    """How the owner says that they do not know: short messages of their own, else plain words."""
    found: Counter[str] = Counter()
    for m in own:
        text = one_line(m.text)
        if len(text.split()) <= 5 and "?" not in text and DONT_KNOW.search(text):
            found[text] += 1
    own_words = [text for text, _ in found.most_common(3)]
    return [*own_words, *(p.lower().rstrip(".") if lower else p for p in _PLAIN_DONT_KNOW)]


def _proof(rarity: Rarity, answer: str, question: str) -> tuple[str, ...]:
    given = {fold(w) for w in _WORD.findall(question)}
    return tuple(w for w in rarity.telling(answer) if fold(w) not in given)[:3]


def _category(text: str) -> Category:
    return "decision" if DECISION.search(text) else "fact"
