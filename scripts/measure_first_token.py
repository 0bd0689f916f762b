"""Time to the first token after 5, 60 and 200 turns of one chat, its idle work done.

    python scripts/measure_first_token.py MODEL.gguf [--runs 9] [--turns 5,60,200] [--compression extractive]

Histories are constructed: seeded turns of 60 to 120 tokens, stored and folded as they come, never
generated. Each run asks the same question, which is deleted afterwards, and waits for the prefill of the
history. The archive is empty and switched off: what retrieval costs is told by measure_turn.py. Prints
medians, and the ratio to the shortest chat.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

from persona import config
from persona.backends.base import TextDelta, Usage
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_engine

START = datetime.fromisoformat("2026-11-02T09:00:00+00:00")
QUESTION = "What should we cook tonight?"
WORDS = (
    "river window letter green kitchen walk Tuesday train paper music garden table morning bread bicycle "
    "street winter story coffee harbour lamp music friend neighbour quiet market summer book rain salt"
).split()
NAMES = "Lena Arvid Tomke Ruslan Pilar Odile Benno Marit Joris Safiya Henk Ylva Caspar Noemi Dario".split()


def construct(engine: Engine, turns: int) -> str:
    """A chat of so many exchanges, folded on the way; its session id."""
    rng = random.Random(turns)
    session = engine.sessions.create(f"{turns} turns")
    for number in range(turns):
        asked = engine.sessions.add_user(session.id, _said(rng))
        engine.facts.learn([asked])
        engine.sessions.add_reply(session.id, asked.number, text=_said(rng), status="complete")
        if number % 8 == 7:
            engine.idle(session.id, prefill=False)
    return session.id


def _said(rng: random.Random) -> str:
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(30, 70)))
    return f"My friend {rng.choice(NAMES)} likes number {rng.randint(100, 999)}. {words.capitalize()}."


def first_token(engine: Engine, session_id: str, run: int) -> dict[str, float]:
    """Seconds to the first token of a reply, and the prompt it was for.

    Every run is on another day, so that no run finds its message in the cache from the one before.
    """
    request = TurnRequest(
        QUESTION,
        session_id,
        thinking=False,
        max_tokens=1,
        ignore_eos=True,
        seed=1,
        now=START + timedelta(days=run),
    )
    started = time.perf_counter()
    seconds = 0.0
    ready: PromptReady | None = None
    usage: Usage | None = None
    for event in engine.turn(request):
        if isinstance(event, TextDelta) and not seconds:
            seconds = time.perf_counter() - started
        elif isinstance(event, PromptReady):
            ready = event
        elif isinstance(event, TurnFinished):
            usage = event.usage
    whole = time.perf_counter() - started
    assert ready is not None
    assert usage is not None
    asked = next(t for t in reversed(engine.sessions.turns(session_id)) if t.role == "user")
    engine.sessions.delete_turn(asked.id)
    return {"seconds": seconds or whole, "prompt": usage.prompt_tokens, "cached": usage.cached_tokens}


def main() -> None:
    """Measure every length in turn and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--turns", default="5,60,200")
    parser.add_argument("--compression", default="extractive", choices=get_args(config.Compression))
    options = parser.parse_args()
    lengths = [int(n) for n in options.turns.split(",")]
    found: dict[int, list[dict[str, float]]] = {n: [] for n in lengths}
    with tempfile.TemporaryDirectory() as home:
        os.environ["PERSONA_HOME"] = home
        settings = config.load()
        chat = settings.chat.model_copy(update={"compression": options.compression})
        memory = settings.memory.model_copy(update={"enabled": False})
        settings = settings.model_copy(update={"chat": chat, "memory": memory})
        with closing(open_engine(settings, model=str(options.model.resolve()))) as engine:
            chats = {n: construct(engine, n) for n in lengths}
            for n, session_id in chats.items():
                for run in range(options.runs):
                    engine.idle(session_id)
                    found[n].append(first_token(engine, session_id, run))
    shortest = statistics.median(r["seconds"] for r in found[lengths[0]])
    for n, runs in found.items():
        medians = {key: statistics.median(r[key] for r in runs) for key in ("seconds", "prompt", "cached")}
        ratio = medians["seconds"] / shortest
        print(json.dumps({"turns": n, **medians, "ratio": round(ratio, 3)}))


if __name__ == "__main__":
    main()
