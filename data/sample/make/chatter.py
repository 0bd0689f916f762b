"""Everyday chatter around the hand-written talks, from patterns and word banks, seeded.

`core/chatter.txt` holds banks (`name = a | b`; `name@summer`, `name@winter` and `name@sea`, once Mira
draws sea charts, go before it), then patterns: `## place | label` (with `(local)` when `o` must live where
Mira does), and one line a message, `WHO: variant | variant`. WHO is `m` for Mira,
`o` for anybody, a letter for one person; `m?` may be left out, and everything after it then too.
`{bank}` is filled from its bank and keeps its value for the whole exchange; `{bank2}` is another value.
`13>text` follows only the first or third variant of the line before.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from data.sample.make.model import BY_CODE, CORE, OWNER, USERS, Line, Talk

FIRST, LAST = date(2024, 10, 4), date(2026, 10, 30)
_PORTO, _SEA = date(2025, 6, 16), date(2025, 9, 2)
_SLOT = re.compile(r"\{([a-z]+)(\d?)\}")
_TAG = re.compile(r"([1-9]+)>(.+)")
_TRIES = 40
_MIRA_STARTS = ("hm, ", "na ja, ", "schau, ", "pois, ")
_NEAR = {"graz": "jlt", "porto": "id"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to say a line. number: from 1. after: what it may follow, empty for all."""

    number: int
    text: str
    after: str = ""

    def follows(self, number: int) -> bool:
        """Whether it makes sense after that variant of the line before."""
        return not self.after or str(number) in self.after


@dataclass(slots=True)
class Pattern:
    """One kind of exchange: who may say which variants, in order."""

    place: str
    label: str
    turns: list[tuple[str, bool, list[Variant]]] = field(default_factory=list)


