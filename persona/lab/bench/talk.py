"""Seeded talk of no meaning: histories, an archive, and questions that it answers."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

OWNER = "Ada Quill"
START = datetime.fromisoformat("2026-11-02T09:00:00+00:00")
_FIRST = datetime.fromisoformat("2024-01-01T08:00:00+00:00")
_WORDS = (
    "river window letter green kitchen walk Tuesday train paper music garden table morning bread bicycle "
    "street winter story coffee harbour lamp music friend neighbour quiet market summer book rain salt"
).split()
_NAMES = "Lena Arvid Tomke Ruslan Pilar Odile Benno Marit Joris Safiya Henk Ylva Caspar Noemi Dario".split()
# So many that none of them is in a large part of the messages: what everyone says is no evidence.
_PLACES = (
    "locker drawer cupboard box basket shelf trunk cabinet crate folder suitcase chest bucket sack barrel "
    "tin pouch rucksack wardrobe cellar attic shed garage pantry safe"
).split()
_A_TALK = 40


def said(rng: random.Random, least: int = 30, most: int = 70) -> str:
    """A fact and so many words after it."""
    words = " ".join(rng.choice(_WORDS) for _ in range(rng.randint(least, most)))
    return f"My friend {rng.choice(_NAMES)} likes number {rng.randint(100, 999)}. {words.capitalize()}."


def question(messages: int, number: int) -> str:
    """A question that one message of an archive of so many answers."""
    return f"What do we keep in {_place(number * 37 % messages)}?"


def write_archive(file: Path, messages: int) -> None:
    """An archive in the form for everything else: JSON Lines, one message a line. A longer one begins with
    the messages of a shorter one."""
    rng = random.Random(0)
    with file.open("w", encoding="utf-8") as out:
        for number in range(messages):
            row = {
                "id": str(number),
                "sent_at": (_FIRST + timedelta(minutes=7 * number)).isoformat(),
                "author": rng.choice([OWNER, *_NAMES[:8]]),
                "conversation": f"talk {number // _A_TALK}",
                "text": f"In {_place(number)} we keep the {rng.choice(_WORDS)}. {said(rng, 4, 20)}",
            }
            out.write(json.dumps(row) + "\n")


def _place(number: int) -> str:
    """A place of a name that occurs once."""
    return f"{_PLACES[number % len(_PLACES)]} K{10_007 * (number + 1)}"
