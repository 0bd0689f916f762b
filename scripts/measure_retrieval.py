"""How well the retriever finds what proves an answer, on data that is neither LoCoMo nor the sample's test.

    python scripts/measure_retrieval.py [--seeds 4] [--json]

Generated talks of two friends, and of somebody with six friends who is asked as "you" (scripts/friends.py):
recall@k as `persona eval locomo` counts it, where what another told than the person asked for is evidence,
too; and the share of questions served something, where there is an answer and where there is none. Constants
of retrieval are chosen here and on the dev questions of the sample.
"""

import argparse
import json
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import mean
from typing import Any

from friends import Talks, talks

from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.retrieval import Retriever

KS = (1, 5, 10, 20)


def measure(found: Talks, embedder: Embedder, folder: Path) -> list[dict[str, Any]]:
    """For each question: recall by k (None without evidence), whether it has an answer and is served."""
    with closing(VectorIndex(folder / "index", found.archive, embedder)) as index:
        index.fill()
        retriever = Retriever(found.archive, index, embedder)
        ids = dict(found.archive.rows("SELECT key, id FROM speech"))
        rows = []
        for question in found.questions:
            ranking = retriever.rank(question.text, now=found.now)
            ranked = [ids[int(key)] for key in ranking.timeline.key[ranking.order[: max(KS)]]]
            proof = question.proof or question.elsewhere
            recall = {k: len(proof & set(ranked[:k])) / len(proof) for k in KS} if proof else None
            answered = bool(question.proof)
            rows.append({"recall": recall, "answered": answered, "served": not ranking.is_weak()})
        return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The means of what was measured."""
    shown = [row for row in rows if row["recall"]]
    elsewhere = [row for row in shown if not row["answered"]]
    return {
        "questions": len(shown),
        "recall": {str(k): round(mean(row["recall"][k] for row in shown), 4) for k in KS},
        "told_by_another": {str(k): round(mean(row["recall"][k] for row in elsewhere), 4) for k in KS},
        "served": round(mean(row["served"] for row in rows if row["answered"]), 4),
        "without_answer": sum(not row["answered"] for row in rows),
        "served_without_answer": round(mean(row["served"] for row in rows if not row["answered"]), 4),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="archives of each kind")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    embedder = Embedder()
    found = {}
    for name, owner in (("two friends", False), ("somebody and six friends", True)):
        rows = []
        for seed in range(given.seeds):
            with tempfile.TemporaryDirectory() as folder:
                rows += measure(talks(seed, owner=owner), embedder, Path(folder))
        found[name] = summary(rows)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, figures in found.items():
        print(f"{name}:")
        for key, value in figures.items():
            print(f"  {key.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