class Chatter:
    """A stream of exchanges without near-copies.

    taken: hand-written talks; no exchange starts within an hour of one in the same place.
    forbidden: strings (case folded) that no chatter may hold: the answers to the questions.
    """

    def __init__(self, seed: int, taken: Iterable[Talk], forbidden: Iterable[str]) -> None:
        self.rng = random.Random(seed)
        self.banks, self.patterns = _load()
        self.forbidden = tuple(word.casefold() for word in forbidden)
        self.said: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.busy: dict[str, list[datetime]] = {}
        for talk in taken:
            self.busy.setdefault(talk.place, []).append(talk.at)
            self.said.update(line.text.casefold() for line in talk.lines)

    def talks(self, messages: int) -> list[Talk]:
        """About `messages` messages, spread over all days."""
        found: list[Talk] = []
        total = failed = 0
        days = (LAST - FIRST).days + 1
        while total < messages:
            day = FIRST + timedelta(days=self.rng.randrange(days))
            if talk := self._exchange(day):
                found.append(talk)
                total += len(talk.lines)
                continue
            failed += 1
            if failed > messages * 20:
                raise RuntimeError("the banks are too small for so many messages without copies")
        return found

    def _exchange(self, day: date) -> Talk | None:
        pattern = self._pattern(day)
        other = self._other(pattern, day)
        place = f"dm:{BY_CODE[other].handle}" if pattern.place == "dm" else f"#{pattern.place}"
        at = self._moment(place, day)
        if at is None:
            return None
        values: dict[str, str] = {}
        lines: list[Line] = []
        number = 0
        for who, optional, variants in pattern.turns:
            if optional and self.rng.random() < 0.4:
                break
            author = other if who == "o" else who
            fitting = [variant for variant in variants if variant.follows(number)]
            found = self._text(author, fitting, values, day)
            if found is None:
                return None
            number, text = found
            lines.append(Line(author, text, edited=self.rng.random() < 0.015))
        self.said.update(line.text.casefold() for line in lines)
        self.used[pattern.label] += 1
        self.busy.setdefault(place, []).append(at)
        return Talk(place, at, place.startswith("#") and self.rng.random() < 0.4, lines)

    def _pattern(self, day: date) -> Pattern:
        """One of three at random: the least used, so that all kinds get their share."""
        fitting = [p for p in self.patterns if self._fits(p, day)]
        return min(self.rng.sample(fitting, 3), key=lambda p: self.used[p.label])

    def _fits(self, pattern: Pattern, day: date) -> bool:
        people = {who for who, _, _ in pattern.turns if who != "o"}
        here = all(BY_CODE[who].since <= day.isoformat() for who in people)
        return here and (pattern.place != "porto" or day >= _PORTO)

    def _other(self, pattern: Pattern, day: date) -> str:
        near = _NEAR["porto" if day >= _PORTO else "graz"] if pattern.label.endswith("(local)") else ""
        people = [u for u in USERS if u is not OWNER and u.since <= day.isoformat()]
        present = [u.code for u in people if not near or u.code in near]
        return self.rng.choice(present)

    def _moment(self, place: str, day: date) -> datetime | None:
        minute = self.rng.randrange(7 * 60, 21 * 60)
        at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
        near = timedelta(minutes=75)
        return None if any(abs(at - other) < near for other in self.busy.get(place, ())) else at

    def _text(
        self, author: str, variants: Sequence[Variant], values: dict[str, str], day: date
    ) -> tuple[int, str] | None:
        """A variant not said too often: its number and it, filled; `values` gains what was chosen."""
        for _ in range(_TRIES if variants else 0):
            trial = dict(values)
            variant = self.rng.choice(variants)
            text = self._fill(variant.text, trial, day)
            text = self._voice(author, text)
            folded = text.casefold()
            often = 3 if len(text.split()) < 3 else 2 if len(text.split()) < 6 else 1
            if self.said[folded] < often and not any(word in folded for word in self.forbidden):
                values.update(trial)
                return variant.number, text
        return None

    def _fill(self, variant: str, values: dict[str, str], day: date) -> str:
        """The variant with its slots filled; `values` gains the new ones."""
        for name, number in _SLOT.findall(variant):
            if name + number not in values:
                free = [v for v in self._bank(name, day) if v not in values.values()]
                values[name + number] = self.rng.choice(free)
        return _SLOT.sub(lambda slot: values[slot[1] + slot[2]], variant)

    def _bank(self, name: str, day: date) -> list[str]:
        """The words for this time of year and of Mira's life."""
        eras = ["summer" if 5 <= day.month <= 9 else "winter", *(["sea"] if day >= _SEA else [])]
        fitting = (self.banks.get(f"{name}@{era}") for era in eras)
        return next((bank for bank in fitting if bank), None) or self.banks[name]

    def _voice(self, author: str, text: str) -> str:
        """The small habits by which one knows who writes."""
        chance = self.rng.random()
        if author == OWNER.code:
            text = text if text.startswith("https") else text[0].lower() + text[1:]
            plain = not text.startswith(tuple(s[:2] for s in _MIRA_STARTS)) and not text.startswith("http")
            return self.rng.choice(_MIRA_STARTS) + text if plain and chance < 0.05 else text
        text = text[0].upper() + text[1:] if not text.startswith(("http", "@")) else text
        if author == "l" and text.endswith(".") and chance < 0.6:
            return text[:-1] + "!!"
        if author == "i" and text.endswith(".") and chance < 0.6:
            return text[:-1] + "!"
        if author == "k" and chance < 0.15:
            return "Yo. " + text
        if author == "j" and chance < 0.1:
            return "Haha. " + text
        return text


def _load() -> tuple[dict[str, list[str]], list[Pattern]]:
    banks: dict[str, list[str]] = {}
    patterns: list[Pattern] = []
    for row in (CORE / "chatter.txt").read_text("utf-8").splitlines():
        if not row.strip() or row.startswith(("# ", "@")):
            continue
        if row.startswith("## "):
            place, _, label = row[3:].partition(" | ")
            patterns.append(Pattern(place, label))
        elif patterns:
            who, _, variants = row.partition(": ")
            patterns[-1].turns.append((who[0], who.endswith("?"), _variants(variants)))
        else:
            name, _, values = row.partition(" = ")
            banks[name] = values.split(" | ")
    return banks, patterns


def _variants(row: str) -> list[Variant]:
    found = []
    for number, text in enumerate(row.split(" | "), 1):
        tagged = _TAG.fullmatch(text)
        found.append(Variant(number, tagged[2], tagged[1]) if tagged else Variant(number, text))
    return found
