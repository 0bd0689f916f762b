"""How long a search takes, against the size of the archive."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.progress import Progress
from knowledge.records import Memory
from persona.chat.layout import memory_lines
from persona.lab.bench import talk

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

QUERIES = 40


def make(memory: "MemoryStore", folder: Path, messages: int, report: Callable[[Progress], None]) -> None:
    """Let the archive in `memory` grow to so many messages, with all their vectors. folder: for the file that
    they are imported from.

    Embeds in this process and on all cores: somebody waits for it.
    """

    def embedded(now: Progress) -> None:
        report(replace(now, stage=stage(messages)))

    report(Progress(stage(messages), 0))
    talk.write_archive(folder / "talk.jsonl", messages)
    memory.ingest([folder / "talk.jsonl"], me=[talk.OWNER])
    memory.embed_pending(embedded)


def stage(messages: int) -> str:
    """What the making of an archive is called in reports."""
    return f"an archive of {messages:,} messages"


def measure(memory: "MemoryStore", messages: int) -> dict[str, Any]:
    """Milliseconds of a search, median and 95th percentile; the share of questions that found anything."""
    now = talk.START + timedelta(days=365)
    took, served = [], 0
    for number in range(QUERIES + 1):
        started = time.perf_counter()
        found = memory.search(talk.question(messages, number), now=now, cost=_cost)
        if number:  # the first one loads the embedding model
            took.append((time.perf_counter() - started) * 1000)
            served += bool(found)
    took.sort()
    return {
        "messages": messages,
        "query_ms_p50": round(took[len(took) // 2], 1),
        "query_ms_p95": round(took[int(len(took) * 0.95)], 1),
        "answered": round(served / len(took), 3),
    }


def _cost(memories: Sequence[Memory]) -> int:
    """Tokens, estimated: no model is asked here."""
    return sum(map(len, memory_lines(memories))) // 4
