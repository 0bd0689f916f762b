"""Embedding beside a chat: real vectors from a real process that is polite, mended and never left behind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from export_samples import slack_files, slack_record, write_folder

from knowledge import index as index_module
from knowledge.embedding import BUNDLED, Embedder
from knowledge.embedding_process import Cancelled, EmbeddingProcess
from knowledge.errors import ArchiveError, ModelError
from knowledge.memory import MemoryStore
from knowledge.progress import Progress

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TALK = ("our dog sleeps on the sofa", "rain again", "I bought a second-hand accordion", "früh auf 🦔")
QUESTION = "Which musical instrument did you get?"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    monkeypatch.setattr(index_module, "_BATCH", 1)
    records = [slack_record(text, f"{1710240000 + 90000 * n}.000100") for n, text in enumerate(TALK[:3])]
    store = MemoryStore(tmp_path / "knowledge")
    store.ingest([write_folder(tmp_path / "export", slack_files(*records))], me=["mira"])
    yield store
    store.close()


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_its_vectors_are_those_of_the_embedder() -> None:
    with EmbeddingProcess(BUNDLED) as process:
        vectors = process.embed(TALK)
        pid = process.pid
        assert pid is not None
        if hasattr(os, "getpriority"):
            assert os.getpriority(os.PRIO_PROCESS, pid) >= min(19, os.nice(0) + 10)
        assert np.allclose(vectors, Embedder().embed(TALK), atol=1e-5)
    assert not runs(pid)


def test_a_kill_from_outside_is_told_and_the_next_call_begins_anew() -> None:
    with EmbeddingProcess(BUNDLED) as process:
        process.embed(["one"])
        assert process.pid is not None
        os.kill(process.pid, 9)
        with pytest.raises(ModelError, match="ended early"):
            process.embed(["two"])
        assert process.embed(["three"]).shape == (1, 384)


def test_a_cancel_frees_who_waits_while_the_model_is_still_loading() -> None:
    cancel = threading.Event()
    with EmbeddingProcess(BUNDLED, cancel) as process:
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(Cancelled):
            process.embed(["a long text " * 50] * 500)
        assert process.pid is None
        with pytest.raises(Cancelled):
            process.embed(["four"])


def test_a_model_that_is_not_there_is_told_as_in_the_same_process(tmp_path: Path) -> None:
    with EmbeddingProcess(str(tmp_path / "no-model")) as process, pytest.raises(ModelError) as caught:
        process.embed(["one"])
    assert "embedding_model" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="ends a process the way of POSIX")
@pytest.mark.parametrize("after", ["p.embed(['one'])", "Thread(target=p.embed, args=(['one'],)).start()"])
def test_it_ends_with_the_process_that_started_it(after: str) -> None:
    code = (
        "import os, time; from threading import Thread\n"
        "from knowledge.embedding_process import EmbeddingProcess as P\n"
        f"p = P('all-MiniLM-L6-v2'); {after}\n"
        "while not p.pid: time.sleep(0.01)\n"
        "print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    assert soon(lambda: not runs(pid))


def test_what_is_embedded_apart_is_found_by_meaning_and_goes_on_after_a_cancel(store: MemoryStore) -> None:
    cancel = threading.Event()

    def first_only(_: Progress) -> None:
        cancel.set()

    assert store.embed_pending(first_only, cancel, apart=True) == 1
    assert store.search("accordion", now=NOW, cost=len)[0].text == TALK[2]
    assert store.embed_pending(apart=True) == 2
    assert store.search(QUESTION, now=NOW, cost=len)[0].text == TALK[2]


def test_only_one_at_a_time_writes_the_index(store: MemoryStore, tmp_path: Path) -> None:
    other = MemoryStore(tmp_path / "knowledge")
    tried: list[int] = []

    def meanwhile(_: Progress) -> None:
        if not tried:
            tried.append(other.embed_pending())
            with pytest.raises(ArchiveError, match="another program"):
                other.rebuild()

    assert store.embed_pending(meanwhile) == 3
    assert tried == [0]
    other.close()
