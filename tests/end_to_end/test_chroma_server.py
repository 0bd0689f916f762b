"""The sample twin with its vectors in a Chroma server: the same memories as with them in files."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from knowledge.errors import ArchiveError
from knowledge.memory import MemoryStore
from persona import paths
from persona.chat.layout import memory_lines
from persona.chat.opening import open_memory
from persona.config import MemorySettings, Settings

NOW = datetime.fromisoformat("2026-11-21T14:03:00+00:00")


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Chroma server on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("chroma")),
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    folder = tmp_path_factory.mktemp("chroma")
    server = subprocess.Popen(
        [*command, "--path", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and server.poll() is None:
            try:
                if httpx.get(f"{address}/api/v2/heartbeat", timeout=2, trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def served_copy(embedded: MemoryStore, home: Path, folder: Path, address: str) -> MemoryStore:
    """The same archive in `folder`, and the same vectors in the server, without computing them again."""
    folder.mkdir()
    shutil.copy(home / "data" / "knowledge" / "archive.sqlite3", folder)
    served = MemoryStore(folder, chroma_server=address)
    vectors = embedded._index._open()
    served._index.take(vectors, vectors.get(include=[])["ids"])
    return served


def cost(found: object) -> int:
    return sum(map(len, memory_lines(found))) // 4  # type: ignore[arg-type]


@pytest.mark.slow
def test_served_vectors_find_what_embedded_ones_find(
    sample_memory: MemoryStore, sample_home: Path, chroma: str, tmp_path: Path
) -> None:
    questions = [
        json.loads(line)["question"]
        for line in (paths.sample_dir() / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    with closing(served_copy(sample_memory, sample_home, tmp_path / "served", chroma)) as served:
        assert served.stats()["pending_embeddings"] == 0
        assert not (tmp_path / "served" / "index").exists()
        for question in questions:
            expected = sample_memory.search(question, now=NOW, cost=cost)
            found = served.search(question, now=NOW, cost=cost)
            assert [(m.id, round(m.score, 5)) for m in found] == [
                (m.id, round(m.score, 5)) for m in expected
            ], question


def test_a_twin_in_a_server_imports_forgets_and_stays_apart_from_others(chroma: str, tmp_path: Path) -> None:
    def twin(name: str, texts: list[str]) -> MemoryStore:
        file = tmp_path / f"{name}.jsonl"
        rows = [
            {"sent_at": f"2024-03-0{n}T10:00:00+00:00", "author": who, "text": text, "conversation": "c"}
            for n, (who, text) in enumerate(zip(("Ada", "Bo"), texts, strict=True), 1)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        store = MemoryStore(tmp_path / name, chroma_server=chroma)
        store.ingest([file], me=["Ada"])
        assert store.embed_pending() == 2
        return store

    first = twin("first", ["The rose garden is in bloom.", "My violin has a new string."])
    second = twin("second", ["We sail to the island.", "The harbour is closed."])
    with closing(first), closing(second):
        assert {held._index._open().count() for held in (first, second)} == {2}
        first.begin_forgetting(first.plan_forgetting("person", "Bo"))
        assert first.finish_forgetting() == 1
        assert first._index._open().count() == 1
        assert second._index._open().count() == 2
        assert first.rebuild() == 1


def test_a_server_elsewhere_or_gone_is_refused_in_words(tmp_path: Path) -> None:
    for address, says in (("http://192.0.2.1:8000", "another machine"), ("http://127.0.0.1:9", "answers")):
        settings = Settings(memory=MemorySettings(chroma_server=address))
        with closing(open_memory(settings)) as memory, pytest.raises(ArchiveError, match=says) as refused:
            memory.rebuild()
        assert refused.value.hint
