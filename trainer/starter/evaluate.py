"""How well a model answers the sample questions, through the same engine as every door.

    python -m trainer.starter.evaluate [--home DIR] [--model NAME_OR_GGUF] [--json FILE]
    python -m trainer.starter.evaluate --summaries 40 [--model NAME_OR_GGUF]

right: an expected string in a reply of at most 40 words that holds no rival's value. Unknown questions
are right when the reply says "don't know". Thinking is counted where it should be and where it should not.

--summaries: so many generated chats, none of which was trained on, are summarised as at run time. told: what
the users said of themselves; right: what a line gives back word for word, under its turn; lines: those that
were written; dropped: of these, what does not hold and would not be shown.
"""

import argparse
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from persona import config, demo, paths
from persona.chat.abstract import summary_prompt
from persona.chat.asking import said
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest
from persona.chat.lines import by_number, grounded, parse
from persona.chat.opening import open_engine
from persona.models import open_backend
from trainer.starter.bank import load
from trainer.starter.chats import chat
from trainer.starter.world import World

LONGEST_REPLY = 40
LONGEST_SUMMARY = 400
MOST_EXCHANGES = 8
HELD_OUT = 1_000_000
"""The first seed of the chats to summarise; a training begins with its own, and goes on from there."""

_DONT_KNOW = ("don't know", "do not know", "no idea")
_TAG = re.compile(r"</?think>|<\|[^|]*\|>", re.IGNORECASE)
_ARMS = (("plain", False, True), ("thinking", True, True), ("no memory", False, False))


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, judged."""

    question: str
    kind: str
    reply: str
    thinking: str
    right: bool
    leaked: bool


def questions(file: Path | None = None) -> list[dict[str, Any]]:
    """The rows of a questions file in the form of the sample twin's own."""
    file = file or paths.sample_dir() / "questions.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def ask(engine: Engine, row: dict[str, Any], *, thinking: bool = False, memory: bool = True) -> Answer:
    """Ask one question in a chat of its own."""
    request = TurnRequest(
        row["question"], thinking=thinking, memory=memory, seed=1, now=datetime.fromisoformat(row["now"])
    )
    finished = next(e for e in engine.turn(request) if isinstance(e, TurnFinished))
    reply = finished.text
    leaked = bool(_TAG.search(reply) or _TAG.search(finished.thinking))
    return Answer(row["question"], row["kind"], reply, finished.thinking, _is_right(row, reply), leaked)


def _is_right(row: dict[str, Any], reply: str) -> bool:
    folded = reply.casefold()
    if row["kind"] == "unknown":
        return any(words in folded for words in _DONT_KNOW)
    holds = any(e.casefold() in folded for e in row["expect"])
    rival = any(r.casefold() in folded for r in row["rivals"])
    return holds and not rival and len(reply.split()) <= LONGEST_REPLY


def summary(answers: Iterable[Answer]) -> dict[str, dict[str, int]]:
    """Right and asked, by kind of question."""
    counts: dict[str, dict[str, int]] = {}
    for answer in answers:
        row = counts.setdefault(answer.kind, {"asked": 0, "right": 0, "thought": 0, "leaked": 0})
        row["asked"] += 1
        row["right"] += answer.right
        row["thought"] += bool(answer.thinking.strip())
        row["leaked"] += answer.leaked
    return counts


def summaries(model: str, chats: int) -> dict[str, int]:
    """How summaries of generated chats come out; the model sees the prompt of the run time."""
    counts: Counter[str] = Counter()
    with closing(open_backend(config.load().model.model_copy(update={"name": model}))) as backend:
        sampling = replace(backend.default_sampling(False), max_tokens=LONGEST_SUMMARY, seed=1)
        for seed in range(HELD_OUT, HELD_OUT + chats):
            world = World(random.Random(seed), load())
            turns, wanted = chat(world, world.rng.randint(2, MOST_EXCHANGES))
            text = said(backend, summary_prompt(turns), sampling, threading.Event()) or ""
            written = dict.fromkeys(parse(text))
            held = [line for line in written if grounded(line, by_number(turns))]
            counts.update(chats=1, told=len(wanted), right=len(set(wanted) & set(held)))
            counts.update(lines=len(written), dropped=len(written) - len(held))
    return dict(counts)


def main() -> None:
    """Ask all questions three times: plain, thinking, without memory; print what came."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("runs/sample-home"), help="of the sample twin")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--questions", type=Path, help="another file of the same form")
    parser.add_argument("--json", type=Path, help="write every reply here")
    parser.add_argument("--summaries", type=int, metavar="CHATS", help="summarise generated chats instead")
    options = parser.parse_args()
    if options.summaries:
        print(json.dumps(summaries(options.model, options.summaries)))
        return
    demo.prepare(options.home)
    rows = questions(options.questions)
    replies: dict[str, list[Answer]] = {}
    with closing(open_engine(config.load(), model=options.model)) as engine:
        for arm, thinking, memory in _ARMS:
            replies[arm] = [ask(engine, row, thinking=thinking, memory=memory) for row in rows]
            print(arm, json.dumps(summary(replies[arm])))
    for answer in replies["plain"]:
        print("ok " if answer.right else "-- ", f"[{answer.kind}] {answer.question} → {answer.reply}")
    if options.json:
        kept = {arm: [asdict(a) for a in answers] for arm, answers in replies.items()}
        options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
