"""Evidence recall of the retriever on the LoCoMo format (Maharana et al., ACL 2024).

Each conversation becomes a throw-away archive of its turns (text and photo caption, speaker, session
date); turns are ranked by the chat's own retriever, without threshold and without budget, and by weaker
variants of it for comparison. Recall@k is the share of a question's evidence turns among the first k,
averaged over questions.
"""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from knowledge.archive import Archive
from knowledge.baselines import Ranker, by_meaning, by_words
from knowledge.embedding import Embedder
from knowledge.errors import PersonaError
from knowledge.index import VectorIndex
from knowledge.progress import Progress
from knowledge.records import Identity, ImportReport, Memory, Message
from knowledge.reranking import Reranker
from knowledge.retrieval import Retriever

ADVERSARIAL = "5"
"""The category whose questions nothing answers; the right behaviour is to serve nothing."""

OURS = "retriever"
WORDS_ONLY = "retriever, words only"
VECTORS = "vectors of single turns"
BM25 = "BM25 of single turns"

_BUDGET = 600
_EVIDENCE = re.compile(r"D(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class _Question:
    """A question, its category, and the turns that prove its answer."""

    text: str
    category: str
    proof: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one question gave under one method: recall by k, milliseconds."""

    method: str
    category: str
    recall: dict[int, float]
    ms: float


@dataclass(frozen=True, slots=True)
class _Served:
    """What the chat would show for one question, with threshold and budget."""

    category: str
    tokens: int


def evaluate(
    file: Path,
    ks: Sequence[int] = (5, 10, 20),
    *,
    embedding_model: str = "",
    reranker: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Recall at each of `ks`, over all questions and by category, in the form of `eval locomo --json`.

    variants: the same figures of weaker methods on the same questions. served_tokens_mean and abstained
    are measured with the threshold and a budget of 600 tokens, at four characters a token. Times are one
    query's ranking each, question embedded. reranker: a cross-encoder by name or folder, "" for none. Raises
    PersonaError when the file is not of that format.
    """
    samples = read(file)
    embedder, second = Embedder(embedding_model), Reranker(reranker) if reranker else None
    asked: list[_Asked] = []
    served: list[_Served] = []
    for number, sample in enumerate(samples):
        with tempfile.TemporaryDirectory() as folder:
            for found in _ask_all(sample, Path(folder), embedder, second, ks):
                asked.append(found) if isinstance(found, _Asked) else served.append(found)
        if progress:
            progress(Progress("conversations", number + 1, len(samples)))
    if not asked:
        raise PersonaError(f"{file} holds no question with usable evidence", "is it a LoCoMo file?")
    methods = {a.method: [b for b in asked if b.method == a.method] for a in asked}
    ours = methods.pop(OURS)
    categories = sorted({a.category for a in ours})
    abstained = {c: [not s.tokens for s in served if s.category == c] for c in categories}
    return {
        "questions": len(ours),
        "recall": _recall(ours, ks),
        "by_category": {
            c: {"questions": len(group), **_recall(group, ks)}
            for c in categories
            for group in [[a for a in ours if a.category == c]]
        },
        "served_tokens_mean": round(mean(s.tokens for s in served), 1),
        "abstained": {c: round(mean(group), 4) for c, group in abstained.items()},
        **_times(ours),
        "variants": {
            name: {"recall": _recall(group, ks), **_times(group)} for name, group in sorted(methods.items())
        },
    }


def _recall(asked: Sequence[_Asked], ks: Sequence[int]) -> dict[str, float]:
    return {str(k): round(mean(a.recall[k] for a in asked), 4) for k in ks}


def _times(asked: Sequence[_Asked]) -> dict[str, float]:
    times = [a.ms for a in asked]
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return {"query_ms_p50": round(cuts[9], 2), "query_ms_p95": round(cuts[18], 2)}


def _ask_all(
    sample: dict[str, Any], folder: Path, embedder: Embedder, reranker: Reranker | None, ks: Sequence[int]
) -> Iterator[_Asked | _Served]:
    archive = Archive(folder / "archive.sqlite3")
    index = VectorIndex(folder / "index", archive, embedder)
    try:
        messages = list(_messages(sample["conversation"]))
        archive.add(messages, ImportReport(str(folder), "locomo"))
        now = max(m.sent_at for m in messages) + timedelta(days=1)
        questions = list(_questions(sample["qa"], {m.id for m in messages}))
        retriever = Retriever(archive, index, embedder, reranker)

        def full(question: str, k: int) -> list[int]:
            ranking = retriever.reranked(retriever.rank(question, now=now))
            return [int(key) for key in ranking.timeline.key[ranking.order[:k]]]

        # without its vectors the retriever has words alone to go by
        yield from _ask(archive, WORDS_ONLY, full, questions, ks)
        index.fill()
        yield from _ask(archive, OURS, full, questions, ks)
        yield from _ask(archive, VECTORS, by_meaning(index, embedder), questions, ks)
        yield from _ask(archive, BM25, by_words(archive), questions, ks)
        for question in questions:
            memories = retriever.search(question.text, now=now, budget_tokens=_BUDGET, cost=_tokens)
            yield _Served(question.category, _tokens(memories))
    finally:
        index.close()
        archive.close()


def _ask(
    archive: Archive, method: str, rank: Ranker, questions: Sequence[_Question], ks: Sequence[int]
) -> Iterator[_Asked]:
    if questions:
        rank(questions[0].text, max(ks))  # what is opened with the first query is no part of its time
    for question in questions:
        begun = time.perf_counter()
        keys = rank(question.text, max(ks))
        ms = (time.perf_counter() - begun) * 1000
        stored = archive.by_key(keys)
        ranked = [stored[k].id for k in keys]
        recall = {k: len(question.proof & set(ranked[:k])) / len(question.proof) for k in ks}
        yield _Asked(method, question.category, recall, ms)


def _questions(rows: Sequence[dict[str, Any]], ids: set[str]) -> Iterator[_Question]:
    for row in rows:
        if proof := evidence(row.get("evidence") or [], ids):
            yield _Question(str(row["question"]), str(row["category"]), frozenset(proof))


def _tokens(memories: Sequence[Memory]) -> int:
    """An estimate: four characters a token, and six tokens for date and author of each line."""
    lines = {m.id: m.text for m in memories}
    lines |= {n.id: n.text for m in memories for n in (*m.before, *m.after) if n.id not in lines}
    return sum(len(text) // 4 + 7 for text in lines.values())


def _messages(conversation: dict[str, Any]) -> Iterator[Message]:
    for number, began, turns in sessions(conversation):
        for n, turn in enumerate(turns):
            yield Message(
                id=turn["dia_id"],
                source="locomo",
                conversation_id=f"session_{number}",
                conversation=f"session {number}",
                author=Identity(f"locomo:{turn['speaker']}", turn["speaker"]),
                sent_at=began + timedelta(seconds=30 * n),
                text=said(turn),
            )


def said(turn: dict[str, Any]) -> str:
    """The words of a turn, with what its photo shows."""
    caption = turn.get("blip_caption")
    return f"{turn['text']} [photo: {caption}]" if caption else str(turn["text"])


def sessions(conversation: dict[str, Any]) -> Iterator[tuple[int, datetime, list[dict[str, Any]]]]:
    """Number, beginning and turns of the sessions that exist; some files date sessions that do not."""
    found = (re.fullmatch(r"session_(\d+)", key) for key in conversation)
    for number in sorted(int(m[1]) for m in found if m and conversation[m[0]]):
        began = datetime.strptime(conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y")
        yield number, began.replace(tzinfo=UTC), conversation[f"session_{number}"]


def evidence(written: Iterable[Any], ids: set[str]) -> set[str]:
    """The turns that prove an answer; what is malformed is read as far as it can be."""
    found = (m for text in written for m in _EVIDENCE.finditer(str(text)))
    return {f"D{int(m[1])}:{int(m[2])}" for m in found} & ids


def read(file: Path) -> list[dict[str, Any]]:
    """The conversations of a file; PersonaError when it is not of that format."""
    try:
        samples = json.loads(file.read_text(encoding="utf-8"))
        if not all("conversation" in s and "qa" in s for s in samples):
            raise ValueError("no conversations")
    except (OSError, ValueError, TypeError) as error:
        raise PersonaError(
            f"{file} cannot be read as a LoCoMo file: {error}", "give the benchmark's JSON file"
        ) from error
    return list(samples)
