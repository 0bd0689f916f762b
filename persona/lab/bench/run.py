"""A whole bench: what is measured, in which order, in a home of its own that is gone afterwards."""

import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.progress import Progress
from persona import gates, machine, models, paths
from persona.backends.base import Backend
from persona.backends.cores import physical_cores
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.opening import put_together
from persona.chat.store import SessionStore
from persona.config import Compression, Settings
from persona.errors import ModelError
from persona.lab.bench import archives, first_token, overhead, random_model, speed, talk
from persona.lab.bench.forecast import Forecast, Work

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

Report = Callable[[Progress], None]

_SPEED, _FIRST, _TURNS = "reading and writing", "first words", "turns beside the bare engine"

# For the time left. Tokens: of an exchange of a made-up chat, of the longest prompt (whole, compressed), of
# what changes every turn, of a turn with memories. Seconds: to open a model, and of a search.
_AN_EXCHANGE, _ALL, _SHOWN, _TAIL, _A_TURN = 190, 5_100, 1_000, 40, 700
_OPENED, _SEARCH = 5.0, 0.05

COMPRESSIONS: tuple[Compression, ...] = ("off", "extractive")
_CARD = PersonaCard(talk.OWNER, f"Name: {talk.OWNER}\nStyle: short messages, mostly lower case")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. shape: of the random model, unless `model` names one that is here.

    runs: of each figure, of which the median is told. tokens: of each reply. turns: lengths of history.
    archives: sizes in messages; the last one is the archive that turns remember from.
    """

    model: str | None = None
    shape: str = "0.6b"
    runs: int = 3
    tokens: int = 128
    turns: tuple[int, ...] = (5, 200)
    archives: tuple[int, ...] = (1_000, 4_000)


def run(plan: Plan, settings: Settings, report: Report) -> dict[str, Any]:
    """Measure; the document of `bench --json`. Raises ModelError for a model that is not in this process."""
    path = _model(plan, report)
    settings = settings.model_copy(
        update={"model": settings.model.model_copy(update={"name": str(path)})},
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="persona-bench-")))
        sizes, retrieval = sorted(set(plan.archives)), []
        forecast = Forecast(_stages(plan, sizes), path.stat().st_size, report)
        for size in sizes:
            archives.make(folder / "archive", size, forecast)
            with _memory(folder / "archive") as memory:
                retrieval.append(archives.measure(memory, size))
        memory = stack.enter_context(_memory(folder / "archive"))
        backend = stack.enter_context(_closing(models.open_backend(settings.model)))
        sessions = stack.enter_context(_closing(SessionStore(folder / "sessions.sqlite3")))

        def engine(compression: Compression) -> Engine:
            chat = settings.chat.model_copy(update={"compression": compression})
            over = settings.model_copy(update={"chat": chat})
            return put_together(over, memory=memory, sessions=sessions, backend=backend, card=_CARD)

        usual = engine(settings.chat.compression)
        counted = _Counted(forecast, _SPEED, plan.runs)
        found: dict[str, Any] = speed.measure(usual, plan.runs, plan.tokens, counted)
        forecast.found(found["prefill_tps"], found["decode_tps"])
        rows = _first_tokens([engine(how) for how in COMPRESSIONS], plan, forecast)
        # one whole turn with memories: what a chat holds at once stands in the peak
        overhead.turn(usual, talk.question(sizes[-1], 0), 4)
        found["peak_mb"] = machine.peak_memory_mb()
        counted = _Counted(forecast, _TURNS, plan.runs)
        questions = [talk.question(sizes[-1], number) for number in range(1, plan.runs + 1)]
        found |= overhead.measure(usual, questions, plan.tokens, counted)
        about = _about(plan, backend, settings)
    return {
        **about,
        **found,
        "grade": gates.grade(found["decode_tps"]),
        "ttft_by_turn": rows,
        "retrieval": retrieval,
    }


def _first_tokens(engines: Sequence[Engine], plan: Plan, report: Report) -> list[dict[str, Any]]:
    counted = _Counted(report, _FIRST, sum(_prompts(plan)))
    return [
        row
        for engine in engines
        for row in first_token.measure(engine, sorted(plan.turns), plan.runs, counted)
    ]


def _stages(plan: Plan, sizes: Sequence[int]) -> dict[str, Work]:
    """What is still to be done after the model is there, stage by stage, in order."""
    grown = [size - before for before, size in pairwise([0, *sizes])]
    stages = {
        archives.stage(size): Work(messages=more, seconds=_OPENED + archives.QUERIES * _SEARCH)
        for size, more in zip(sizes, grown, strict=True)
    }
    prompts = _prompts(plan)
    stages[_SPEED] = Work(plan.runs * speed.READ, plan.runs * plan.tokens, seconds=_OPENED)
    stages[_FIRST] = Work(sum(prompts) + plan.runs * len(prompts) * _TAIL)
    stages[_TURNS] = Work((2 * plan.runs + 1) * _A_TURN, 2 * plan.runs * plan.tokens, seconds=_OPENED)
    return stages


def _prompts(plan: Plan) -> list[int]:
    """Tokens, about, of the prompts whose first words are timed, without compression and with it."""
    return [min(turns * _AN_EXCHANGE, most) for most in (_ALL, _SHOWN) for turns in plan.turns]


def _model(plan: Plan, report: Report) -> Path:
    if plan.model is None:
        report(Progress(f"a random model of the shape {plan.shape}", 0, 1))
        return random_model.ensure(plan.shape, paths.data_dir() / "bench")
    if models.is_server(plan.model):
        raise ModelError(
            "a model behind a server cannot be measured here", "give a GGUF file, or leave it out"
        )
    path = models.resolve(plan.model)
    if path.is_dir():
        raise ModelError("only llama.cpp is measured here", "give a GGUF file, or leave it out")
    return path


def _about(plan: Plan, backend: Backend, settings: Settings) -> dict[str, Any]:
    """What the figures are of: they compare only where this is the same."""
    info = backend.info
    return {
        "model": info.name,
        "parameters": info.parameters,
        "model_mb": round(int(info.details.get("size_bytes", 0)) / 1e6, 1),
        "context": info.context,
        "threads": settings.model.threads or physical_cores(),
        "runs": plan.runs,
        "tokens": plan.tokens,
        "machine": machine.in_words(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "measured_at": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


@contextmanager
def _memory(folder: Path) -> "Iterator[MemoryStore]":
    from knowledge.memory import MemoryStore

    with _closing(MemoryStore(folder)) as memory:
        yield memory


@contextmanager
def _closing(thing: Any) -> Iterator[Any]:
    try:
        yield thing
    finally:
        thing.close()


class _Counted:
    """Reports so much more done of a stage at each call."""

    def __init__(self, report: Report, stage: str, total: int) -> None:
        self._report, self._stage, self._total, self._done = report, stage, total, 0
        report(Progress(stage, 0, total))

    def __call__(self, amount: int = 1) -> None:
        self._done = min(self._done + amount, self._total)
        self._report(Progress(self._stage, self._done, self._total))
