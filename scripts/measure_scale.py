"""Retrieval at scale: time a query and recall as generated chatter is archived around the sample twin.

    python scripts/measure_scale.py [--home DIR] [--at DIR] [--messages 1000000] [--runs 1] [--seed 0]
        [--json]

The sample twin (embedded for real) is copied, and its 80 answerable questions are asked. Then generated
messages are archived by the ordinary door: each has the beginning of one message and the end of another,
chosen at random among those that prove nothing and stand beside no proof, in conversations and by people
of their own, over the same two years. Their vectors are not computed but drawn near
real ones: at as great a distance as the nearest neighbours of real messages have (the median cosine),
which saves hours. The vector index is filled by its ordinary door, too. Then the questions are asked again,
and forty made of the archive's most common words, with everything a query takes: embedding, words, meaning,
rules, reading the served messages. recall: share of questions with a proof among the first ten, no
threshold.

A quiet machine is needed for the times. Disk: about 3 GB for a million; memory: about 4 GB. Archiving and
indexing a million takes a quarter of an hour: `--at` keeps what was made, and a second run only asks.
"""

import argparse
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
from measure_abstention import NOW, answerable
from numpy.typing import NDArray

from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.records import Identity, ImportReport, Message
from knowledge.retrieval import Retriever
from persona import demo, paths

TEN, BATCH, CHANNELS, PEOPLE = 10, 4000, 300, 400
COMMON = 40
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Real:
    """What the chatter is made of: texts of messages that prove nothing, the vectors of some real ones, and
    the cosine of a nearest neighbour among them."""

    texts: Sequence[str]
    vectors: Floats
    near: float


def real(archive: Archive, embedder: Embedder) -> Real:
    """The sample's own messages, without its proofs and what stands beside them."""
    proofs = {id for question in answerable() for id in question["evidence"]}
    # without the chatter of a run that was stopped: made of the same texts again, it stays what it was
    rows = archive.rows(
        "SELECT id, text FROM speech WHERE id NOT LIKE 'scale:%' ORDER BY conversation, sent_at"
    )
    places = [n for n, (id, _) in enumerate(rows) if id in proofs]
    beside = {m for n in places for m in range(n - 2, n + 3)}
    texts = [text for n, (_, text) in enumerate(rows) if n not in beside and len(text.split()) > 3]
    vectors = embedder.embed(random.Random(0).sample(texts, min(1500, len(texts))))
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return Real(texts, vectors, float(np.median(cosines.max(axis=1))))


