"""Discord: what DiscordChatExporter writes, and the data package Discord itself sends.

Both name messages by Discord's own ids, so that overlapping exports of either kind merge.
"""

from collections.abc import Iterator

from knowledge.importers import discord_csv, discord_exporter, discord_package
from knowledge.importers.discord_text import BROKEN
from knowledge.importers.source import Source
from knowledge.records import ImportReport, Message


class DiscordImporter:
    """Exports of single channels as JSON or CSV files, and the official package."""

    name = "discord"
    folders = True

    def sniff(self, source: Source) -> float:
        """1 for a channel's export or for the structure of the official package."""
        if not source.lone:
            return 1.0 if discord_package.is_package(source) else 0.0
        (name,) = source.members
        return 1.0 if discord_exporter.is_export(source, name) or discord_csv.is_export(source, name) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """File by file; one that is broken keeps none of the others from being read."""
        channels = discord_package.channels(source)
        if channels:
            yield from discord_package.read(source, channels, report)
        exports = {name for name in source.members if discord_exporter.is_export(source, name)}
        openers = discord_exporter.thread_openers(source, exports)
        for name in source.members:
            try:
                if name in exports:
                    yield from discord_exporter.read(source, name, openers, report)
                elif discord_csv.is_export(source, name):
                    yield from discord_csv.read(source, name, report)
            except BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")
