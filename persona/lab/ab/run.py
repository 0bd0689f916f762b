"""Runs one script under each arm, on sessions of its own: the user's chats are never touched.

A run that is stopped at any point goes on when it is started again with the same script and arms; what it
keeps for that stays until `forget`, for a page is to be written first.
"""

import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import persona
from knowledge.progress import Progress
from persona import models
from persona.backends.base import Backend, ModelInfo, TextDelta, ThinkingDelta, Usage
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import LazyBackend, put_together
from persona.chat.store import SessionStore
from persona.config import ModelSettings, Settings
from persona.lab.ab.arms import Arm
from persona.lab.ab.meter import Metered
from persona.lab.ab.rows import Journal, ProbeRow, Row, TurnRow
from persona.lab.ab.script import Probe, Say, Script

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

Report = Callable[[Progress], object]

A_TURN = timedelta(minutes=10)
"""Between two turns that do not say when they were."""

_START = "start"
_NO_ANSWER = Usage(0, 0, 0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Course:
    """What is the same in every arm. start: when the first turn is said, aware."""

    script: Script
    seed: int
    start: datetime

    def when(self, step: int) -> datetime:
        """When step number `step` happens."""
        return self.script.steps[step].at or self.start + step * A_TURN


@dataclass(frozen=True, slots=True)
class ArmResult:
    """All rows of one arm, and the model that gave them."""

    arm: Arm
    rows: tuple[Row, ...]
    model: ModelInfo

    @property
    def turns(self) -> list[TurnRow]:
        """The turns, in order."""
        return [row for row in self.rows if isinstance(row, TurnRow)]

    @property
    def probes(self) -> list[ProbeRow]:
        """The probes, in order."""
        return [row for row in self.rows if isinstance(row, ProbeRow)]


def run(
    course: Course,
    arms: Sequence[Arm],
    base: Settings,
    memory: "MemoryStore",
    folder: Path,
    report: Report,
    opener: Callable[[ModelSettings], Backend] = models.open_backend,
    stop: threading.Event | None = None,
) -> list[ArmResult]:
    """Every arm, one after the other, each with a model opened for it alone.

    folder: where unfinished runs are kept. stop: raises KeyboardInterrupt within a token once it is set,
    with the step that was under way left for the next time. Raises SettingsError and ModelError before
    anything runs when an arm cannot be, and whatever a turn raises.
    """
    settings = [arm.settings(base) for arm in arms]
    work = folder / _digest(course, arms, settings)
    work.mkdir(parents=True, exist_ok=True)
    (work / _START).write_text(course.start.isoformat(), encoding="utf-8")
    results = []
    for arm, theirs in zip(arms, settings, strict=True):
        place = work / hashlib.sha256(arm.name.encode()).hexdigest()[:12]
        place.mkdir(parents=True, exist_ok=True)
        backend = Metered(LazyBackend(partial(opener, theirs.model)))
        sessions = SessionStore(place / "sessions.sqlite3")
        with closing(backend), closing(sessions):
            engine = put_together(theirs, memory=memory, sessions=sessions, backend=backend)
            engine.load()
            journal = Journal(place / "rows.jsonl")
            runner = _Runner(course, engine, backend, journal, place, stop or threading.Event())
            rows = runner.oracle(arm.name, report) if arm.oracle else runner.conversation(arm.name, report)
            results.append(ArmResult(arm, tuple(rows), backend.info))
    return results


def unfinished(course: Course, arms: Sequence[Arm], base: Settings, folder: Path) -> bool:
    """Whether a stopped run of exactly this is there to go on with."""
    return (folder / _digest(course, arms, [arm.settings(base) for arm in arms])).exists()


def begun(course: Course, arms: Sequence[Arm], base: Settings, folder: Path) -> datetime | None:
    """The start of a stopped run of exactly this, whenever that was; None where there is none."""
    for file in sorted(folder.glob(f"*/{_START}")):
        start = datetime.fromisoformat(file.read_text(encoding="utf-8"))
        if unfinished(replace(course, start=start), arms, base, folder):
            return start
    return None


def forget(course: Course, arms: Sequence[Arm], base: Settings, folder: Path) -> None:
    """Throw away what a run of exactly this has kept."""
    work = folder / _digest(course, arms, [arm.settings(base) for arm in arms])
    shutil.rmtree(work, ignore_errors=True)


def _digest(course: Course, arms: Sequence[Arm], settings: Sequence[Settings]) -> str:
    files = [file for s in settings for file in _files(models.resolve(s.model.name))]
    files += [file for s in settings if (laid := models.adapter(s.model)) for file in _files(laid)]
    about = {
        "version": persona.__version__,
        "script": [asdict(step) for step in course.script.steps],
        "seed": course.seed,
        "start": course.start,
        "arms": [(arm.name, arm.oracle, s.model_dump()) for arm, s in zip(arms, settings, strict=True)],
        "models": [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files],
    }
    text = json.dumps(about, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    """A model's or an adapter's file, or those of its folder."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


class _Runner:
    """Runs one arm; every row is written down before the next step begins."""

    def __init__(
        self,
        course: Course,
        engine: Engine,
        backend: Metered,
        journal: Journal,
        place: Path,
        stop: threading.Event,
    ) -> None:
        self._course = course
        self._engine = engine
        self._backend = backend
        self._journal = journal
        self._place = place
        self._stop = stop

    def conversation(self, name: str, report: Report) -> list[Row]:
        """All turns in one chat; each probe on a fork of it."""
        steps = self._course.script.steps
        rows = self._journal.rows()
        session_id = self._resumed(rows)
        prefilled = not rows
        with self._journal.writing():
            for number in range(len(rows), len(steps)):
                step = steps[number]
                row: Row
                if isinstance(step, Say):
                    if not prefilled:
                        # a probe, or a stop, left something else in the engine's cache
                        self._idle(session_id)
                    row = self._say(number, step, session_id, sum(isinstance(r, TurnRow) for r in rows) + 1)
                else:
                    row = self._probe(number, step, session_id, sum(isinstance(r, TurnRow) for r in rows))
                prefilled = isinstance(step, Say)
                self._keep(row, rows)
                report(Progress(name, number + 1, len(steps)))
        return rows

    def oracle(self, name: str, report: Report) -> list[Row]:
        """Each probe in a chat of its own, which holds the turns that prove it and nothing else."""
        rows = self._journal.rows()
        asked = [n for n, s in enumerate(self._course.script.steps) if isinstance(s, Probe) and s.proof]
        with self._journal.writing():
            for done, number in enumerate(asked[len(rows) :], len(rows) + 1):
                probe = self._course.script.steps[number]
                assert isinstance(probe, Probe)
                row = self._shown_the_proof(number, probe)
                self._keep(row, rows)
                report(Progress(name, done, len(asked)))
        return rows

    def _keep(self, row: Row, rows: list[Row]) -> None:
        """Write a row down, unless it was cut short."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        rows.append(row)
        self._journal.add(row)

    def _shown_the_proof(self, number: int, probe: Probe) -> ProbeRow:
        steps = self._course.script.steps
        said = [n for n, step in enumerate(steps) if isinstance(step, Say)]
        session = self._engine.sessions.create("oracle")
        for turn in probe.proof:
            step = steps[said[turn - 1]]
            assert isinstance(step, Say)
            self._turn(said[turn - 1], step.text, session.id, step.reply)
        after = sum(n < number for n in said)
        row = self._ask(self._engine, number, probe, session.id, after)
        self._engine.sessions.delete(session.id)
        return row

    def _resumed(self, rows: Sequence[Row]) -> str:
        """The chat as the last row left it: what a kill left half done is taken back."""
        store = self._engine.sessions
        found = store.list()
        if not found:
            return store.create(self._course.script.name).id
        turns = [row for row in rows if isinstance(row, TurnRow)]
        session_id = found[0].id
        for turn in store.turns(session_id):
            if turn.role == "user" and turn.number > len(turns):
                store.delete_turn(turn.id)
        with store.writing() as db:
            db.execute("DELETE FROM summaries WHERE n > ?", (turns[-1].last_summary if turns else 0,))
        return session_id

    def _say(self, number: int, step: Say, session_id: str, turn: int) -> TurnRow:
        before = self._backend.summaries
        _, done = self._turn(number, step.text, session_id, step.reply)
        self._idle(session_id)
        usage, summaries = done.usage or _NO_ANSWER, self._backend.summaries - before
        newest = max((s.n for s in self._engine.sessions.all_summaries(session_id)), default=0)
        return TurnRow(
            step=number,
            turn=turn,
            user=step.text,
            reply=done.text,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            stable_tokens=usage.stable_tokens,
            completion_tokens=usage.completion_tokens,
            ttft_ms=round(usage.ttft_ms, 2),
            summary_calls=summaries.calls,
            summary_tokens=summaries.tokens,
            last_summary=newest,
        )

    def _probe(self, number: int, probe: Probe, session_id: str, after: int) -> ProbeRow:
        with _fork(self._engine.sessions, self._place) as sessions:
            engine = put_together(
                self._engine.settings,
                memory=self._engine.memory,
                sessions=sessions,
                backend=self._backend,
            )
            return self._ask(engine, number, probe, session_id, after)

    def _ask(self, engine: Engine, number: int, probe: Probe, session_id: str, after: int) -> ProbeRow:
        ready, done = self._turn(number, probe.question, session_id, None, engine)
        shown = "\n".join(m.content for m in ready.prompt.messages)
        usage = done.usage or _NO_ANSWER
        return ProbeRow(
            step=number,
            question=probe.question,
            expect=probe.expect,
            after=after,
            age=after - min(probe.proof) if probe.proof else None,
            reply=done.text,
            recalled=probe.is_answered_by(done.text),
            in_prompt=probe.is_answered_by(shown),
            prompt_tokens=usage.prompt_tokens,
            ttft_ms=round(usage.ttft_ms, 2),
        )

    def _idle(self, session_id: str) -> None:
        self._engine.idle(session_id, self._stop)

    def _turn(
        self, number: int, text: str, session_id: str, reply: str | None, engine: Engine | None = None
    ) -> tuple[PromptReady, TurnFinished]:
        """One turn with the seed and time of its step. reply: what is stored in place of the answer."""
        engine = engine or self._engine
        cancel = self._stop if reply is None else threading.Event()
        request = TurnRequest(
            text, session_id, seed=self._course.seed + number, now=self._course.when(number)
        )
        ready: PromptReady | None = None
        done: TurnFinished | None = None
        for event in engine.turn(request, cancel):
            if isinstance(event, PromptReady):
                ready = event
            elif isinstance(event, TurnFinished):
                done = event
            elif isinstance(event, TextDelta | ThinkingDelta) and reply is not None:
                cancel.set()
        assert ready is not None, "a turn that ends well has told its prompt"
        assert done is not None, "the engine ends every turn with TurnFinished, or raises"
        if reply is not None:
            engine.sessions.update_reply(
                done.reply_turn_id, text=reply, thinking="", status="complete", usage=done.usage
            )
            done = replace(done, text=reply, thinking="", status="complete")
        return ready, done


@contextmanager
def _fork(sessions: SessionStore, place: Path) -> Iterator[SessionStore]:
    """A copy of the store as it is now, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        copy = Path(folder) / "fork.sqlite3"
        sessions.rows("VACUUM INTO ?", (str(copy),))
        with closing(SessionStore(copy)) as fork:
            yield fork
