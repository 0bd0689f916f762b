"""Whole conversations on the real engine: within budget, repeatable, and safe against a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tiny_model import write_scripted_qwen3

from persona import paths
from persona.backends.base import Backend
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, Retrieved, TurnFinished, TurnRequest
from persona.chat.opening import open_engine, open_memory, open_sessions
from persona.config import ChatSettings, Compression, ModelSettings, Settings

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TURNS = 60
WINDOW = 1024

SCRIPT = [
    line.format(n=n)
    for n in range(TURNS // 4)
    for line in (
        "hi, it's me again, how is day {n} going?",
        "My colleague Person{n} moved to Town{n} on {n} May because the rent was lower.",
        "Where did Person{n} move, and why?",
        "I decided that project {n} is called Falcon{n}. We start with {n}00 euros and see what comes of it.",
    )
]


@pytest.fixture
def tiny(tiny_model_path: Path) -> Iterator[Backend]:
    from persona.backends.llama_cpp import LlamaCppBackend

    backend = LlamaCppBackend(tiny_model_path, ModelSettings(context=WINDOW, threads=1))
    yield backend
    backend.close()


def engine(backend: Backend, settings: Settings | None = None) -> Engine:
    settings = settings or Settings(chat=ChatSettings(reply_tokens=48))
    return Engine(
        memory=open_memory(settings),
        sessions=open_sessions(),
        backend=backend,
        settings=settings,
        card=PersonaCard("Mira Sol", "Name: Mira Sol\nLanguages: English\nStyle: short messages"),
    )


def talk(
    twin: Engine, compression: Compression, turns: int = TURNS
) -> tuple[str, list[PromptReady], list[TurnFinished]]:
    """The first turns of the script, with the idle work a door would do."""
    session = twin.sessions.create()
    prompts, replies = [], []
    for n, text in enumerate(SCRIPT[:turns]):
        request = TurnRequest(text, session.id, compression=compression, seed=n, now=NOW)
        for event in twin.turn(request):
            if isinstance(event, PromptReady):
                prompts.append(event)
            elif isinstance(event, TurnFinished):
                replies.append(event)
        twin.idle(session.id)
    return session.id, prompts, replies


def check(twin: Engine, backend: Backend, compression: Compression) -> None:
    session_id, prompts, replies = talk(twin, compression)
    assert len(replies) == TURNS
    for ready, done in zip(prompts, replies, strict=True):
        assert done.usage
        assert done.usage.prompt_tokens == ready.tokens <= ready.budget < backend.info.context
    assert max(p.tokens for p in prompts) > prompts[0].budget / 2, "the history never filled the window"
    assert len(twin.sessions.turns(session_id)) == 2 * TURNS
    said = [m.content for m in prompts[-1].prompt.messages]
    assert ("Earlier in this chat:" in said[0]) == (compression != "off")
    for number in {int(part.split(")")[0]) for part in said[0].split("(turn ")[1:]}:
        assert 1 <= number < TURNS


@pytest.mark.parametrize("compression", ["extractive", "abstractive", "off"])
def test_sixty_turns_never_pass_the_budget(tiny: Backend, compression: Compression) -> None:
    check(engine(tiny), tiny, compression)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["extractive", "abstractive", "off"])
def test_sixty_turns_with_the_starter_never_pass_the_budget(
    starter_backend: Backend, compression: Compression
) -> None:
    check(engine(starter_backend), starter_backend, compression)


def test_between_folds_the_prefix_comes_from_the_cache(tiny: Backend) -> None:
    _, _, replies = talk(engine(tiny), "extractive", 16)
    usages = [r.usage for r in replies if r.usage]
    shares = [u.cached_tokens / u.stable_tokens for u in usages[1:]]
    assert min(shares) >= 0.95, "after idle work, a fold included, only the tail is left to evaluate"


def test_the_same_seed_clock_and_model_give_the_same_reply(tiny: Backend) -> None:
    def said() -> list[str]:
        session = None
        texts = []
        twin = engine(tiny)
        for n, text in enumerate(SCRIPT[:4]):
            *_, done = twin.turn(TurnRequest(text, session, seed=n, now=NOW))
            assert isinstance(done, TurnFinished)
            session = done.session_id
            texts.append(done.text)
        return texts

    first = said()
    assert first == said()
    assert all(first)


_SLOW_SPEAKER = """
import sys, time
from pathlib import Path
from persona.backends.llama_cpp import LlamaCppBackend
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.events import TurnRequest
from persona.chat.opening import open_memory, open_sessions
from persona.backends.base import TextDelta
from persona.config import ModelSettings, Settings

settings = Settings()
backend = LlamaCppBackend(Path(sys.argv[1]), ModelSettings(context=1024, threads=1))
twin = Engine(memory=open_memory(settings), sessions=open_sessions(), backend=backend,
              settings=settings, card=PersonaCard("Mira", ""))
for event in twin.turn(TurnRequest("remember this message")):
    if isinstance(event, TextDelta):
        print("said", flush=True)
        time.sleep(0.05)
"""


def test_kill_nine_in_the_middle_of_a_reply_keeps_message_and_partial_reply(
    tmp_path: Path, persona_home: Path
) -> None:
    model = write_scripted_qwen3(tmp_path / "endless.gguf", ["la la"], endless=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW_SPEAKER, str(model)],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
        text=True,
    )
    assert process.stdout
    for _ in range(15):
        assert process.stdout.readline() == "said\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    sessions = open_sessions()
    [session] = sessions.list()
    asked, reply = sessions.turns(session.id)
    assert (asked.text, asked.status) == ("remember this message", "complete")
    assert reply.status == "partial"
    assert len(reply.text) >= 5
    assert session.title == "remember this message"


def test_what_the_owner_wrote_reaches_the_prompt_and_stays_within_its_budget(tiny_model_path: Path) -> None:
    settings = Settings(model=ModelSettings(context=2048, threads=1))
    with closing(open_memory(settings)) as memory:
        memory.ingest([paths.sample_dir() / "slack_export.zip"], me=["Mira Sol"])
    with closing(open_engine(settings, model=str(tiny_model_path))) as twin:
        assert twin.card.name == "Mira Sol"
        assert paths.card_file().read_text(encoding="utf-8").startswith("Name: Mira Sol\n")
        request = TurnRequest("What is your cat called?", seed=1, max_tokens=16, now=NOW)
        _, found, ready, *_, done = twin.turn(request)
        assert isinstance(found, Retrieved)
        assert isinstance(ready, PromptReady)
        assert isinstance(done, TurnFinished)
        assert "knödel" in ready.prompt.messages[-1].content
        assert ready.section_tokens["memories"] <= settings.memory.budget_tokens
        stored = twin.sessions.turn(done.reply_turn_id)
        assert [m.id for m in stored.memories] == [m.id for m in found.memories]
        assert all(twin.memory.message(m.id) for m in stored.memories)
