"""Kill an import with embedding at random points, go on to the end, and compare with one that was left alone.

    python scripts/measure_kills.py [--kills 20] [--messages 400] [--seed 0] [--together]

Each point is a home of its own whose first import is killed (SIGKILL) after a random part of the time that
the undisturbed one took, and is then run again to the end; with --together one home is killed at all points,
one after the other. The archive must hold the same rows, the index the same ids, and every vector must have
a cosine of at least 0.999 with that of the undisturbed run. The exit code is 1 where that is not so.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SAME = 0.999
_IMPORT = """
import sys
from pathlib import Path
from knowledge.memory import MemoryStore
store = MemoryStore(Path(sys.argv[1]))
print("begun", flush=True)
store.ingest([Path(sys.argv[2])], me=["U0"])
store.embed_pending()
store.close()
"""
_ROWS = """
    SELECT m.id, c.id, c.name, i.id, i.name, i.is_self, m.kind, m.sent_at, m.sent_offset, m.text, m.thread,
           m.reply_to, m.raw, m.edited_at, m.flags
    FROM messages m JOIN conversations c ON c.key = m.conversation JOIN identities i ON i.key = m.author
    ORDER BY m.id
"""
_FOUND = "SELECT m.id FROM words w JOIN messages m ON m.key = w.rowid WHERE words MATCH ? ORDER BY m.id"


def start(home: Path, export: Path) -> "subprocess.Popen[bytes]":
    """An import with embedding, in a process of its own that has begun in earnest."""
    command = [sys.executable, "-c", _IMPORT, str(home), str(export)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return process


def finish(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end. Raises RuntimeError where it is not a good one."""
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode())


def kill_after(seconds: float, home: Path, export: Path) -> bool:
    """Whether the import was still at work when it was killed."""
    process = start(home, export)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


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
    process = start(undisturbed, export)
    began = time.monotonic()
    finish(process)
    took = time.monotonic() - began
    chance, wrong, hit = random.Random(seed), [], 0
    points = [chance.uniform(0, took) for _ in range(kills)]
    homes = [points] if together else [[point] for point in points]
    for number, home_points in enumerate(homes):
        home = scratch / f"home-{number}"
        hit += sum(kill_after(point, home, export) for point in home_points)
        finish(start(home, export))
        if trouble := difference(home, undisturbed):
            wrong.append(f"killed after {home_points} s of {took:.1f}: {trouble}")
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
