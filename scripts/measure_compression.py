"""What each way of folding remembers, and what it costs: 20 facts told in the first ten turns of a chat of
60, asked for after its end, with the archive switched on and off.

    python scripts/measure_compression.py [--model NAME_OR_GGUF] [--home DIR] [--seeds 3] [--json]

Recall is told twice: the value is in the prompt (what compression can do), and in the reply (what the model
makes of it). A probe is a turn of its own that is deleted afterwards. Without --home the sample twin is
prepared in a temporary one. Same seeds, same model: same figures.
"""

import argparse
import json
import random
import statistics
import sys
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

from sample_home import home

from persona import config
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_engine
from persona.config import Compression

TURNS, TOLD_IN, A_TURN = 60, 10, 2
START = datetime.fromisoformat("2026-11-02T09:00:00+00:00")

NAMES = "Lena Arvid Tomke Ruslan Pilar Odile Benno Marit Joris Safiya Henk Ylva Caspar Noemi Dario".split()
TOWNS = "Aveiro Kassel Utrecht Malmö Graz Trieste Bergen Gdynia Ostrava Delft Lugo Pau Husum Zadar".split()
COMPANIES = "Norvik Tessera Halden Quillon Brambati Ostertag Vandermeer Lumio Kestrel Fjordline".split()
THINGS = "telescope kayak accordion loom pottery-wheel typewriter unicycle harp terrarium sextant".split()
FOODS = "okra tahini persimmons halloumi kohlrabi salsify lychees plantain mackerel buckwheat".split()
COLOURS = "teal ochre crimson indigo turquoise magenta olive maroon".split()
NUMBERS = [str(n) for n in range(1203, 9800, 137)]

# What is told, what is asked later in other words, and from what the value is drawn.
FACTS: tuple[tuple[str, str, list[str]], ...] = (
    ("My sister's name is {v}.", "What is my sister called?", NAMES),
    ("I moved to {v} in the spring.", "Which town do I live in?", TOWNS),
    ("I work at {v} now.", "Which company is my employer?", COMPANIES),
    ("My dog is called {v}.", "What's the name of my dog?", NAMES),
    ("I'm allergic to {v}.", "What am I allergic to?", FOODS),
    ("My favourite colour is {v}.", "Which colour do I like best?", COLOURS),
    ("The door code of my flat is {v}.", "What's the code for my door?", NUMBERS),
    ("I bought a {v} at the flea market.", "What did I buy at the flea market?", THINGS),
    ("My boss is {v}, by the way.", "Who is my boss?", NAMES),
    ("We got married in {v}.", "Where did we get married?", TOWNS),
    ("My train leaves from platform {v}.", "From which platform does my train leave?", NUMBERS),
    ("I'm learning to play the {v}.", "What am I learning to play?", THINGS),
    ("Please remember that the plumber is {v}.", "Who was the plumber again?", NAMES),
    ("My brother studies in {v}.", "In which town does my brother study?", TOWNS),
    ("I can't stand {v}.", "Which food can't I stand?", FOODS),
    ("My neighbour {v} waters the plants.", "Who waters my plants?", NAMES),
    ("I was born in {v}.", "Where was I born?", TOWNS),
    ("My old car was {v}.", "What colour was my old car?", COLOURS),
    ("I lent Ida {v} euros.", "How much did I lend Ida?", NUMBERS),
    ("The startup I invested in is {v}.", "Which startup did I invest in?", COMPANIES),
)

CHATTER = (
    "It rained the whole way to the {a} and nobody had an umbrella.",
    "The bakery on the corner was closed again, so there were no rolls this morning.",
    "I spent {n} minutes on the phone with the {a}, and they could not help.",
    "Somebody left a {b} in the hallway and nobody knows whose it is.",
    "The film last night was far too long, but the music in it was lovely.",
    "We should go for a walk by the river when the weather gets better.",
    "I tried the soup from the new place, it needed salt and some lemon.",
    "The {a} sent a letter about the {b}, {n} pages of it.",
    "My back hurts from carrying the {b} up all those stairs.",
    "There is a concert in the {a} on Sunday, with {n} tickets left.",
    "I keep forgetting to water the basil, it looks quite sad by now.",
    "The meeting took ages, and in the end we decided to meet again.",
)
PLACES = "library town hall gym cinema market theatre clinic post office school museum".split(" ")
OBJECTS = "suitcase ladder bicycle pram guitar case toolbox mattress armchair aquarium".split(" ")
QUESTIONS = ("What do you think?", "How was your day?", "Any plans for the weekend?", "", "", "")


@dataclass(frozen=True, slots=True)
class Probe:
    """A question on a fact told in turn `told`."""

    question: str
    value: str
    told: int


