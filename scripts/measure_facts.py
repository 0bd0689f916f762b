"""Do facts survive? A hundred facts told in a chat, which is then folded fifty times more, and asked for.

    python scripts/measure_facts.py [--model NAME_OR_GGUF] [--home DIR] [--foldings 50]
        [--compression extractive] [--replies 100] [--check] [--json]

The chat is constructed: messages and replies are stored and folded as they come, never generated. Facts
(planted_facts.py; with --check its fifty others) are told one a turn, among small talk; after the last one
the chat goes on until it was folded so many times more. Then each is asked for, with the archive switched
off and on, and the probe is taken back.

in the prompt: the expected string stands in what the model is shown (it does not in the question): what
summaries and facts can answer. in the reply: the same of what the model says. recall@10: the turn that
tells the fact is among the first ten memories, chat and archive ranked as the engine ranks them, without a
token budget. Without --home the sample twin is prepared in a temporary one.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import get_args

from planted_facts import FACTS, MORE
from sample_home import home

from knowledge.records import Memory
from persona import config
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_engine
from persona.chat.recall import ChatRecall, Question, together
from persona.config import Compression
from persona.lab.ab.generate import small_talk

START = datetime.fromisoformat("2026-11-02T09:00:00+00:00")
TEN = 10


@dataclass(slots=True)
class Figures:
    """What one arm gave. by_chance: in the prompt of a new chat, which was told nothing. missed: the
    questions whose answer was not in the prompt."""

    asked: int = 0
    in_prompt: int = 0
    by_chance: int = 0
    replied: int = 0
    in_reply: int = 0
    at_ten: int = 0
    prompt_tokens_most: int = 0
    missed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """The chat, and the number of the turn that tells each fact."""

    session_id: str
    turns: dict[str, int]


Facts = Sequence[tuple[str, str, str]]


def construct(engine: Engine, planted: Facts, foldings: int, seed: int) -> Told:
    """Tell every fact, and go on until the chat was folded `foldings` times more."""
    rng = random.Random(seed)
    session = engine.sessions.create("facts")
    turns: dict[str, int] = {}
    facts = rng.sample(planted, len(planted))
    done = 0
    while len(turns) < len(facts) or _foldings(engine, session.id) < done + foldings:
        parts = list(islice(small_talk(rng), 3))
        if len(turns) < len(facts):
            parts.insert(rng.randint(0, len(parts)), facts[len(turns)][0])
        asked = engine.sessions.add_user(session.id, " ".join(parts))
        engine.facts.learn([asked])
        engine.sessions.add_reply(
            session.id, asked.number, text=" ".join(islice(small_talk(rng), 2)), status="complete"
        )
        if len(turns) < len(facts):
            turns[facts[len(turns)][1]] = asked.number
            done = _foldings(engine, session.id)
        engine.idle(session.id, prefill=False)
    return Told(session.id, turns)


def _foldings(engine: Engine, session_id: str) -> int:
    return sum(s.level == 1 for s in engine.sessions.all_summaries(session_id))


def ask(engine: Engine, planted: Facts, told: Told, memory: bool, replies: int, seed: int) -> Figures:
    """Every fact asked for; so many of them answered by the model, too."""
    figures = Figures()
    recall = ChatRecall(engine.sessions, engine.facts)
    now = START + timedelta(days=30)
    for n, (_, question, value) in enumerate(planted):
        figures.asked += 1
        request = TurnRequest(question, told.session_id, thinking=False, memory=memory, seed=seed, now=now)
        ready, _ = engine.preview(request)
        shown = _shown(ready)
        figures.by_chance += value.casefold() in _shown(engine.preview(replace(request, session_id=None))[0])
        figures.prompt_tokens_most = max(figures.prompt_tokens_most, ready.tokens)
        if value.casefold() in shown:
            figures.in_prompt += 1
        else:
            figures.missed.append(question)
        if memory:
            found = ranked(engine, recall, told.session_id, question, now)
            numbers = {t.id: t.number for t in engine.sessions.turns(told.session_id)}
            figures.at_ten += told.turns[question] in {numbers.get(m.id) for m in found[:TEN]}
        if n < replies:
            figures.replied += 1
            figures.in_reply += value.casefold() in _reply(engine, request).casefold()
    return figures


def _shown(ready: PromptReady) -> str:
    return "\n".join(m.content for m in ready.prompt.messages).casefold()


def ranked(engine: Engine, recall: ChatRecall, session_id: str, question: str, now: datetime) -> list[Memory]:
    """The memories for a question as the engine ranks them, without its budget."""
    last = engine.sessions.turns(session_id)[-1].number + 1
    asked = Question(question, session_id, last)
    told = recall.search(asked, budget_tokens=None, cost=lambda memories: 0)
    found = engine.memory.search(question, now=now, budget_tokens=None, cost=lambda memories: 0, k=TEN)
    return together(asked, told, found)


def _reply(engine: Engine, request: TurnRequest) -> str:
    assert request.session_id is not None
    events = list(engine.turn(request))
    assert any(isinstance(e, PromptReady) for e in events)
    [done] = [e for e in events if isinstance(e, TurnFinished)]
    asked = next(t for t in reversed(engine.sessions.turns(request.session_id)) if t.role == "user")
    engine.sessions.delete_turn(asked.id)
    return done.text


def main() -> None:
    """Tell, fold, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", help="a catalogue name or a GGUF; the one in the settings when left out")
    parser.add_argument("--home", type=Path, help="a home with an archive; it gets the chat of this run")
    parser.add_argument("--foldings", type=int, default=50)
    parser.add_argument(
        "--compression", default="extractive", choices=[c for c in get_args(Compression) if c != "off"]
    )
    parser.add_argument("--replies", type=int, default=len(FACTS), help="how many the model answers, too")
    parser.add_argument("--reply-tokens", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="the fifty facts that no rule was made for")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    planted = MORE if given.check else FACTS
    with home(given.home):
        settings = config.load()
        changes = {"compression": given.compression, "reply_tokens": given.reply_tokens}
        settings = settings.model_copy(update={"chat": settings.chat.model_copy(update=changes)})
        with closing(open_engine(settings, model=given.model)) as engine:
            told = construct(engine, planted, given.foldings, given.seed)
            made = engine.sessions.all_summaries(told.session_id)
            turns = len(engine.sessions.turns(told.session_id)) // 2
            standing = sum(s.in_force for s in made)
            foldings = sum(s.level == 1 for s in made)
            print(f"{turns} turns, {foldings} foldings, {standing} summaries in force", file=sys.stderr)
            found = {
                "archive off": ask(engine, planted, told, False, given.replies, given.seed),
                "archive on": ask(engine, planted, told, True, given.replies, given.seed),
            }
            engine.sessions.delete(told.session_id)
    if given.json:
        print(json.dumps({name: asdict(figures) for name, figures in found.items()}, indent=2))
        return
    print("| | in the prompt | in that of a new chat | in the reply | recall@10 | tokens, most |")
    print("|---|---|---|---|---|---|")
    for name, f in found.items():
        at_ten = f"{f.at_ten}/{f.asked}" if f.at_ten else "–"
        print(
            f"| {name} | {f.in_prompt}/{f.asked} | {f.by_chance}/{f.asked} | {f.in_reply}/{f.replied} "
            f"| {at_ten} | {f.prompt_tokens_most} |"
        )
    for name, f in found.items():
        print(f"\nnot in the prompt, {name}:", *f.missed or ["none"], sep="\n  ")


if __name__ == "__main__":
    main()
