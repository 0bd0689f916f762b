"""How fast a model reads and writes, through the program's own engine."""

import random
import statistics
import threading
from collections.abc import Callable

from persona.backends.base import ChatMessage, Prompt, Usage
from persona.chat.engine import Engine
from persona.chat.events import TurnRequest
from persona.lab.bench.talk import said

READ = 512
"""Tokens read, at least."""


def measure(engine: Engine, runs: int, tokens: int, done: Callable[[], object]) -> dict[str, float]:
    """Medians in tokens a second: `prefill_tps` of a prompt not seen before, `decode_tps` of the reply.

    done: called after each run.
    """
    found = []
    for run in range(runs):
        found.append(_once(engine, random.Random(run), tokens))
        done()
    return {
        "prefill_tps": round(statistics.median(_read(usage) for usage in found), 1),
        "decode_tps": round(statistics.median(usage.tokens_per_second for usage in found), 1),
    }


def forget(engine: Engine) -> None:
    """Leave nothing of earlier prompts in the prefix cache."""
    engine.backend.prefill(Prompt((ChatMessage("user", "something else"),)), threading.Event())


def _once(engine: Engine, rng: random.Random, tokens: int) -> Usage:
    text = said(rng)
    while engine.backend.count_tokens(text) < READ:
        text += " " + said(rng)
    forget(engine)
    request = TurnRequest("", thinking=False, max_tokens=tokens, ignore_eos=True, seed=1)
    events = list(engine.bare([ChatMessage("user", text)], request))
    return next(event for event in events if isinstance(event, Usage))


def _read(usage: Usage) -> float:
    return (usage.prompt_tokens - usage.cached_tokens) / usage.ttft_ms * 1000
