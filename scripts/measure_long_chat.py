"""What 200 turns cost a true-shape Qwen3 0.6B of random weights: prompt tokens, what of them was cached, the
time to the first token, and how often the model was asked for a summary.

    python scripts/measure_long_chat.py [--model GGUF] [--turns 200] [--every 10] [--runs 5] [--json]

The history is constructed (`persona ab generate --replies`, 60 to 120 tokens a turn) and stored, not
generated; it is folded at idle time after every turn, `abstractive`, so that the model really is asked. Every
so many turns the idle work is done whole and a question is asked: one token of reply, then it is deleted.
The first and the last of these are asked again at the end by turns: a machine's speed changes in minutes.
About six minutes on two quiet cores; nearly half of them are the model's summaries.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from knowledge.memory import MemoryStore
from persona import models, paths
from persona.backends.base import Backend, ModelInfo
from persona.chat.branching import fork
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.opening import put_together
from persona.chat.store import SessionStore
from persona.config import ChatSettings, Compression, ModelSettings, Settings
from persona.lab.ab.generate import script
from persona.lab.ab.meter import Metered
from persona.lab.bench import first_token, random_model, talk

FIRST = 5
"""The turn that the last one is compared with."""

_CARD = PersonaCard(talk.OWNER, f"Name: {talk.OWNER}\nStyle: short messages, mostly lower case")
_EVERYTHING = 10_000_000


class _Windowless(Metered):
    """The same model with a window that holds every turn: for counting alone."""

    @property
    def info(self) -> ModelInfo:
        return replace(super().info, context=_EVERYTHING, trained_context=None)


def main() -> None:
    """Measure, print, and end with 1 where a figure misses its bound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a GGUF in place of the random one")
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--every", type=int, default=10, help="turns between two that are measured")
    parser.add_argument("--runs", type=int, default=5, help="pairs of questions at the end")
    parser.add_argument("--compression", choices=get_args(Compression), default="abstractive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: one for each core")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    path = options.model or str(random_model.ensure("0.6b", paths.data_dir() / "bench"))
    with opened(ModelSettings(name=path, threads=options.threads), options.compression) as (engine, backend):
        found = measure(engine, backend, options)
    print(json.dumps(found, indent=1) if options.json else in_words(found))
    sys.exit(not all(figure["met"] for figure in found["figures"].values()))


@contextmanager
def opened(model: ModelSettings, compression: Compression) -> Iterator[tuple[Engine, Metered]]:
    """An engine with no archive, on chats that are gone with the block."""
    settings = Settings(model=model, chat=ChatSettings(compression=compression))
    with tempfile.TemporaryDirectory() as folder:
        backend = Metered(models.open_backend(settings.model))
        sessions = SessionStore(Path(folder) / "sessions.sqlite3")
        memory = MemoryStore(Path(folder))
        engine = put_together(settings, memory=memory, sessions=sessions, backend=backend, card=_CARD)
        with closing(engine):
            yield engine, backend


def measure(engine: Engine, backend: Metered, options: argparse.Namespace) -> dict[str, Any]:
    """Every row, and the four figures with their bounds."""
    chat = engine.sessions.create("constructed").id
    rows: list[dict[str, Any]] = []
    for turn, said in enumerate(script(options.turns, 0, options.seed, replies=True), 1):
        asked = engine.sessions.add_user(chat, said["user"])
        engine.facts.learn([asked])
        engine.sessions.add_reply(chat, asked.number, text=said["reply"], status="complete")
        engine.idle(chat, prefill=False)
        if turn == FIRST:
            early = fork(engine.sessions, chat).id
        if turn in (FIRST, options.turns) or turn % options.every == 0:
            rows.append({"turn": turn, **_asked(engine, chat, 0)})
            print(f"turn {turn} of {options.turns}: {rows[-1]}", file=sys.stderr, flush=True)
    pairs = [(_asked(engine, early, run), _asked(engine, chat, run)) for run in range(options.runs)]
    first, late = (statistics.median(pair[n]["ttft_ms"] for pair in pairs) for n in (0, 1))
    last = rows[-1]
    off = {
        "window": _uncompressed(engine, backend, chat),
        "everything": _uncompressed(engine, _Windowless(backend), chat),
    }
    calls = backend.summaries.calls
    figures = {
        "prompt_tokens_share": _figure(last["prompt_tokens"] / off["everything"], most=1 / 6),
        "cached_share_median": _figure(statistics.median(r["cached_share"] for r in rows), least=0.95),
        "ttft_ratio": _figure(late / first, most=1.2),
        "calls_per_turn": _figure(calls / options.turns, most=math.ceil(options.turns / 8) / options.turns),
    }
    return {
        "model": engine.backend.info.name,
        "window": engine.backend.info.context,
        "turns": options.turns,
        "compression": options.compression,
        "figures": figures,
        "prompt_tokens": {"last_turn": last["prompt_tokens"], "off": off},
        "summaries": {"calls": calls, "tokens": backend.summaries.tokens},
        "rows": rows,
        "ttft_ms": {"first": first, "last": late},
    }


def _asked(engine: Engine, chat: str, run: int) -> dict[str, Any]:
    """A question after its idle work. run: which of several it is."""
    engine.idle(chat)
    found = first_token.ask(engine, chat, run)
    usage = found.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "stable_tokens": usage.stable_tokens,
        "cached_share": round(min(1.0, usage.cached_tokens / usage.stable_tokens), 4),
        "ttft_ms": round(found.seconds * 1000, 1),
    }


def _uncompressed(engine: Engine, backend: Backend, chat: str) -> int:
    """Tokens of the prompt of the same chat with nothing folded; counted, not read."""
    settings = Settings(model=engine.settings.model, chat=ChatSettings(compression="off"))
    over = put_together(settings, memory=engine.memory, sessions=engine.sessions, backend=backend, card=_CARD)
    return over.context(chat).used


def _figure(value: float, *, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    met = (least is None or value >= least) and (most is None or value <= most)
    return {"value": round(value, 4), "least": least, "most": most and round(most, 4), "met": met}


def in_words(found: dict[str, Any]) -> str:
    """One line for each figure."""
    off = found["prompt_tokens"]["off"]
    lines = [
        f"{found['model']}, window {found['window']}, {found['turns']} turns, {found['compression']}",
        f"prompt tokens at the last turn: {found['prompt_tokens']['last_turn']}; without compression"
        f" {off['everything']} with every turn in it, {off['window']} as far as the window goes",
        f"first token: {found['ttft_ms']['first']} ms at turn {FIRST}, {found['ttft_ms']['last']} at last",
        f"summaries: {found['summaries']['calls']} calls, {found['summaries']['tokens']} tokens",
    ]
    for name, figure in found["figures"].items():
        bound = f"at least {figure['least']}" if figure["least"] else f"at most {figure['most']}"
        lines.append(f"{name}: {figure['value']} ({bound}): {'met' if figure['met'] else 'NOT MET'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
