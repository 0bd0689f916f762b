"""Evidence recall of the retriever on the LoCoMo format (Maharana et al., ACL 2024).

Each conversation becomes a throw-away archive of its turns (text and photo caption, speaker, session
date); turns are ranked by the chat's own retriever, without threshold and without budget. Recall@k is
the share of a question's evidence turns among the first k, averaged over questions.
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
from knowledge.embedding import Embedder
from knowledge.errors import PersonaError
from knowledge.index import VectorIndex
from knowledge.progress import Progress
from knowledge.records import Identity, ImportReport, Memory, Message
from knowledge.retrieval import Retriever

ADVERSARIAL = "5"
"""The category whose questions nothing answers; the right behaviour is to serve nothing."""

_BUDGET = 600
_EVIDENCE = re.compile(r"D(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one question gave: recall by k, tokens served, milliseconds."""

    category: str
    recall: dict[int, float]
    served: int
    abstained: bool
    ms: float


def evaluate(
    file: Path,
    ks: Sequence[int] = (5, 10, 20),
    *,
    embedding_model: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Recall at each of `ks`, over all questions and by category, in the form of `eval locomo --json`.

    served_tokens_mean and abstained are measured with the threshold and a budget of 600 tokens, at
    four characters a token. Raises PersonaError when the file is not of that format.
    """
    samples = _read(file)
    embedder = Embedder(embedding_model)
    asked: list[_Asked] = []
    for number, sample in enumerate(samples):
        with tempfile.TemporaryDirectory() as folder:
            asked += _ask_all(sample, Path(folder), embedder, ks)
        if progress:
            progress(Progress("conversations", number + 1, len(samples)))
    if not asked:
        raise PersonaError(f"{file} holds no question with usable evidence", "is it a LoCoMo file?")
    by_category = {c: [a for a in asked if a.category == c] for c in sorted({a.category for a in asked})}
    times = sorted(a.ms for a in asked)
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return {
        "questions": len(asked),
        "recall": _recall(asked, ks),
        "by_category": {
            c: {"questions": len(group), **_recall(group, ks)} for c, group in by_category.items()
        },
        "served_tokens_mean": round(mean(a.served for a in asked), 1),
        "abstained": {c: round(mean(a.abstained for a in group), 4) for c, group in by_category.items()},
        "query_ms_p50": round(cuts[9], 2),
        "query_ms_p95": round(cuts[18], 2),
    }


def _recall(asked: Sequence[_Asked], ks: Sequence[int]) -> dict[str, float]:
    return {str(k): round(mean(a.recall[k] for a in asked), 4) for k in ks}


def _ask_all(sample: dict[str, Any], folder: Path, embedder: Embedder, ks: Sequence[int]) -> list[_Asked]:
    archive = Archive(folder / "archive.sqlite3")
    index = VectorIndex(folder / "index", archive, embedder)
    try:
        messages = list(_messages(sample["conversation"]))
        archive.add(messages, ImportReport(str(folder), "locomo"))
        index.fill()
        retriever = Retriever(archive, index, embedder)
        now = max(m.sent_at for m in messages) + timedelta(days=1)
        ids = {m.id for m in messages}
        questions = [(q, _evidence(q.get("evidence") or [], ids)) for q in sample["qa"]]
        return [_ask(retriever, archive, q, proof, now, ks) for q, proof in questions if proof]
    finally:
        index.close()
        archive.close()


def _ask(
    retriever: Retriever,
    archive: Archive,
    question: dict[str, Any],
    proof: set[str],
    now: datetime,
    ks: Sequence[int],
) -> _Asked:
    text = str(question["question"])
    begun = time.perf_counter()
    ranking = retriever.rank(text, now=now)
    ms = (time.perf_counter() - begun) * 1000
    keys = [int(k) for k in retriever.timeline().key[ranking.order[: max(ks)]]]
    stored = archive.by_key(keys)
    ranked = [stored[k].id for k in keys]
    memories = retriever.search(text, now=now, budget_tokens=_BUDGET, cost=_tokens)
    recall = {k: len(proof & set(ranked[:k])) / len(proof) for k in ks}
    return _Asked(str(question["category"]), recall, _tokens(memories), not memories, ms)


def _tokens(memories: Sequence[Memory]) -> int:
    """An estimate: four characters a token, and six tokens for date and author of each line."""
    lines = {m.id: m.text for m in memories}
    lines |= {n.id: n.text for m in memories for n in (*m.before, *m.after) if n.id not in lines}
    return sum(len(text) // 4 + 7 for text in lines.values())


def _messages(conversation: dict[str, Any]) -> Iterator[Message]:
    for number in _sessions(conversation):
        began = datetime.strptime(conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y")
        for n, turn in enumerate(conversation[f"session_{number}"]):
            caption = turn.get("blip_caption")
            yield Message(
                id=turn["dia_id"],
                source="locomo",
                conversation_id=f"session_{number}",
                conversation=f"session {number}",
                author=Identity(f"locomo:{turn['speaker']}", turn["speaker"]),
                sent_at=began.replace(tzinfo=UTC) + timedelta(seconds=30 * n),
                text=f"{turn['text']} [photo: {caption}]" if caption else turn["text"],
            )


def _sessions(conversation: dict[str, Any]) -> list[int]:
    """Numbers of the sessions that exist; some files date sessions that do not."""
    found = (re.fullmatch(r"session_(\d+)", key) for key in conversation)
    return sorted(int(m[1]) for m in found if m and conversation[m[0]])


def _evidence(written: Iterable[Any], ids: set[str]) -> set[str]:
    """The turns that prove an answer; what is malformed is read as far as it can be."""
    found = (m for text in written for m in _EVIDENCE.finditer(str(text)))
    return {f"D{int(m[1])}:{int(m[2])}" for m in found} & ids


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        samples = json.loads(file.read_text(encoding="utf-8"))
        if not all("conversation" in s and "qa" in s for s in samples):
            raise ValueError("no conversations")
    except (OSError, ValueError, TypeError) as error:
        raise PersonaError(
            f"{file} cannot be read as a LoCoMo file: {error}", "give the benchmark's JSON file"
        ) from error
    return list(samples)
