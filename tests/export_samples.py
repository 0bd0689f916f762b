"""Small exports of every kind, written by the tests themselves."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge.importers.base import Importer
from knowledge.importers.registry import detect
from knowledge.importers.source import Source
from knowledge.records import ImportReport, Message

USERS: list[dict[str, Any]] = [
    {
        "id": "U1",
        "name": "mira",
        "real_name": "Mira Sol",
        "profile": {"display_name": "Mira", "email": "Mira@example.org"},
    },
    {"id": "U2", "name": "jonas", "real_name": "Jonas Berg", "profile": {"display_name": ""}},
    {"id": "U3", "name": "robo", "real_name": "Robo", "is_bot": True, "profile": {}},
]
CHANNELS = [{"id": "C1", "name": "general", "members": ["U1", "U2"]}]


def slack_files(*records: object, **others: object) -> dict[str, str]:
    """An export with these records in #general; `others` are further top-level lists, e.g. `dms`."""
    files: dict[str, object] = {
        "users.json": USERS,
        "channels.json": CHANNELS,
        "integration_logs.json": [],
        "general/2024-03-12.json": list(records),
    }
    files |= {f"{name}.json": content for name, content in others.items()}
    return {name: json.dumps(content) for name, content in files.items()}


def slack_record(text: str = "hello", ts: str = "1710240000.000100", **fields: object) -> dict[str, object]:
    """A plain message of Mira's."""
    return {"type": "message", "user": "U1", "text": text, "ts": ts, **fields}


def discord_record(
    content: str = "hello", number: int = 1060953753550860429, **fields: object
) -> dict[str, object]:
    """A plain message of Mira's."""
    author = {"id": "77", "name": "mira.sol", "nickname": "Mira", "isBot": False}
    record = {
        "id": str(number),
        "type": "Default",
        "timestamp": "2024-03-12T10:00:00+00:00",
        "content": content,
    }
    return {**record, "author": author, **fields}


def discord_file(*records: object, **channel: object) -> str:
    """One channel as DiscordChatExporter writes it."""
    place = {"id": "11", "type": "GuildTextChat", "category": "Text", "name": "general", **channel}
    head = {
        "guild": {"id": "1", "name": "Harbour"},
        "channel": place,
        "dateRange": {"after": None, "before": None},
    }
    return json.dumps({**head, "messages": list(records), "messageCount": 99})


def mail_text(
    body: str = "Hello Jonas",
    message_id: str = "<1@example.org>",
    sender: str = "Mira Sol <Mira@example.org>",
    date: str = "Tue, 12 Mar 2024 10:00:00 +0100",
    subject: str = "Plans",
    **headers: str,
) -> str:
    """One mail. Header names are given with `_` for `-`."""
    lines = [f"From: {sender}", "To: Jonas <jonas@example.org>", f"Date: {date}", f"Subject: {subject}"]
    lines += [f"Message-ID: {message_id}"] if message_id else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\n".join([*lines, "", body, ""])


def mbox(*mails: str) -> str:
    """Mails in one mbox."""
    return "\n".join(f"From mira@example.org Tue Mar 12 10:00:00 2024\n{mail}" for mail in mails)


def whatsapp_chat(*said: str, day: str = "13/03/24") -> str:
    """A chat of Mira's as Android exports it, a message a minute."""
    lines = [f"{day}, 10:{minute:02} - Mira Sol: {text}" for minute, text in enumerate(said)]
    return "".join(f"{line}\n" for line in lines)


def write_folder(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """These files below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return folder


def write_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """These files in a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def read_source(importer: Importer, source: Source) -> tuple[list[Message], ImportReport]:
    """All messages of one detected source, with its report."""
    report = ImportReport(source.label, importer.name)
    return list(importer.read(source, report)), report


def read_path(path: Path, source: str = "auto") -> tuple[list[Message], list[ImportReport]]:
    """All messages of everything at a path, with the reports."""
    messages, reports = [], []
    for importer, found in detect(path, source):
        some, report = read_source(importer, found)
        messages += some
        reports.append(report)
    return messages, reports


def read_one(path: Path, source: str = "auto") -> Message:
    """The single message at a path."""
    messages, _ = read_path(path, source)
    assert len(messages) == 1
    return messages[0]
