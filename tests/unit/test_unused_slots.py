"""Chroma's vector files hold vectors and nothing else of what the process had in memory."""

import sys
from pathlib import Path

import chromadb
import pytest
from chromadb.config import Settings

from knowledge.unused_slots import blank

SECRET = b"what was just forgotten"
COUNT, USED_BYTES = 3, {"data_level0.bin": 3 * (4 * 8 + 140), "length.bin": 3 * 4}


def add(folder: Path, ids: list[str]) -> list[str]:
    """Add vectors to the collection in `folder`; the ids nearest to the last of them."""
    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection(
        "vectors", embedding_function=None, configuration={"hnsw": {"sync_threshold": 3, "batch_size": 3}}
    )
    vectors = [[float(ord(id) ** n % 7 + 0.1) for n in range(8)] for id in ids]
    collection.add(ids=ids, embeddings=vectors)  # type: ignore[arg-type]
    found = collection.query(query_embeddings=[vectors[-1]], n_results=1)["ids"][0]  # type: ignore[arg-type]
    client.close()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be written there")
def test_a_forgotten_text_stays_in_no_unused_slot(tmp_path: Path) -> None:
    assert add(tmp_path, ["a", "b", "c"]) == ["c"]
    for name, used in USED_BYTES.items():
        [file] = tmp_path.rglob(name)
        whole = file.read_bytes()
        assert len(whole) > used + len(SECRET), "the file has unused slots"
        file.write_bytes(whole[: -len(SECRET)] + SECRET)
    blank(tmp_path)
    for name, used in USED_BYTES.items():
        [file] = tmp_path.rglob(name)
        assert not any(file.read_bytes()[used:]), name
    assert add(tmp_path, ["d", "e", "f"]) == ["f"], "the index goes on as before"
