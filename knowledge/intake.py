"""One export into the archive: in batches, each whole or not at all, and then what it shows to be deleted."""

from collections.abc import Iterator, Sequence

from knowledge import deletions
from knowledge.archive import Archive
from knowledge.records import ImportReport, Kind, Message

_BATCH = 10_000
"""Messages stored in one transaction: large ones keep the word index in few pieces."""

_HEAVY = 16 << 20
"""Characters of messages from which a transaction is as large as it may be."""


def take_in(archive: Archive, messages: Iterator[Message], report: ImportReport) -> None:
    """Archive what an importer reads, count it in `report`, and mark what was deleted since."""
    spans = deletions.Spans()
    ((newest,),) = archive.rows("SELECT COALESCE(MAX(key), 0) FROM conversations")
    for batch in _batches(messages):
        archive.add(batch, report)
        _note(batch, report)
        spans.add(batch)
    with archive.writing() as db:
        first_told = spans.first_told(db, newest)
        if not report.failed:  # what could not be read is missing too, and was not deleted
            spans.store(db, first_told)
        deletions.mark(db, report.conversations - first_told)


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    weight = 0
    for m in messages:
        batch.append(m)
        weight += len(m.text) + len(m.raw or "")
        if len(batch) == _BATCH or weight > _HEAVY:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _note(batch: Sequence[Message], report: ImportReport) -> None:
    """Note in `report` where, by whom and when a batch was written."""
    report.conversations.update(m.conversation_id for m in batch)
    report.people.update(m.author.id for m in batch if m.kind == Kind.SPEECH)
    times = [m.sent_at for m in batch]
    times += [known for known in (report.first, report.last) if known]
    report.first, report.last = min(times), max(times)
