"""Opening an engine is cheap; the model comes with the first call that needs it, once."""

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from queued_backend import QueuedBackend
from tiny_model import write_scripted_qwen3

from knowledge.progress import Progress
from persona import paths
from persona.backends.base import Backend, TextDelta, ThinkingDelta
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest, TurnStarted
from persona.chat.opening import LazyBackend, open_engine, open_sessions
from persona.config import ModelSettings, Settings
from persona.errors import ModelError


@pytest.fixture
def heard() -> list[Progress]:
    return []


@pytest.fixture
def twin(tiny_model_path: Path, heard: list[Progress]) -> Iterator[Engine]:
    settings = Settings(model=ModelSettings(context=512, threads=1))
    engine = open_engine(settings, model=str(tiny_model_path), progress=heard.append)
    yield engine
    engine.close()


def test_the_message_is_stored_before_the_model_is_loaded(twin: Engine, heard: list[Progress]) -> None:
    events = twin.turn(TurnRequest("hello", seed=1, max_tokens=8))
    started = next(events)
    assert isinstance(started, TurnStarted)
    assert heard == []
    assert [t.text for t in open_sessions().turns(started.session_id)] == ["hello"]
    *_, done = events
    assert isinstance(done, TurnFinished)
    assert done.status == "complete"
    assert [p.done for p in heard] == [0, 1]
    assert twin.backend.info.name == "tiny random qwen3"


def test_load_loads_and_says_so(twin: Engine, heard: list[Progress]) -> None:
    twin.load()
    assert len(heard) == 2
    twin.load()
    assert len(heard) == 2


def test_an_unknown_model_is_refused_before_anything_is_stored() -> None:
    with pytest.raises(ModelError):
        open_engine(Settings(), model="no-such-model")
    assert not paths.sessions_file().exists()


def test_without_an_archive_the_twin_has_no_name_yet(twin: Engine) -> None:
    assert twin.card.name == "Persona"
    assert not paths.card_file().exists()


def test_a_backend_is_opened_once_whatever_the_threads() -> None:
    opened: list[Backend] = []

    def opener() -> Backend:
        opened.append(QueuedBackend())
        return opened[-1]

    lazy = LazyBackend(opener)
    threads = [threading.Thread(target=lazy.count_tokens, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


def test_a_closed_backend_opens_nothing() -> None:
    for used in (False, True):
        lazy = LazyBackend(QueuedBackend)
        if used:
            lazy.count_tokens("x")
        lazy.close()
        with pytest.raises(ModelError, match="closed"):
            lazy.count_tokens("x")


def test_a_closed_backend_still_tells_whose_model_it_held() -> None:
    lazy = LazyBackend(QueuedBackend)
    held = lazy.info
    lazy.close()
    assert lazy.info == held


def test_a_reply_that_closing_stops_is_kept_as_partial(tmp_path: Path) -> None:
    model = write_scripted_qwen3(tmp_path / "endless.gguf", ["la la"], endless=True)
    engine = open_engine(Settings(model=ModelSettings(name=str(model), context=4096, threads=1)))
    events = engine.turn(TurnRequest("go on and on " * 20, max_tokens=3000))
    next(e for e in events if isinstance(e, TextDelta | ThinkingDelta))
    closing = threading.Thread(target=engine.backend.close)
    closing.start()
    with pytest.raises(ModelError, match="closed"):
        all(engine.backend.count_tokens("x") for _ in count())
    *_, done = events
    closing.join()
    engine.close()
    assert isinstance(done, TurnFinished)
    assert done.status == "partial"
    assert done.text.startswith("la la")


def test_a_model_that_fails_to_load_is_tried_again() -> None:
    outcomes: list[Exception | None] = [ModelError("broken", "mend it"), None]

    def opener() -> Backend:
        if error := outcomes.pop(0):
            raise error
        return QueuedBackend()

    lazy = LazyBackend(opener)
    with pytest.raises(ModelError):
        lazy.count_tokens("x")
    assert lazy.count_tokens("two words") == 2
