"""Retrieval alone on the sample twin's 60 questions, through the door that the chat uses."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from knowledge.memory import MemoryStore
from knowledge.records import Memory
from persona import paths

# embedding the sample takes a quarter of a minute on two idle cores, and minutes on busy ones
pytestmark = pytest.mark.timeout(1200)


def tokens(memories: Sequence[Memory]) -> int:
    from persona.chat.layout import memory_lines

    return sum(len(line) // 4 + 1 for line in memory_lines(memories))


def questions(*, known: bool) -> list[dict[str, Any]]:
    text = Path(paths.sample_dir() / "questions.jsonl").read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    return [q for q in found if bool(q["evidence"]) == known]


def ask(memory: MemoryStore, question: dict[str, Any], **options: Any) -> list[Memory]:
    now = datetime.fromisoformat(question["now"])
    return memory.search(question["question"], now=now, cost=tokens, **options)


def test_ten_memories_hold_what_proves_the_answer(sample_memory: MemoryStore) -> None:
    """`evidence` lists every message that proves an answer; one of them is enough to answer from."""
    shares, missed = [], []
    for question in questions(known=True):
        found = {m.id for m in ask(sample_memory, question, k=10, budget_tokens=None)}
        shares.append(len(found & set(question["evidence"])) / len(question["evidence"]))
        if not shares[-1]:
            missed.append(question["id"])
    assert len(shares) == 50
    assert 1 - len(missed) / len(shares) >= 0.95, missed
    assert mean(shares) >= 0.95


def test_what_is_served_within_the_usual_budget_still_holds_the_proof(sample_memory: MemoryStore) -> None:
    hits = []
    for question in questions(known=True):
        found = ask(sample_memory, question)
        assert found
        assert tokens(found) <= 600
        hits.append(not {m.id for m in found}.isdisjoint(question["evidence"]))
    assert mean(hits) >= 0.92


def test_every_memory_says_whose_when_where_and_why(sample_memory: MemoryStore) -> None:
    for question in questions(known=True)[:10]:
        found = ask(sample_memory, question)
        assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
        for memory in found:
            stored = sample_memory.message(memory.id)
            assert stored is not None
            assert (memory.author, memory.sent_at) == (stored.author, stored.sent_at)
            assert memory.text.strip("… ") in stored.text
            assert memory.why
            assert all(n.sent_at <= memory.sent_at for n in memory.before)
            assert all(n.sent_at >= memory.sent_at for n in memory.after)


def test_a_follow_up_borrows_from_the_message_before(sample_memory: MemoryStore) -> None:
    now = datetime.fromisoformat("2026-10-31T18:00:00+00:00")
    context = ["What is the name of Jonas's van?"]
    found = sample_memory.search("and why?", now=now, cost=tokens, context=context)
    assert any("Gustl" in m.text for m in found)
    assert sample_memory.search("and why?", now=now, cost=tokens) == []


def test_idle_talk_serves_nothing(sample_memory: MemoryStore) -> None:
    now = datetime.fromisoformat("2026-10-31T18:00:00+00:00")
    for text in ("hi", "thanks!", "ok", "🐌"):
        assert sample_memory.search(text, now=now, cost=tokens) == [], text
