"""A long conversation with facts in it, drawn from a seed: what is told, and what is asked about it later.

Every turn is 60 to 120 tokens long: 67 to 91 in Qwen3's vocabulary, 76 to 101 in the starter's. Each fact
is told once, in a turn of its own among small talk, and asked for in other words 1 to nearly `turns` turns
later; ages are spread evenly over groups, as far as the turns reach. No value is
told twice, nor occurs in the small talk.
"""

import random
from collections.abc import Iterator
from typing import Any

from persona.errors import PersonaError

CHARACTERS = (300, 400)
"""Shortest and longest turn."""

RELATIONS = (
    "sister brother cousin aunt neighbour boss dentist flatmate godson grandmother landlord barber".split()
)

# What is told of somebody, what is asked later, and the values, none of them a part of another.
_FACTS: tuple[tuple[str, str, str], ...] = (
    (
        "My {who}'s name is {v}.",
        "What is my {who} called?",
        "Lena Arvid Tomke Ruslan Pilar Odile Benno Marit Joris Safiya Ylva Caspar Noemi",
    ),
    (
        "My {who} lives in {v} these days.",
        "In which town is my {who} living?",
        "Aveiro Kassel Utrecht Malmö Trieste Bergen Gdynia Ostrava Delft Lugo Husum Zadar Turku",
    ),
    (
        "My {who} works at {v} now.",
        "Which company is my {who}'s employer?",
        "Norvik Tessera Halden Quillon Brambati Ostertag Vandermeer Lumio Kestrel Fjordline Orbex Zentara",
    ),
    (
        "My {who} is allergic to {v}.",
        "What is my {who} allergic to?",
        "okra tahini persimmons halloumi kohlrabi salsify lychees plantain mackerel buckwheat cashews celery",
    ),
    (
        "My {who} is learning to play the {v}.",
        "Which instrument is my {who} learning?",
        "accordion harp oboe banjo cello trombone zither bassoon marimba mandolin clarinet tuba",
    ),
    (
        "The phone number of my {who} ends in {v}.",
        "How does the phone number of my {who} end?",
        "1203 1340 1477 1614 1751 1888 2025 2162 2299 2436 2573 2710",
    ),
)

_TALK = (
    "It rained the whole way to the {a} and nobody had an umbrella with them.",
    "The bakery on the corner was closed again, so there were no rolls this morning.",
    "I spent {n} minutes waiting at the {a}, and in the end they could not help.",
    "Somebody left a {b} in the hallway and nobody knows whose it is.",
    "The film last night was far too long, but the music in it was lovely.",
    "We should go for a walk by the river when the weather gets better.",
    "I tried the soup from the new place, it needed salt and some lemon.",
    "The {a} sent a letter about the {b}, and it was {n} pages long.",
    "My back hurts from carrying the {b} up all those stairs.",
    "There is a concert in the {a} on Sunday, with {n} tickets left.",
    "I keep forgetting to water the basil, and it looks quite sad by now.",
    "The meeting took ages, and in the end we decided to meet again.",
    "The lift is broken, so it was {n} steps with the {b} on my shoulder.",
    "I read half of the book and then fell asleep with the light on.",
    "The queue at the {a} went around the whole block, so I gave up.",
)
_PLACES = "library|town hall|gym|cinema|market|theatre|clinic|post office|school|museum".split("|")
_OBJECTS = "suitcase|ladder|bicycle|pram|toolbox|mattress|armchair|aquarium|bookcase|wardrobe".split("|")
_AGES = (10, 25, 50, 100, 100_000)

MOST_PROBES = len(RELATIONS) * len(_FACTS)


def script(
    turns: int = 200, probes: int = 60, seed: int = 0, *, replies: bool = False
) -> list[dict[str, Any]]:
    """The lines of a script. Raises PersonaError when so many facts do not fit into so few turns.

    replies: give every turn a reply of small talk, as long as itself, in place of the model's own.
    """
    if probes > min(MOST_PROBES, turns - 1):
        raise PersonaError(
            f"{probes} probes are too many for {turns} turns",
            f"at most one a turn, and {MOST_PROBES} in all",
        )
    rng = random.Random(seed)
    facts = _facts(rng, probes)
    told = dict(zip(_told(rng, turns, probes), facts, strict=True))
    asked: dict[int, list[dict[str, Any]]] = {}
    # asked in the order told, with the ages taken in turn, so that every age is as frequent where it fits
    for place, (n, (_, question, value)) in enumerate(sorted(told.items())):
        group = place % len(_AGES)
        low = _AGES[group - 1] if group else 0
        age = min(rng.randint(low + 1, max(low + 1, min(_AGES[group], turns - n))), turns - n)
        row = {"probe": question, "expect": [value], "from_turn": n}
        asked.setdefault(n + age, []).append(row)
    lines: list[dict[str, Any]] = []
    heard = random.Random(f"replies {seed}")
    for n in range(1, turns + 1):
        statement = told[n][0] if n in told else None
        line = {"user": _turn(rng, statement)}
        lines.append(line | {"reply": _turn(heard, None)} if replies else line)
        lines += asked.get(n, [])
    return lines


def _told(rng: random.Random, turns: int, probes: int) -> list[int]:
    """The turns that tell a fact: drawn from all but the last, so that each can be asked for later."""
    return rng.sample(range(1, turns), probes)


def _facts(rng: random.Random, most: int) -> list[tuple[str, str, str]]:
    """Statement, question and value of each fact."""
    found = []
    for statement, question, values in _FACTS:
        drawn = rng.sample(values.split(), len(RELATIONS))
        found += [
            (statement.format(who=who, v=v), question.format(who=who), v)
            for who, v in zip(RELATIONS, drawn, strict=True)
        ]
    return rng.sample(found, most)


def _turn(rng: random.Random, statement: str | None) -> str:
    shortest, longest = CHARACTERS
    parts = [statement] if statement else []
    for sentence in small_talk(rng):
        length = len(" ".join([*parts, sentence]))
        if length <= longest:
            parts.append(sentence)
        if length >= shortest:
            break
    rng.shuffle(parts)
    return " ".join(parts)


def small_talk(rng: random.Random) -> Iterator[str]:
    """Sentences that tell nothing anybody will ask for, each form once."""
    for form in rng.sample(_TALK, len(_TALK)):
        yield form.format(a=rng.choice(_PLACES), b=rng.choice(_OBJECTS), n=rng.randint(12, 99))
