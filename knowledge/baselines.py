"""Plainer ways to rank single messages, for measuring what the retriever adds. No rules, no neighbours."""

from collections.abc import Callable

from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.lexical import terms

Ranker = Callable[[str, int], list[int]]
"""From a question and a number k to the archive keys of the k best messages, best first."""


def by_words(archive: Archive) -> Ranker:
    """BM25 over single messages, as full-text search gives it."""

    def rank(question: str, k: int) -> list[int]:
        wanted = " OR ".join(f'"{word}"' for word in terms(question))
        if not wanted:
            return []
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT ?"
        return [int(key) for (key,) in archive.rows(sql, (wanted, k))]

    return rank


def by_meaning(index: VectorIndex, embedder: Embedder) -> Ranker:
    """Cosine over single messages: a vector store and nothing else."""

    def rank(question: str, k: int) -> list[int]:
        # a long message has several vectors and counts once
        found = index.nearest(embedder.embed([question])[0], 4 * k)
        return sorted(found, key=lambda key: (-found[key], key))[:k]

    return rank
