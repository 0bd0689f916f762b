"""The contract of an importer; one suite, tests/contract/test_importers.py, runs over every one."""

from collections.abc import Iterator
from typing import Protocol

from knowledge.importers.source import Source
from knowledge.records import ImportReport, Message


class Importer(Protocol):
    """Reads one kind of export.

    name: what `--source` and the ids call it. folders: whether a whole folder can be one export
    (recognised by its structure); otherwise each file is judged alone.
    """

    name: str
    folders: bool

    def sniff(self, source: Source) -> float:
        """How sure it is, 0 to 1, that `source` is its own; judged by content, never raises on bad bytes."""
        ...

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Every record, streaming; counts `seen` for each one yielded, skipped or failed.

        A record or a file that cannot be read is counted in `report` and never stops the others.
        """
        ...
