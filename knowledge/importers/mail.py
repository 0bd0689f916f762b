"""Email: mbox files, single mails and Maildir trees."""

from collections.abc import Iterator

from knowledge.importers.source import Source
from knowledge.records import ImportReport, Message


class EmailImporter:
    name = "email"
    folders = False

    def sniff(self, source: Source) -> float:
        return 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        yield from ()
