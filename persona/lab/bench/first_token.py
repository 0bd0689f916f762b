"""Time to the first token after so many turns of one chat, its idle work done, compression on and off.

Histories are constructed: seeded turns of 60 to 120 tokens, stored and folded as they come, never generated.
The archive is left out: what retrieval costs is told by the overhead.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from persona.backends.base import TextDelta, Usage
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest
from persona.lab.bench.talk import START, said

_QUESTION = "What should we cook tonight?"
_FOLD_EVERY = 8


@dataclass(frozen=True, slots=True)
class First:
    """One question: seconds to its first token, and what the backend counted."""

    seconds: float
    usage: Usage


def measure(
    engine: Engine, lengths: Sequence[int], runs: int, done: Callable[[int], object]
) -> list[dict[str, Any]]:
    """For each length the medians, in milliseconds, and the ratio to the first length.

    The engine's settings say how it compresses. done: called after each length with the tokens that
    its prompt had.
    """
    chats = {n: _construct(engine, n) for n in lengths}
    rows: list[dict[str, Any]] = []
    for turns, session_id in chats.items():
        found = []
        for run in range(runs):
            engine.idle(session_id)
            found.append(ask(engine, session_id, run))
        ttft = statistics.median(one.seconds for one in found) * 1000
        rows.append(
            {
                "turns": turns,
                "compression": engine.settings.chat.compression,
                "ttft_ms": round(ttft, 1),
                "ratio": round(ttft / (rows[0]["ttft_ms"] if rows else ttft), 3),
                "prompt_tokens": round(statistics.median(one.usage.prompt_tokens for one in found)),
                "cached_tokens": round(statistics.median(one.usage.cached_tokens for one in found)),
            }
        )
        done(rows[-1]["prompt_tokens"])
    return rows


def _construct(engine: Engine, turns: int) -> str:
    """A chat of so many exchanges, folded on the way; its session id."""
    rng = random.Random(turns)
    session = engine.sessions.create(f"{turns} turns")
    for number in range(turns):
        asked = engine.sessions.add_user(session.id, said(rng))
        engine.facts.learn([asked])
        engine.sessions.add_reply(session.id, asked.number, text=said(rng), status="complete")
        if number % _FOLD_EVERY == _FOLD_EVERY - 1:
            engine.idle(session.id, prefill=False)
    return session.id


def ask(engine: Engine, session_id: str, run: int) -> First:
    """One question, deleted afterwards; every run is on another day, so that none finds its message in
    the cache from the one before."""
    request = TurnRequest(
        _QUESTION,
        session_id,
        thinking=False,
        memory=False,
        max_tokens=1,
        ignore_eos=True,
        seed=1,
        now=START + timedelta(days=run),
    )
    started = time.perf_counter()
    seconds = 0.0
    usage: Usage | None = None
    for event in engine.turn(request):
        if isinstance(event, TextDelta) and not seconds:
            seconds = time.perf_counter() - started
        elif isinstance(event, TurnFinished):
            usage = event.usage
    # a token without text shows itself by the end of the turn only
    seconds = seconds or time.perf_counter() - started
    asked = next(t for t in reversed(engine.sessions.turns(session_id)) if t.role == "user")
    engine.sessions.delete_turn(asked.id)
    assert usage is not None
    return First(seconds, usage)
