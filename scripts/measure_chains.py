"""Chained facts: one message says who somebody is to the owner, another, of their own, answers.

    python scripts/measure_chains.py [--model NAME_OR_GGUF] [--json]

Twenty pairs in wordings of their own, none of which a lesson of the starter has, stand among chatter in an
archive. served: both messages are among the memories shown; answer: that of the other person is. right: the
reply holds the value. In another archive the messages that say who somebody is are missing: there, a reply
that holds the value is a guess.
"""

import argparse
import json
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from persona import config
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_engine, open_memory
from persona.lab.ab.generate import small_talk

OWNER = "Ada Winter"
BEGAN = datetime(2025, 1, 6, 8, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chain:
    """Who a role means, as the owner says it; what they say of themselves; and what is asked."""

    name: str
    bond: str
    told: str
    question: str
    value: str


CHAINS = tuple(
    Chain(*row)
    for row in (
        ("Ruslan", "my flatmate Ruslan is away until Friday", "I play the bassoon in a small orchestra",
         "Which instrument does your flatmate play?", "bassoon"),
        ("Odile", "Odile is my sister and she knows best", "I moved to Trieste and the sea is right there",
         "Where does your sister live?", "Trieste"),
        ("Benno", "my boss is called Benno, not Bernd", "these days I drive a magenta van",
         "What colour is your boss's van?", "magenta"),
        ("Marit", "saw my dentist Marit at the pool", "my cat is called Thistledown",
         "What is your dentist's cat called?", "Thistledown"),
        ("Caspar", "my landlord Caspar came to look at the tap", "I grew up in Zadar, by the harbour",
         "In which town did your landlord grow up?", "Zadar"),
        ("Ylva", "had a long call with my cousin Ylva", "I started at Quillon on Monday",
         "Which company does your cousin work for?", "Quillon"),
        ("Joris", "my neighbour Joris took the parcel", "I bake rye bread every Saturday",
         "What does your neighbour bake?", "rye"),
        ("Tomke", "Tomke is my brother, of course I worry", "they say I am allergic to halloumi",
         "What is your brother allergic to?", "halloumi"),
        ("Safiya", "Safiya is my best friend since school", "I am learning Basque, two words a day",
         "Which language is your best friend learning?", "Basque"),
        ("Noemi", "my teacher Noemi says I hold the pen wrong", "my favourite tree is the hornbeam",
         "What is the favourite tree of your teacher?", "hornbeam"),
        ("Arvid", "my uncle Arvid fixed the radio", "I was born in Husum, in a storm",
         "Where was your uncle born?", "Husum"),
        ("Pilar", "my aunt is called Pilar and she sings", "I only ever drink rooibos",
         "What does your aunt drink?", "rooibos"),
        ("Lena", "my colleague Lena left early again", "I collect old sextants",
         "What does your colleague collect?", "sextants"),
        ("Emre", "my partner is Emre, you have met", "my train always leaves from platform 104",
         "From which platform does the train of your partner leave?", "104"),
        ("Greta", "Greta is my hairdresser and my hero", "I married in Gdynia, on the pier",
         "Where did your hairdresser marry?", "Gdynia"),
        ("Otis", "my nephew Otis is taller than me now", "my first concert was Kestrel Moon",
         "What was your nephew's first concert?", "Kestrel Moon"),
        ("Vera", "my coach Vera counts very slowly", "I take my holidays in Lugo each year",
         "Where does your coach take holidays?", "Lugo"),
        ("Iman", "my sister's husband Iman did all the cooking", "I am reading The Long Ferry again",
         "What is your sister's husband reading?", "The Long Ferry"),
        ("Kolja", "my grandfather is called Kolja like his own", "I sold the boat for 915 euros",
         "For how much did your grandfather sell the boat?", "915"),
        ("Wanda", "my tutor Wanda has a new office", "I work in the library on Thursdays",
         "On which day does your tutor work in the library?", "Thursday"),
    )
)  # fmt: skip


def lines(seed: int, *, bonds: bool) -> Iterator[dict[str, Any]]:
    """An archive of 400 messages of small talk with every chain's messages among them, in random order."""
    rng = random.Random(seed)
    people = [OWNER, *(chain.name for chain in CHAINS)]
    said = [(chain.name, chain.told) for chain in CHAINS]
    said += [(OWNER, chain.bond) for chain in CHAINS] if bonds else []
    said += [(rng.choice(people), next(small_talk(rng))) for _ in range(400)]
    rng.shuffle(said)
    for n, (author, text) in enumerate(said):
        when = BEGAN + timedelta(hours=23 * n)
        yield {"sent_at": when.isoformat(), "author": author, "text": text, "conversation": f"#{n % 7}"}


@contextmanager
def engine(seed: int, model: str, *, bonds: bool) -> Iterator[Engine]:
    """The twin of such an archive, in a temporary home."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PERSONA_HOME"] = folder
        export = Path(folder) / "export.jsonl"
        export.write_text("".join(json.dumps(line) + "\n" for line in lines(seed, bonds=bonds)))
        with closing(open_memory(config.load())) as memory:
            memory.ingest([export], me=[OWNER], day_first=True)
            memory.embed_pending()
        with closing(open_engine(config.load(), model=model)) as opened:
            yield opened


def ask(opened: Engine, chain: Chain) -> dict[str, Any]:
    """One question in a chat of its own: what was shown, and what came."""
    events = list(opened.turn(TurnRequest(chain.question, thinking=False, seed=1, now=NOW)))
    ready = next(e for e in events if isinstance(e, PromptReady))
    shown = "\n".join(message.content for message in ready.prompt.messages)
    reply = next(e for e in events if isinstance(e, TurnFinished)).text
    answer = chain.told in shown
    return {
        "question": chain.question,
        "answer": answer,
        "served": answer and chain.bond in shown,
        "right": chain.value.casefold() in reply.casefold(),
        "reply": reply,
    }


def totals(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many of each."""
    return {key: sum(row[key] for row in rows) for key in ("answer", "served", "right")}


def main() -> None:
    """Ask in both archives and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {}
    for name, bonds in (("chained", True), ("without who it is", False)):
        with engine(0, given.model, bonds=bonds) as opened:
            found[name] = [ask(opened, chain) for chain in CHAINS]
    if given.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for name, rows in found.items():
        print(f"{name}, of {len(rows)}: {totals(rows)}")
        for row in rows:
            print("  ", "ok" if row["right"] else "--", row["question"], "→", row["reply"])


if __name__ == "__main__":
    main()
