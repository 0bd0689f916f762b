"""What a bench does, step by step: first what must be shown, last what takes longest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from knowledge.memory import MemoryStore
from knowledge.progress import Progress
from persona.backends.base import Backend
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.opening import put_together
from persona.chat.store import SessionStore
from persona.config import Compression, Settings
from persona.lab.bench import archives, first_token, overhead, talk
from persona.lab.bench.forecast import Forecast, Work

Part = Literal["overhead", "first", "retrieval", "off"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What can be chosen: whole turns beside the bare engine, with speeds and memory; first words with
compression; searches; first words without it."""

_TURNS = "turns beside the bare engine"
_CARD = PersonaCard(talk.OWNER, f"Name: {talk.OWNER}\nStyle: short messages, mostly lower case")

# For the time left. Tokens: of an exchange of a made-up chat, of the longest prompt (whole, compressed), of
# what changes every turn, of a turn with memories. Seconds: to open a model, to search, to make an exchange.
_AN_EXCHANGE, _ALL, _SHOWN, _TAIL, _A_TURN = 190, 5_100, 1_000, 40, 700
_OPENED, _SEARCH, _MADE = 5.0, 0.05, 0.04


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. shape: of the random model, unless `model` names one that is here.

    runs: of each figure, of which the median is told. tokens: of each reply. turns: lengths of history.
    archives: sizes in messages; the smallest one is the archive that turns remember from.
    """

    model: str | None = None
    shape: str = "0.6b"
    runs: int = 5
    tokens: int = 128
    turns: tuple[int, ...] = (5, 200)
    archives: tuple[int, ...] = (500, 2_000)
    only: tuple[Part, ...] = PARTS


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. work: what it takes, for the time left."""

    name: str
    work: Work
    carry_out: Callable[[Forecast], None]


@dataclass
class Bench:
    """The parts that are measured, all of them open, and `found`, where each stage leaves its figures.

    folder: for files that are gone afterwards. chats: session ids by turns of history.
    """

    plan: Plan
    settings: Settings
    folder: Path
    memory: MemoryStore
    sessions: SessionStore
    backend: Backend
    found: dict[str, Any]
    chats: dict[int, str] = field(default_factory=dict)

    def stages(self) -> Iterator[Stage]:
        """The steps of what was chosen, in order."""
        only, (least, *larger) = self.plan.only, sorted(set(self.plan.archives))
        if "overhead" in only or "retrieval" in only:
            yield self._archive(least, least)
        if "overhead" in only:
            tokens = self.plan.runs * self.plan.tokens * 2
            read = self.plan.runs * _A_TURN * 2
            yield Stage(_TURNS, Work(read, tokens, seconds=2 * _OPENED), self._overhead)
        if "first" in only:
            yield self._first("extractive", _SHOWN)
        if "retrieval" in only:
            yield from (self._archive(size, size - before) for before, size in pairwise([least, *larger]))
        if "off" in only:
            yield self._first("off", _ALL)

    def _archive(self, size: int, more: int) -> Stage:
        def carry_out(told: Forecast) -> None:
            archives.make(self.memory, self.folder, size, told)
            if "retrieval" in self.plan.only:
                self.found["retrieval"].append(archives.measure(self.memory, size))

        work = Work(messages=more, seconds=_OPENED + archives.QUERIES * _SEARCH)
        return Stage(archives.stage(size), work, carry_out)

    def _overhead(self, told: Forecast) -> None:
        count = Counted(told, _TURNS, self.plan.runs)
        questions = [talk.question(min(self.plan.archives), 1 + n) for n in range(self.plan.runs)]
        pairs = self.found["overhead"]
        for pair in overhead.pairs(self._engine(self.settings), questions, self.plan.tokens):
            pairs.append(pair)
            self.found |= overhead.figures(pairs)
            count()
        told.found(self.found["prefill_tps"], self.found["decode_tps"])

    def _first(self, compression: Compression, most: int) -> Stage:
        name = f"first words, compression {compression}"
        lengths = sorted(set(self.plan.turns))
        prompts = [min(turns * _AN_EXCHANGE, most) for turns in lengths]

        def carry_out(told: Forecast) -> None:
            count = Counted(told, name, sum(prompts))
            engine = self._engine(first_token.planned(self.settings, compression))
            shortest: float | None = None
            for turns, tokens in zip(lengths, prompts, strict=True):
                if turns not in self.chats:
                    self.chats[turns] = first_token.construct(engine, turns)
                row = first_token.measure(engine, self.chats[turns], self.plan.runs)
                shortest = shortest or row["ttft_ms"]
                ratio = round(row["ttft_ms"] / shortest, 3)
                self.found["ttft_by_turn"].append({"turns": turns, **row, "ratio": ratio})
                count(tokens)

        read = sum(prompts) + self.plan.runs * len(prompts) * _TAIL
        return Stage(name, Work(read, seconds=sum(lengths) * _MADE), carry_out)

    def _engine(self, settings: Settings) -> Engine:
        return put_together(
            settings, memory=self.memory, sessions=self.sessions, backend=self.backend, card=_CARD
        )


class Counted:
    """Reports so much more done of a stage at each call."""

    def __init__(self, report: Callable[[Progress], None], stage: str, total: int) -> None:
        self._report, self._stage, self._total, self._done = report, stage, total, 0
        report(Progress(stage, 0, total))

    def __call__(self, amount: int = 1) -> None:
        """So much more."""
        self._done = min(self._done + amount, self._total)
        self._report(Progress(self._stage, self._done, self._total))