def chatter(source: Real, count: int, seed: int) -> Iterator[Message]:
    """Generated messages."""
    rng = random.Random(seed)
    people = [Identity(f"scale:{n}", f"Person {n}") for n in range(PEOPLE)]
    begin = NOW - timedelta(days=730)
    for n in range(count):
        first, second = (rng.choice(source.texts).split() for _ in range(2))
        text = " ".join([*first[: (len(first) + 1) // 2], *second[len(second) // 2 :]])
        channel = n // 40 % CHANNELS
        yield Message(
            id=f"scale:{n}",
            source="scale",
            conversation_id=f"scale:c{channel}",
            conversation=f"#chatter-{channel}",
            author=rng.choice(people),
            sent_at=begin + timedelta(seconds=730 * 86_400 * n / count),
            text=text,
        )


def drawn(source: Real, seed: int) -> Any:
    """What stands in for the embedder: unit vectors near real ones."""
    rng = np.random.default_rng(seed)
    sine = float(np.sqrt(max(0.0, 1 - source.near**2)))

    def embed(texts: Sequence[str]) -> Floats:
        centre = source.vectors[rng.integers(0, len(source.vectors), len(texts))]
        aside = rng.standard_normal(centre.shape).astype(np.float32)
        aside -= (aside * centre).sum(axis=1, keepdims=True) * centre
        aside /= np.linalg.norm(aside, axis=1, keepdims=True)
        return np.asarray(source.near * centre + sine * aside, dtype=np.float32)

    return embed


def common_questions(archive: Archive, seed: int) -> list[str]:
    """Questions of the words that most messages hold."""
    rng = random.Random(seed)
    sample = archive.rows("SELECT text FROM speech WHERE key % 7 = 0 LIMIT 20000")
    words = Counter(w for (text,) in sample for w in set(text.casefold().split()) if w.isalpha())
    top = [word for word, _ in words.most_common(120)]
    return [" ".join(rng.sample(top, rng.randint(3, 7))) + "?" for _ in range(COMMON)]


def ask(archive: Archive, retriever: Retriever, seed: int, runs: int) -> dict[str, Any]:
    """Recall, and milliseconds of a whole query."""
    hits = 0
    asked, times, common = answerable(), [], []
    _timed(retriever, asked[0]["question"])  # opens what is opened once
    for question in asked:
        ranking = retriever.rank(question["question"], now=NOW)
        keys = [int(key) for key in ranking.timeline.key[ranking.order[:TEN]]]
        hits += not {m.id for m in archive.by_key(keys).values()}.isdisjoint(question["evidence"])
    for _ in range(runs):
        times += [_timed(retriever, question["question"]) for question in asked]
        common += [_timed(retriever, question) for question in common_questions(archive, seed)]
    return {
        "messages": archive.rows("SELECT COUNT(*) FROM speech")[0][0],
        "recall_at_10": round(hits / len(asked), 4),
        "query_ms": _spread(times),
        "common_words_ms": _spread(common),
    }


def _timed(retriever: Retriever, question: str) -> float:
    begun = time.perf_counter()
    retriever.search(question, now=NOW, budget_tokens=600, cost=_tokens)
    return (time.perf_counter() - begun) * 1000


def _tokens(memories: Sequence[Any]) -> int:
    return sum(len(m.text) // 4 + 7 for m in memories)


def _spread(times: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(times, n=20, method="inclusive")
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "most": round(max(times), 1)}


def measure(home: Path, count: int, seed: int, runs: int) -> dict[str, Any]:
    """Ask, archive, index, ask again; `home` is written to. Only ask where it holds all of them."""
    os.environ["PERSONA_HOME"] = str(home)
    folder, embedder = paths.knowledge_dir(), Embedder()
    with (
        closing(Archive(folder / "archive.sqlite3")) as archive,
        closing(VectorIndex(folder / "index", archive, embedder)) as index,
    ):
        made = {}
        if archive.rows("SELECT COUNT(*) FROM speech")[0][0] < count or index.pending():
            before = ask(archive, Retriever(archive, index, embedder), seed, runs)
            made = {"before": before, **make(archive, index, embedder, count, seed)}
        after = ask(archive, Retriever(archive, index, embedder), seed, runs)
    return {
        **made,
        "after": after,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "disk_mb": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) // 2**20,
    }


def make(archive: Archive, index: VectorIndex, embedder: Embedder, count: int, seed: int) -> dict[str, float]:
    """Archive and index so many generated messages: the seconds of each, and how near neighbours are."""
    source = real(archive, embedder)
    begun = time.monotonic()
    messages = chatter(source, count, seed)
    while batch := list(islice(messages, BATCH)):
        archive.add(batch, ImportReport("scale", "scale"))
    archived = time.monotonic() - begun
    print(f"archived in {archived:.0f} s", file=sys.stderr)
    index.fill(lambda now: _tell(now.done, count), embed=drawn(source, seed))
    indexed = time.monotonic() - begun - archived
    return {
        "nearest_neighbours": round(source.near, 4),
        "archived_s": round(archived, 1),
        "indexed_s": round(indexed, 1),
    }


def _tell(done: int, count: int) -> None:
    if done % 6400 == 0:
        print(f"\rindexed {done:,} of {count:,}", end="", file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path, help="a home that holds the sample twin, embedded; it is copied")
    parser.add_argument(
        "--at", type=Path, help="where the million is made and kept; asked again if it is there"
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1, help="how often each question is timed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = given.at or Path(made) / "home"
        if given.home and not home.exists():
            shutil.copytree(given.home, home)
        elif not home.exists():
            print("preparing the sample twin …", file=sys.stderr)
            demo.prepare(home)
        found = measure(home, given.messages, given.seed, given.runs)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print("| messages | recall@10 | ms a query, p50 / p95 / most | of common words |\n|---|---|---|---|")
    for row in (found[when] for when in ("before", "after") if when in found):
        ms, common = (_said(row[name]) for name in ("query_ms", "common_words_ms"))
        print(f"| {row['messages']:,} | {row['recall_at_10']:.3f} | {ms} | {common} |")
    if "before" in found:
        print(f"archived in {found['archived_s']} s, indexed in {found['indexed_s']} s")
        print(f"nearest neighbours at a cosine of {found['nearest_neighbours']}")
    print(f"{found['disk_mb']} MB on disk, peak of memory {found['peak_mb']} MB")


def _said(spread: dict[str, float]) -> str:
    return " / ".join(str(spread[name]) for name in ("p50", "p95", "most"))


if __name__ == "__main__":
    main()
