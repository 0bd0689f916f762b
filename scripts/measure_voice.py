"""Do examples of style bring an untuned model nearer to how its owner writes?

    python scripts/measure_voice.py [--model NAME_OR_GGUF] [--home DIR] [--most 100] [--tokens 150] [--json]

The newest messages that the owner answered are answered again, without facts from the archive, once without
and once with the owner's own replies to similar messages in the prompt: only replies sent before the message
are shown, so that none is the very one to be foretold. Distance: Burrows' Delta over frequent words and, with
the same weight, surface marks (trainer/evaluation/style.py), from what the owner really replied; gain: how
much nearer the examples bring it, with a bootstrap interval of 95 % over messages, above 0 is better.
For scale: the distance of the owner's own replies to other messages, and of other people's messages. Without
--home the sample twin is prepared in a temporary one.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sample_home import home

from knowledge import voice
from knowledge.memory import MemoryStore
from persona import config, paths
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import put_together
from persona.chat.store import SessionStore
from persona.models import open_backend
from trainer.dataset.exchanges import Exchange, Windows, exchanges
from trainer.evaluation.style import StyleScale

_MICRO = 1_000_000


class SoFar(MemoryStore):
    """What was known when a message was written: nothing later is shown as an example."""

    def replies_like(
        self,
        text: str,
        *,
        now: datetime,
        to: str | None,
        channel: str | None = None,
        budget_tokens: int,
        cost: voice.LineCost,
    ) -> list[str]:
        """As the store does it, of what had been answered before `now`."""
        ranking = self._retriever.rank(text, now=now)
        timeline = self._retriever.timeline()
        known = timeline.sent < int(now.timestamp() * _MICRO)
        answered = np.append(known[1:], False)[ranking.timeline.place]
        ranking = replace(ranking, meaning=ranking.meaning * answered, covered=ranking.covered * answered)
        return voice.examples(
            self._archive,
            timeline,
            ranking,
            to=to,
            channel=channel,
            budget_tokens=budget_tokens,
            cost=cost,
        )


def answer(engine: Engine, asked: Sequence[Exchange], what: str) -> tuple[list[str], list[bool]]:
    """A reply to each, and whether examples were shown."""
    said, shown = [], []
    for n, exchange in enumerate(asked):
        request = TurnRequest(
            exchange.said.text(True),
            thinking=False,
            seed=n,
            now=exchange.said.end,
            correspondent=exchange.partner,
        )
        events = list(engine.turn(request))
        [ready] = [e for e in events if isinstance(e, PromptReady)]
        [done] = [e for e in events if isinstance(e, TurnFinished)]
        said.append(done.text)
        shown.append("How you write:" in ready.prompt.messages[-1].content)
        print(f"\r{what}: {n + 1}/{len(asked)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return said, shown


def measure(memory: MemoryStore, model: str | None, most: int, tokens: int) -> dict[str, Any]:
    """Distances with and without examples, over all messages and over those that got any."""
    everything = memory.messages(limit=None)
    found = sorted(exchanges(everything, Windows(turns=0)), key=lambda e: e.said.end)
    asked, earlier = found[-most:], found[:-most]
    settings = config.load()
    name = {"name": model} if model else {}
    settings = settings.model_copy(update={"model": settings.model.model_copy(update=name)})
    replies: dict[str, list[str]] = {}
    shown: list[bool] = []
    with closing(open_backend(settings.model)) as backend:
        for arm, room in (("without", 0), ("with", tokens)):
            theirs = settings.memory.model_copy(update={"budget_tokens": 0, "style_tokens": room})
            with closing(SessionStore(Path(":memory:"))) as sessions:
                engine = put_together(
                    settings.model_copy(update={"memory": theirs}),
                    memory=memory,
                    sessions=sessions,
                    backend=backend,
                )
                replies[arm], shown = answer(engine, asked, arm)
    truth = [e.reply.text(True) for e in asked]
    scale = StyleScale([m.text for m in everything if m.sent_at < asked[0].said.end])
    owner = scale.count(truth)
    others = [m.text for m in everything if not m.is_self][-most:]
    picked = [n for n, got in enumerate(shown) if got]
    return {
        "model": settings.model.name,
        "messages": len(asked),
        "with_examples": len(picked),
        "all": _distances(scale, replies, truth, range(len(asked))),
        "those_with_examples": _distances(scale, replies, truth, picked),
        "owner_to_other_messages": round(
            scale.distance(scale.count([e.reply.text(True) for e in earlier[-most:]]), owner), 4
        ),
        "other_people": round(scale.distance(scale.count(others), owner), 4),
        "samples": [
            {"message": e.said.text(True), "owner": truth[n], **{arm: replies[arm][n] for arm in replies}}
            for n, e in enumerate(asked[:8])
        ],
    }


def _distances(
    scale: StyleScale, replies: dict[str, list[str]], truth: Sequence[str], picked: Sequence[int]
) -> dict[str, Any] | None:
    if not picked:
        return None
    owner = scale.count([truth[n] for n in picked])
    said = {arm: scale.count([texts[n] for n in picked]) for arm, texts in replies.items()}
    return {
        **{arm: round(scale.distance(counts, owner), 4) for arm, counts in said.items()},
        "gain": asdict(scale.compare(said["without"], said["with"], owner)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", help="a catalogue name or a GGUF; the one in the settings when left out")
    parser.add_argument("--home", type=Path, help="a home that holds an archive with its vectors; only read")
    parser.add_argument("--most", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with home(given.home), closing(SoFar(paths.knowledge_dir())) as memory:
        found = measure(memory, given.model, given.most, given.tokens)
    if given.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print(f"{found['messages']} messages, {found['with_examples']} of them with examples, {found['model']}")
    print("| messages | without | with | gain (95 %) |\n|---|---|---|---|")
    for name in ("all", "those_with_examples"):
        if row := found[name]:
            gain = row["gain"]
            interval = f"{gain['value']} ({gain['low']} to {gain['high']})"
            print(f"| {name.replace('_', ' ')} | {row['without']} | {row['with']} | {interval} |")
    print(f"the owner to other messages: {found['owner_to_other_messages']}")
    print(f"other people: {found['other_people']}")


if __name__ == "__main__":
    main()
