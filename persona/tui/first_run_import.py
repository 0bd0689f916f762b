"""Reading one export for the first run, and saying what came of it. Knows nothing of Textual."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.progress import Progress
from knowledge.text import one_line, printable
from persona import config, paths

if TYPE_CHECKING:
    from knowledge.memory import IngestResult
    from knowledge.people import Candidate, Owner
    from knowledge.records import ImportReport

_PROBLEMS_SHOWN = 3


class Stopped(BaseException):
    """The user stopped the reading; what was stored stays."""


def read(
    path: Path, names: Sequence[str], progress: Callable[[Progress], object], stop: threading.Event
) -> "IngestResult":
    """Import one path, and make the persona card anew.

    Raises Stopped within a batch of messages once `stop` is set, ImportFailed when there is no such
    path; both leave whole what is archived, and the same export may be read again.
    """
    from persona.chat import card, opening

    def heard(now: Progress) -> None:
        if stop.is_set():
            raise Stopped
        progress(now)

    with closing(opening.open_memory(config.load())) as memory:
        result = memory.ingest([path], me=names, progress=heard)
        card.refresh(paths.card_file(), memory)
    return result


def settle_owner(names: Sequence[str]) -> "Owner":
    """Make whom `names` (or ids) mean the owner. Raises ArchiveError when that is nobody."""
    from persona.chat import card, opening

    with closing(opening.open_memory(config.load())) as memory:
        owner = memory.set_owner(names)
        card.refresh(paths.card_file(), memory)
    return owner


def summary(result: "IngestResult") -> list[str]:
    """What was read, left out and unreadable, source by source, with the first reasons."""
    return [line for report in result.reports for line in _lines(report)]


def anything_read(result: "IngestResult") -> bool:
    """Whether any record was understood."""
    return result.total.seen > result.total.failed


def asked(candidate: "Candidate") -> str:
    """A line to choose a likely owner by."""
    sources = ", ".join(candidate.sources)
    amount = f"{candidate.messages:,} message{'s' if candidate.messages != 1 else ''}"
    return one_line(printable(f"{candidate.name}: {amount} in {sources}"))


def _lines(report: "ImportReport") -> list[str]:
    skipped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(report.skipped.items()))
    counts = [
        f"{report.imported:,} imported",
        report.updated and f"{report.updated:,} updated",
        report.duplicates and f"{report.duplicates:,} already there",
        skipped and f"skipped: {skipped}",
        report.failed and f"{report.failed:,} failed",
    ]
    lines = [f"{report.source}: " + "; ".join(str(part) for part in counts if part)]
    lines += [f"  {problem.place}: {problem.reason}" for problem in report.problems[:_PROBLEMS_SHOWN]]
    if len(report.problems) > _PROBLEMS_SHOWN:
        more = len(report.problems) - _PROBLEMS_SHOWN
        lines.append(f"  and {more:,} more: `persona ingest {report.path} --failed` lists them")
    lines += [f"  {notice}" for notice in report.notices]
    return [printable(line).replace("\n", " ") for line in lines]
