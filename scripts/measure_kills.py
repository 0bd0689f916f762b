"""Kill an import with embedding at random points, go on to the end, and compare with one that was left alone.

    python scripts/measure_kills.py [--kills 20] [--messages 400] [--seed 0] [--together]

Each point is a home of its own whose first import is killed (SIGKILL) after a random part of the time that
the undisturbed one took (once more, sooner, where it was done by then), and is then run again to the end;
with --together one home is killed at all points, one after the other. The archive must hold the same rows,
the index the same ids, and every vector must have a cosine of at least 0.999 with that of the undisturbed
run. The exit code is 1 where that is not so.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SAME = 0.999
_ROWS = """
    SELECT m.id, c.id, c.name, i.id, i.name, i.is_self, m.kind, m.sent_at, m.sent_offset, m.text, m.thread,
           m.reply_to, m.raw, m.edited_at, m.flags
    FROM messages m JOIN conversations c ON c.key = m.conversation JOIN identities i ON i.key = m.author
    ORDER BY m.id
"""
_FOUND = "SELECT m.id FROM words w JOIN messages m ON m.key = w.rowid WHERE words MATCH ? ORDER BY m.id"


def warm() -> None:
    """Load the embedding model once, for every import that is forked from here; with one thread it may be."""
    import chromadb  # noqa: F401 (half a second of every import otherwise)
    import torch

    from knowledge.embedding import Embedder

    torch.set_num_threads(1)
    Embedder().embed(["warm"])


def start(home: Path, export: Path) -> int:
    """An import with embedding in a process of its own; its id."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        from knowledge.memory import MemoryStore

        store = MemoryStore(home)
        store.ingest([export], me=["U0"])
        store.embed_pending()
        store.close()
        code = 0
    finally:
        os._exit(code)


def finish(child: int) -> None:
    """Wait for the end. Raises RuntimeError where it is not a good one."""
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"an import ended with status {status}")


def kill_after(seconds: float, home: Path, export: Path) -> bool:
    """Whether the import was still at work when it was killed."""
    child = start(home, export)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def contents(home: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], int, dict[str, Any]]:
    """Rows of the archive, what a search for a word finds, how many wait, and vectors by id and passage."""
    import chromadb
    from chromadb.config import Settings

    from knowledge.archive import Archive

    archive = Archive(home / "archive.sqlite3")
    keys = dict(archive.rows("SELECT key, id FROM messages"))
    ((waiting,),) = archive.rows("SELECT COUNT(*) FROM waiting")
    rows, words = archive.rows(_ROWS), archive.rows(_FOUND, ("ba*",))
    archive.close()
    client = chromadb.PersistentClient(str(home / "index"), Settings(anonymized_telemetry=False))
    found = client.get_collection("speech", embedding_function=None).get(include=["embeddings"])
    client.close()
    ids = [id.partition(".") for id in found["ids"]]
    named = [f"{keys.get(int(key), 'nobody')}.{piece}" for key, _, piece in ids]
    return rows, words, waiting, dict(zip(named, found["embeddings"], strict=True))


def difference(home: Path, undisturbed: Path) -> str:
    """What is not as in the undisturbed home; "" where all is."""
    rows, words, waiting, vectors = contents(home)
    rows_due, words_due, _, vectors_due = contents(undisturbed)
    if rows != rows_due:
        return f"archive: {len(rows)} rows for {len(rows_due)}, or others"
    if words != words_due:
        return "the word index finds other messages"
    if waiting:
        return f"{waiting} messages still wait"
    if vectors.keys() != vectors_due.keys():
        return f"index: {len(vectors)} ids for {len(vectors_due)}, or others"
    worst = min(float(vectors[id] @ vectors_due[id]) for id in vectors_due)
    return "" if worst >= SAME else f"a vector of cosine {worst:.4f}"


def measure(export: Path, scratch: Path, kills: int, seed: int, *, together: bool) -> list[str]:
    """A line for each home that differs."""
    undisturbed = scratch / "undisturbed"
    warm()
    began = time.monotonic()
    finish(start(undisturbed, export))
    took = time.monotonic() - began
    chance, hit = random.Random(seed), 0
    points = [chance.uniform(0, took) for _ in range(kills)]
    homes = {scratch / f"home-{n}": [point] for n, point in enumerate(points)}
    if together:
        homes = {scratch / "home": points}
    for home, its_points in homes.items():
        for point in its_points:
            while not (met := kill_after(point, home, export)) and not together:
                shutil.rmtree(home)
                point *= 0.7
            hit += met
        finish(start(home, export))
    # the index is opened here only when nothing is forked any more: it keeps threads
    found = {home: difference(home, undisturbed) for home in homes}
    wrong = [f"killed after {homes[home]} s: {trouble}" for home, trouble in found.items() if trouble]
    print(
        f"{kills} points over {took:.1f} s, {hit} met it at work, {len(wrong)} of {len(homes)} homes differ"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", action="store_true", help="kill one home at all points")
    args = parser.parse_args()
    from measure_import import generate

    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "slack.zip"
        generate(export, args.messages, args.seed)
        wrong = measure(export, Path(folder), args.kills, args.seed, together=args.together)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
