"""DiscordChatExporter's CSV: who, when and what, but no replies, no threads and often no message ids.

Written by reading its source (Tyrrrz/DiscordChatExporter, CsvMessageWriter, since its version 2).
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from knowledge.importers.csv_rows import lines
from knowledge.importers.discord_text import BROKEN, archive_id, channel_name, person, plain
from knowledge.importers.source import UNREADABLE, Source
from knowledge.records import Identity, ImportReport, Kind, Message

NOTICE = (
    "A CSV of DiscordChatExporter holds no replies, no threads and no marks of bots, and without message "
    "ids it cannot be merged with other exports of the same channel: export as JSON if you can"
)
_HEAD = re.compile(rb"(?:MessageID([,;]))?AuthorID([,;])Author[,;]Date[,;]Content[,;]")
_FILE = re.compile(r"^(?P<place>.*?)(?: \[(?P<id>\d+)\])?(?: \[part \d+\])?$")
_EVENT = re.compile(
    r"Joined the server\.|Pinned a message\.|Started a thread\.|Left the group\.|Changed the channel icon\."
    r"|(?:Added|Removed) a recipient\.|Started a call that lasted [\d,]+ minutes\."
    r"|Changed the channel name(?:: .*|\.)"
)
"""System messages, in the words the exporter has for them; CSV gives no types."""


def is_export(source: Source, name: str) -> bool:
    """Whether a member is one channel's CSV; judged by its first line."""
    return _delimiter(source, name) is not None


def _delimiter(source: Source, name: str) -> str | None:
    try:
        head = _HEAD.match(source.head(name, 256).removeprefix(b"\xef\xbb\xbf"))
    except UNREADABLE:
        return None
    return head[2].decode() if head else None


def read(source: Source, name: str, report: ImportReport) -> Iterator[Message]:
    """One file; channel and server stand in its name only."""
    if NOTICE not in report.notices:
        report.notices.append(NOTICE)
    conversation = _conversation(name)
    with source.open(name) as stream:
        for row in csv.DictReader(lines(stream), delimiter=_delimiter(source, name) or ","):
            try:
                message = _message(row, *conversation)
            except BROKEN as error:
                report.fail_record(name, error)
                continue
            report.seen += 1
            yield message


def _conversation(name: str) -> tuple[str, str]:
    """Id and shown name from `Server - Category - channel [id] [part n].csv`."""
    found = _FILE.fullmatch(PurePosixPath(name).stem)
    place = found["place"] if found else name
    own = found["id"] if found and found["id"] else place
    server, _, channel = place.rpartition(" - ")
    server = server.partition(" - ")[0]
    shown = f"@{channel}" if server == "Direct Messages" else channel_name(channel, server)
    return f"discord:{own}", shown


def _message(row: Mapping[str, str], conversation_id: str, conversation: str) -> Message:
    content, sent_at = plain(row["Content"], {}, {}), _time(row["Date"])
    author = _author(row)
    return Message(
        id=_id(row, author, sent_at),
        source="discord",
        conversation_id=conversation_id,
        conversation=conversation,
        author=author,
        sent_at=sent_at,
        text=content,
        kind=Kind.SYSTEM if _EVENT.fullmatch(content) else Kind.SPEECH,
        flags=("files",) if row.get("Attachments") else (),
    )


def _author(row: Mapping[str, str]) -> Identity:
    full = row["Author"]
    return person(row["AuthorID"], [re.sub(r"#\d{4}$", "", full), full])


def _id(row: Mapping[str, str], author: Identity, sent_at: datetime) -> str:
    """Discord's own where the file has it; else from who said what when, to the exporter's precision."""
    if own := row.get("MessageID"):
        return archive_id(own)
    said = "\0".join(
        [author.id, sent_at.astimezone(UTC).isoformat(), row["Content"], row["Attachments"] or ""]
    )
    return f"discord:csv-{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def _time(stamp: str) -> datetime:
    """ISO, or what the exporter wrote until 2022, which has no zone. Raises ValueError for other forms."""
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        found = datetime.strptime(stamp, "%d-%b-%y %I:%M %p")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
