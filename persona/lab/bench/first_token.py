"""Time to the first token after so many turns of one chat, its idle work done, compression on and off.

Histories are constructed: seeded turns of 60 to 120 tokens, stored and folded as they come, never generated.
Summaries are kept by the way of compressing, so one history serves them all.
The archive is left out: what retrieval costs is told by the overhead.
"""

import random
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from persona.backends.base import TextDelta, Usage
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest
from persona.config import Compression, Settings
from persona.lab.bench.talk import START, said

_QUESTION = "What should we cook tonight?"
_FOLD_EVERY = 8


@dataclass(frozen=True, slots=True)
class First:
    """One question: seconds to its first token, and what the backend counted."""

    seconds: float
    usage: Usage


def planned(settings: Settings, compression: Compression) -> Settings:
    """Settings under which idle work plans the very prompt that `ask` will send.

    Else a chat without compression, whose window is what the reply and the memories leave, is read twice.
    """
    chat = settings.chat.model_copy(update={"compression": compression, "reply_tokens": 1})
    memory = settings.memory.model_copy(update={"enabled": False})
    return settings.model_copy(update={"chat": chat, "memory": memory})


def construct(engine: Engine, turns: int) -> str:
    """A chat of so many exchanges, folded on the way as `engine` compresses; its session id."""
    rng = random.Random(turns)
    session = engine.sessions.create(f"{turns} turns")
    for number in range(turns):
        asked = engine.sessions.add_user(session.id, said(rng))
        engine.facts.learn([asked])
        engine.sessions.add_reply(session.id, asked.number, text=said(rng), status="complete")
        if number % _FOLD_EVERY == _FOLD_EVERY - 1:
            engine.idle(session.id, prefill=False)
    return session.id


def measure(engine: Engine, session_id: str, runs: int) -> dict[str, Any]:
    """Medians of so many questions in one chat, each after its idle work. The engine's settings, as `planned`
    gives them, say how it compresses."""
    found = []
    for run in range(runs):
        engine.idle(session_id)
        found.append(ask(engine, session_id, run))
    return {
        "compression": engine.settings.chat.compression,
        "ttft_ms": round(statistics.median(one.seconds for one in found) * 1000, 1),
        "prompt_tokens": round(statistics.median(one.usage.prompt_tokens for one in found)),
        "cached_tokens": round(statistics.median(one.usage.cached_tokens for one in found)),
    }


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
