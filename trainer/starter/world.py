"""Random people, values and chat lines: the world that one lesson is set in.

Names, places and values are drawn anew for every lesson, half of them invented from syllables, so that
a model trained on lessons has to read its context: there is nothing to learn by heart.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from knowledge.records import Memory, Neighbour
from trainer.starter.bank import Bank

_SLOT = re.compile(r"\{(\w+)\}")
_ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr r s sh st t tr v w z".split()
_VOWELS = "a a e e i o o u ai ea ou".split()
_CODAS = ["", "", "n", "r", "l", "s", "nd", "rk", "x", "m", "th", "ck"]
_INVENTED = frozenset(
    "city street first_name surname person company product pet_name book film band song game brand app place "
    "project".split()
)
_ACCENTED = "äöüßéèêëáàâãåæçñíîïóôõøúûýšžłćğıőœÄÖÜÉÁÅÇŠ"
_SOURCES = (
    ("slack", ("#general", "#random", "#food", "#bikes", "#work", "#music", "@{p}", "#trips", "#home")),
    ("email", ("dinner", "the weekend", "invoice", "plans", "hello from here", "the flat", "your question")),
    ("notes", ("journal", "ideas", "trip", "kitchen", "health", "reading list", "2025 plan")),
    ("discord", ("#lobby", "#games", "#off-topic")),
)
_MONTHS = "January February March April May June July August September October November December".split()
_SPANS = ("minutes", "hours", "days", "weeks", "months", "years")
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True, slots=True)
class Line:
    """One thing somebody said. author None is the owner. echo: it only repeats a word of a question."""

    text: str
    author: str | None
    when: datetime
    source: str
    place: str
    echo: bool = False


@dataclass(slots=True)
class World:
    """A seeded source of everything random. One `World` serves one lesson.

    lexicon: pieces of words, best all that the tokenizer has: what is sprinkled over the lines, so that
    no token goes unseen and every one of them learns to be copied.
    """

    rng: random.Random
    bank: Bank
    lexicon: Sequence[str] = ()
    owner: str = ""
    people: tuple[str, ...] = ()
    now: datetime = field(default_factory=lambda: datetime(2025, 1, 1, tzinfo=UTC))

    def __post_init__(self) -> None:
        rng = self.rng
        self.now = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(8 * 365 * 1440))
        names: list[str] = []
        while len(names) < 7:
            name = self.value("first_name")
            if name.lower() not in (n.lower() for n in names):
                names.append(name)
        self.owner = f"{names[0]} {self.value('surname')}"
        style = rng.random()
        others = names[1:]
        if style < 0.3:
            others = [f"{n} {self.value('surname')}" for n in others]
        elif style < 0.4:
            others = [n.lower() for n in others]
        self.people = tuple(others)

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.rng.random() < p

    def value(self, kind: str) -> str:
        """A random value of a slot kind; names and titles are invented half of the time."""
        rng = self.rng
        numeric = self._numeric(kind)
        if numeric is not None:
            return numeric
        if kind == "person":
            return self.value("first_name")
        if kind in _INVENTED and rng.random() < 0.45:
            word = self.invented_word()
            return f"{word} {self.invented_word()}" if rng.random() < 0.15 else word
        return rng.choice(self.bank.values[kind])

    def invented_word(self) -> str:
        """A capitalised word nobody has seen."""
        rng = self.rng
        if self.lexicon and self.chance(0.4):
            return self.rare_word().capitalize()
        syllables = rng.choice((2, 2, 3))
        body = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables))
        return (body + rng.choice(_CODAS)).capitalize()

    def fill(self, template: str, **given: str) -> str:
        """`template` with its slots replaced, by `given` where named, else by random values."""
        return _SLOT.sub(lambda m: given.get(m[1]) or self.value(m[1]), template)

    def day_before(self, latest: datetime | None = None, within_days: int = 900) -> datetime:
        """A random moment in the time before `latest` (default: now)."""
        latest = latest or self.now - timedelta(days=1)
        return latest - timedelta(minutes=self.rng.randrange(1440, within_days * 1440))

    def line(self, text: str, author: str | None, when: datetime | None = None) -> Line:
        """A line in a random place."""
        source, places = self.rng.choice(_SOURCES)
        if source == "notes" and author is not None:
            source, places = _SOURCES[0]
        place = self.rng.choice(places).replace("{p}", self.rng.choice(self.people))
        return Line(text, author, when or self.day_before(), source, place)

    def chatter(self, when: datetime | None = None) -> Line:
        """An ordinary line with nothing worth asking."""
        author = None if self.chance(0.4) else self.rng.choice(self.people)
        return self.line(self.casual(self.fill(self.rng.choice(self.bank.chatter))), author, when)

    def sprinkled(self, text: str) -> str:
        """`text` with random words put in or after some of its own."""
        rng = self.rng
        words = text.split()
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            words.insert(rng.randint(0, len(words)), self.rare_word())
        return " ".join(words)

    def rare_word(self) -> str:
        """A word of the lexicon, or two or three of its pieces run together."""
        pieces = self.rng.choice((1, 1, 2, 3))
        word = "".join(self.rng.choice(self.lexicon) for _ in range(pieces))
        if self.chance(0.15):
            place = self.rng.randint(0, len(word))
            word = word[:place] + self.rng.choice(_ACCENTED) + word[place:]
        return word

    def casual(self, text: str) -> str:
        """`text` as people type: now and then without capital or full stop."""
        roll = self.rng.random()
        if self.lexicon and self.chance(0.2):
            text = self.sprinkled(text)
        if roll < 0.35:
            text = text[:1].lower() + text[1:]
        if roll < 0.5 and text.endswith("."):
            text = text[:-1]
        return text

    def _numeric(self, kind: str) -> str | None:
        rng = self.rng
        match kind:
            case "number":
                return str(rng.randint(2, 999) if self.chance(0.7) else rng.randint(1_000, 99_999))
            case "small_number":
                return str(rng.randint(2, 12))
            case "price":
                return rng.choice(("{} euros", "€{}", "{} bucks", "${}")).format(rng.randint(3, 2400))
            case "time":
                return rng.choice(
                    (
                        f"{rng.randint(1, 12)} {rng.choice(('am', 'pm'))}",
                        f"{rng.randint(6, 22)}:{rng.choice(('00', '15', '30', '45'))}",
                    )
                )
            case "weekday":
                return rng.choice(_WEEKDAYS)
            case "month":
                return rng.choice(_MONTHS)
            case "year":
                return str(rng.randint(1975, 2026))
            case "date":
                return f"{rng.randint(1, 28)} {rng.choice(_MONTHS)}"
            case "duration":
                return f"{rng.randint(2, 20)} {rng.choice(_SPANS)}"
            case "distance":
                return f"{rng.randint(2, 140)} {rng.choice(('km', 'kilometres', 'metres', 'miles'))}"
            case _:
                return None


def memories(
    world: World, clusters: Sequence[Sequence[Line]], hits: Sequence[int], ranks: Sequence[int]
) -> list[Memory]:
    """Clusters of lines said together, as the retriever serves them.

    In cluster i, line `hits[i]` is the match, of rank `ranks[i]`; the others are its neighbours.
    """
    served = []
    for number, (cluster, hit, rank) in enumerate(zip(clusters, hits, ranks, strict=True)):
        around = tuple(
            Neighbour(f"{number}.{i}", said.author or world.owner, said.author is None, said.when, said.text)
            for i, said in enumerate(cluster)
            if i != hit
        )
        said = cluster[hit]
        served.append(
            Memory(
                id=f"{number}.{hit}",
                text=said.text,
                author=said.author or world.owner,
                is_self=said.author is None,
                sent_at=said.when,
                source=said.source,
                conversation=said.place,
                conversation_id=said.place,
                rank=rank,
                score=1 / rank,
                why="",
                before=around,
            )
        )
    return served


def cluster_around(world: World, line: Line, size: int) -> tuple[list[Line], int]:
    """`line` among `size - 1` ordinary lines of the same hour; the cluster and the line's place in it."""
    place = world.rng.randrange(size)
    first = line.when - timedelta(minutes=3 * place)
    cluster = [replace(world.chatter(), when=first + timedelta(minutes=3 * i)) for i in range(size)]
    cluster[place] = line
    return cluster, place