@dataclass(slots=True)
class Figures:
    """What one arm gave over all seeds. tokens: of the prompt, by turn of the chat."""

    in_prompt: int = 0
    in_reply: int = 0
    asked: int = 0
    tokens: list[int] = field(default_factory=list)
    probe_tokens: list[int] = field(default_factory=list)
    summaries: dict[str, int] = field(default_factory=dict)
    dropped: int = 0


def script(seed: int) -> tuple[list[str], list[Probe]]:
    """The user's messages of one chat, and what is asked after it."""
    rng = random.Random(seed)
    facts = rng.sample(FACTS, TOLD_IN * A_TURN)
    messages, probes, used = [], [], set[str]()
    for turn in range(1, TURNS + 1):
        parts = [_chatter(rng) for _ in range(rng.randint(1, 3))]
        for told, question, values in facts[(turn - 1) * A_TURN : turn * A_TURN]:
            value = rng.choice([v for v in values if v not in used])
            used.add(value)
            parts.insert(rng.randint(0, len(parts)), told.format(v=value))
            probes.append(Probe(question, value, turn))
        messages.append(" ".join([*parts, rng.choice(QUESTIONS)]).strip())
    return messages, probes


def _chatter(rng: random.Random) -> str:
    slots = {"a": rng.choice(PLACES), "b": rng.choice(OBJECTS), "n": rng.randint(12, 99)}
    return rng.choice(CHATTER).format(**slots)


def run(engine: Engine, compression: Compression, memory: bool, seed: int, figures: Figures) -> None:
    """One chat and its probes under one arm."""
    messages, probes = script(seed)
    session = engine.sessions.create(f"{compression} {seed}")
    for n, text in enumerate(messages):
        now = START + timedelta(hours=n)
        request = TurnRequest(
            text, session.id, compression=compression, memory=memory, seed=seed + n, now=now
        )
        ready, _ = _turn(engine, request)
        figures.tokens.append(ready.tokens)
        engine.idle(session.id)
    for probe in probes:
        request = TurnRequest(
            probe.question,
            session.id,
            thinking=False,
            compression=compression,
            memory=memory,
            seed=seed,
            now=START + timedelta(hours=TURNS),
        )
        ready, done = _turn(engine, request)
        shown = "\n".join(m.content for m in ready.prompt.messages)
        figures.asked += 1
        figures.in_prompt += probe.value in shown
        figures.in_reply += probe.value.casefold() in done.text.casefold()
        figures.probe_tokens.append(ready.tokens)
        asked = next(t for t in reversed(engine.sessions.turns(session.id)) if t.role == "user")
        engine.sessions.delete_turn(asked.id)
    for summary in engine.sessions.all_summaries(session.id):
        figures.summaries[summary.made_by] = figures.summaries.get(summary.made_by, 0) + 1
        figures.dropped += summary.dropped


def _turn(engine: Engine, request: TurnRequest) -> tuple[PromptReady, TurnFinished]:
    events = list(engine.turn(request))
    [ready] = [e for e in events if isinstance(e, PromptReady)]
    [done] = [e for e in events if isinstance(e, TurnFinished)]
    return ready, done


def main() -> None:
    """Measure every arm and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", help="a catalogue name or a GGUF; the one in the settings when left out")
    parser.add_argument("--home", type=Path, help="a home with an archive; it gets the chats of this run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(get_args(Compression)))
    parser.add_argument("--archive", choices=("on", "off", "both"), default="both")
    parser.add_argument("--reply-tokens", type=int, default=64, help="longest reply")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, Figures] = {}
    with home(given.home):
        settings = config.load()
        chat = settings.chat.model_copy(update={"reply_tokens": given.reply_tokens})
        settings = settings.model_copy(update={"chat": chat})
        with closing(open_engine(settings, model=given.model)) as engine:
            for arm in given.arms.split(","):
                for memory in {"on": (True,), "off": (False,), "both": (True, False)}[given.archive]:
                    name = f"{arm}, archive {'on' if memory else 'off'}"
                    figures = found.setdefault(name, Figures())
                    for seed in range(given.seeds):
                        run(engine, arm, memory, 100 * seed, figures)
                    print(f"{name}: done", file=sys.stderr)
    if given.json:
        print(json.dumps({name: asdict(figures) for name, figures in found.items()}, indent=2))
        return
    print("| arm | in the prompt | in the reply | prompt tokens, median (most) | at a probe | summaries |")
    print("|---|---|---|---|---|---|")
    for name, f in found.items():
        made = ", ".join(f"{n} {by}" for by, n in sorted(f.summaries.items())) or "none"
        print(
            f"| {name} | {f.in_prompt}/{f.asked} | {f.in_reply}/{f.asked} | "
            f"{statistics.median(f.tokens):.0f} ({max(f.tokens)}) | "
            f"{statistics.median(f.probe_tokens):.0f} | "
            f"{made}; {f.dropped} lines dropped |"
        )


if __name__ == "__main__":
    main()
