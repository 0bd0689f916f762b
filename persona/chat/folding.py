"""Folding: turns leave the prompt, and a frozen summary takes their place.

A summary is made of its original turns, at every level, and checked against them; of merged summaries it
takes only what a model had written and their turns still hold. At most one model call a fold and in eight
turns, and only when there is time for one.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.facts import LIKELY
from persona.backends.base import Backend
from persona.chat import abstract, compressor
from persona.chat.budget import TokenCounter, window_of
from persona.chat.fact_book import FactBook
from persona.chat.lines import USER, Line, by_number, covers, grounded, parse
from persona.chat.store import SessionStore
from persona.chat.turns import Author, Turn
from persona.config import Compression
from persona.errors import ModelError

_log = logging.getLogger(__name__)

_LEAST_SUMMARY_TOKENS = 48
"""A summary may take this much, however little was folded: a line or two."""

_MERGED = 0.75
"""Most that summaries merged into one may take of what they took before, however many facts they tell."""

_ASKED_EVERY = 8
"""Turns in which the model is asked once at most: by the fold that takes the first of them."""

_MODEL_SHARE = 0.7
"""Most of a summary that the model is asked for: the rest is for facts it leaves out."""


class Interrupted(Exception):
    """A turn wants the model before the summary was written."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to fold. limit: most tokens for all summaries of the chat. cancel: set when the model is
    wanted elsewhere; None when there is no time to ask the model at all."""

    session_id: str
    strategy: Compression
    limit: int
    cancel: threading.Event | None


@dataclass(frozen=True, slots=True)
class Written:
    """The lines of a summary and who wrote them, as `Summary` has it."""

    text: str
    made_by: Author
    dropped: int = 0
    note: str = ""


class Folder:
    """Writes and merges the summaries of the chats in `sessions`."""

    def __init__(
        self, sessions: SessionStore, backend: Backend, counter: TokenCounter, facts: FactBook
    ) -> None:
        self._sessions = sessions
        self._backend = backend
        self._counter = counter
        self._facts = facts

    def fold(self, job: Job, turns: Sequence[Turn]) -> None:
        """Freeze a summary of `turns`, and merge what then is too much.

        Raises Interrupted, with nothing written, when `job.cancel` was set while the model wrote.
        """
        self._facts.learn(turns)
        turns = self._facts.corrected(turns)
        folded = sum(self._counter.turn(t.id, t.text) for t in turns)
        wanted = max(int(folded * compressor.SHARE), _LEAST_SUMMARY_TOKENS, self._facts_cost(job, turns))
        tokens = min(wanted, job.limit // 2)
        asks = any(turn.number % _ASKED_EVERY == 1 for turn in turns)
        # The one call goes to the block that will stand: a merge reads these turns again at once.
        merges = self._standing(job) + tokens > job.limit
        written = self._write(job, turns, tokens, asks=asks and not merges)
        self._sessions.add_summary(
            job.session_id,
            strategy=job.strategy,
            turns=turns,
            text=written.text,
            made_by=written.made_by,
            dropped=written.dropped,
            note=written.note,
        )
        self._merge(job, asks=asks and merges)

    def _merge(self, job: Job, *, asks: bool) -> None:
        """Merge the oldest summaries of the lowest level, from their original turns, until all fit."""
        while self._standing(job) > job.limit:
            standing = [s for s in self._sessions.summaries(job.session_id, job.strategy) if s.text]
            merged = compressor.next_merge(standing)
            size = self._counter.texts([s.text for s in merged])
            wanted = {turn_id for s in merged for turn_id in s.turn_ids}
            turns = [t for t in self._sessions.turns(job.session_id) if t.id in wanted]
            turns = self._facts.corrected(turns)
            tokens = min(max(size // 2, self._facts_cost(job, turns)), int(_MERGED * size))
            known = [line for s in merged if s.made_by != "extractive" for line in parse(s.text)]
            try:
                written = self._write(job, turns, tokens, asks=asks, known=known)
            except Interrupted:
                written = self._write(job, turns, tokens, asks=False, known=known)
            asks = False
            self._sessions.add_summary(
                job.session_id,
                strategy=job.strategy,
                turns=turns,
                text=written.text,
                replaces=merged,
                made_by=written.made_by,
                dropped=written.dropped,
                note=written.note,
            )

    def _standing(self, job: Job) -> int:
        standing = self._sessions.summaries(job.session_id, job.strategy)
        return self._counter.texts([s.text for s in standing if s.text])

    def _write(
        self, job: Job, turns: Sequence[Turn], tokens: int, *, asks: bool, known: Sequence[Line] = ()
    ) -> Written:
        """Lines on `turns`: the model's where it may be asked and they hold, else those it wrote before
        (`known`); quotes for the rest."""
        lines: list[Line] = []
        dropped, note = 0, ""
        said = by_number(turns)
        before = self._before(job, turns)
        known_facts = self._known(job, turns)
        if job.strategy == "abstractive":
            if asks and job.cancel is not None:
                lines, dropped, note = self._ask(turns, int(tokens * _MODEL_SHARE), job.cancel)
            lines = lines or [line for line in known if grounded(line, said)]
            lines = self._worth(lines, before, self._fact_lines(known_facts, turns), tokens)
            if not lines and not note:
                note = "too soon to ask the model again" if job.cancel else "no quiet moment for the model"
        spent = self._counter.texts([str(line) for line in lines])
        quotes = compressor.extract(
            turns, tokens - spent, self._counter.text, known_facts, told=lines, standing=before
        )
        kept = [line for line in quotes if grounded(line, said)]
        text = "\n".join(str(line) for line in sorted([*lines, *kept], key=lambda line: line.numbers[0]))
        made_by: Author = "extractive" if not lines else "mixed" if kept else "abstractive"
        return Written(text, made_by, dropped, note)

    def _before(self, job: Job, turns: Sequence[Turn]) -> list[Line]:
        """The lines of the summaries that end before `turns` begin."""
        first = turns[0].number
        standing = self._sessions.summaries(job.session_id, job.strategy)
        lines = [line for s in standing for line in parse(s.text)]
        return [line for line in lines if max(line.numbers) < first]

    def _worth(
        self, lines: Sequence[Line], before: Sequence[Line], facts: Sequence[Line], tokens: int
    ) -> list[Line]:
        """The model's lines that say something new and leave room for the facts they do not tell: those that
        tell one first, then the newest."""
        telling: list[Line] = []
        left_out = list(facts)
        for line in lines:
            untold = [fact for fact in left_out if not _tells(line, fact)]
            if len(untold) < len(left_out):
                telling.append(line)
                left_out = untold
        kept = self._fitting(telling, tokens)
        room = tokens - self._counter.texts([str(line) for line in (*kept, *left_out)])
        rest: list[Line] = []
        for line in reversed(lines):
            if line not in telling and not any(covers(other, line.text) for other in (*before, *kept, *rest)):
                rest.append(line)
        return [*kept, *self._fitting(rest, room)]

    def _fitting(self, lines: Sequence[Line], tokens: int) -> list[Line]:
        """Those of `lines`, the first first, that together take `tokens` at most."""
        kept: list[Line] = []
        for line in lines:
            if self._counter.texts([str(other) for other in (*kept, line)]) <= tokens:
                kept.append(line)
        return kept

    def _ask(
        self, turns: Sequence[Turn], tokens: int, cancel: threading.Event
    ) -> tuple[list[Line], int, str]:
        """The model's lines that hold and fit, how many were dropped, and why none is left."""
        room = min(tokens, window_of(self._backend.info) // 3)
        try:
            text = abstract.write(self._backend, turns, room, cancel)
        except ModelError as error:
            _log.warning("no summary by the model: %s", type(error).__name__)
            return [], 0, "the model failed"
        if text is None:
            raise Interrupted
        said = by_number(turns)
        proposed = list(dict.fromkeys(parse(text)))
        kept = self._fitting([line for line in proposed if grounded(line, said)], tokens)
        self._facts.learn_lines(kept, turns, self._backend.info.name)
        dropped = len(proposed) - len(kept)
        if kept:
            return kept, dropped, ""
        wrong = "no line of the model's was in its turns" if proposed else "the model wrote no cited line"
        return [], dropped, wrong

    def _facts_cost(self, job: Job, turns: Sequence[Turn]) -> int:
        """Tokens of the facts in force that `turns` tell: what a summary of them should have room for."""
        return self._counter.texts([str(line) for line in self._fact_lines(self._known(job, turns), turns)])

    def _fact_lines(self, known: compressor.Facts, turns: Sequence[Turn]) -> list[Line]:
        """The facts in force and sure that `turns` tell, as lines."""
        numbers = {t.id: t.number for t in turns}
        return [
            Line((numbers[i],), USER, told.text) for (i, _), told in known.items() if told and told.confidence
        ]

    def _known(self, job: Job, turns: Sequence[Turn]) -> compressor.Facts:
        """How to serve the sentences of `turns` that tell facts; those that are less sure must be as telling
        as any other sentence."""
        wanted = {t.id for t in turns}
        known: dict[tuple[str, str], compressor.Told | None] = {}
        for fact in self._facts.told(job.session_id):
            [turn_id] = fact.sources
            if turn_id in wanted:
                held = known.get((turn_id, fact.text))
                told = compressor.Told(fact.dated, fact.confidence if fact.confidence >= LIKELY else 0.0)
                known[turn_id, fact.text] = held if fact.superseded_by else told
        return known


def _tells(line: Line, fact: Line) -> bool:
    return bool(set(line.numbers) & set(fact.numbers)) and covers(line, fact.text)
