"""Small exports of every kind, written by the tests themselves."""

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

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


def telegram_record(text: object = "hello", number: int = 1, **fields: object) -> dict[str, object]:
    """A plain message of Mira's."""
    record = {"id": number, "type": "message", "date": "2024-03-12T11:00:00", "date_unixtime": "1710237600"}
    return {**record, "from": "Mira Sol", "from_id": "user77", "text": text, **fields}


def telegram_chat(*records: object, **chat: object) -> str:
    """One chat as Telegram Desktop writes it."""
    head = {"name": "Jonas", "type": "personal_chat", "id": 11, **chat}
    return json.dumps({**head, "messages": list(records)}, indent=1)


def meta_record(content: str = "hello", stamp: int = 1710237600000, **fields: object) -> dict[str, object]:
    """A plain message of Mira's, its text read as Latin-1 as Facebook does."""
    said = content.encode("utf-8", "surrogatepass").decode("latin-1")
    return {"sender_name": "Mira Sol", "timestamp_ms": stamp, "content": said, **fields}


def meta_chat(*records: object, path: str = "inbox/jonas_1234567890", **fields: object) -> str:
    """One file of a chat as Facebook and Instagram write it."""
    people = [{"name": "Jonas Berg"}, {"name": "Mira Sol"}]
    chat = {"participants": people, "messages": list(records), "title": "Jonas Berg", **fields}
    return json.dumps({**chat, "is_still_participant": True, "thread_path": path, "magic_words": []})


def google_record(
    text: str = "hello", number: int = 1, topic: int = 0, **fields: object
) -> dict[str, object]:
    """A plain message of Mira's in a space."""
    creator = {"name": "Mira Sol", "email": "Mira@example.org", "user_type": "Human"}
    record = {"creator": creator, "created_date": "Tuesday, March 12, 2024 at 10:00:00\u202fAM UTC"}
    ids = {"topic_id": f"T{topic or number}", "message_id": f"AAAA/T{topic or number}/T{number}"}
    return {**record, "text": text, **ids, **fields}


def google_files(*records: object) -> dict[str, str]:
    """Takeout's folder of one space."""
    folder = "Google Chat/Groups/Space AAAA"
    info = {"name": "Harbour", "members": [{"name": "Mira Sol", "user_type": "Human"}]}
    return {
        f"{folder}/group_info.json": json.dumps(info),
        f"{folder}/messages.json": json.dumps({"messages": list(records)}),
    }


def signal_record(text: str = "hello", second: int = 0, **fields: object) -> dict[str, object]:
    """A plain message of the owner's, as signal-export writes it."""
    record = {"date": f"2024-03-12T10:00:{second:02}.123000", "sender": "Me", "body": f"{text}  "}
    return {**record, "quote": "", "sticker": None, "reactions": [], "attachments": [], **fields}


def signal_data(*records: object) -> str:
    """`data.json` of one chat, an object a line."""
    return "".join(f"{json.dumps(record)}\n" for record in records)


def imessage_chat(*said: str) -> str:
    """A chat of the owner's as imessage-exporter writes it, a message a minute."""
    blocks = [f"Mar 12, 2024 10:{minute:02}:00 AM\nMe\n{text}\n\n" for minute, text in enumerate(said)]
    return "".join(blocks)


def github_comment(body: str = "hello", number: int = 1, **fields: object) -> dict[str, object]:
    """A plain comment of Mira's on an issue."""
    url = "https://api.github.com/repos/harbour/ferry/issues"
    record = {"url": f"{url}/comments/{number}", "issue_url": f"{url}/12", "id": number}
    page = {"html_url": f"https://github.com/harbour/ferry/issues/12#issuecomment-{number}"}
    when = {"created_at": "2024-03-12T10:00:00Z", "updated_at": "2024-03-12T10:00:00Z"}
    user = {"login": "mirasol", "id": 77, "type": "User"}
    return {**record, **page, "user": user, **when, "body": body, **fields}


def git_commit(message: str = "Hello", number: int = 1, author: str = "Mira Sol <Mira@example.org>") -> str:
    """One commit as `git log` prints it."""
    said = "".join(f"    {line}\n" for line in message.split("\n"))
    return f"commit {number:040x}\nAuthor: {author}\nDate:   Tue Mar 12 10:00:00 2024 +0100\n\n{said}\n"


def jira_issue(summary: str = "hello", number: int = 1, **fields: object) -> dict[str, object]:
    """An issue that Mira reported, as the REST API gives it."""
    mira = {"accountId": "5b1", "displayName": "Mira Sol", "emailAddress": "mira@example.org"}
    about = {"summary": summary, "reporter": mira, "created": "2024-03-12T10:00:00.000+0100"}
    address = f"https://harbour.atlassian.net/rest/api/3/issue/{number}"
    return {"id": str(number), "key": f"FER-{number}", "self": address, "fields": {**about, **fields}}


def jira_page(*issues: object) -> str:
    """A page of a search for issues."""
    return json.dumps({"startAt": 0, "maxResults": 50, "total": len(issues), "issues": issues})


def zendesk_comment(body: str = "hello", number: int = 1, **fields: object) -> dict[str, object]:
    """A public comment of Mira's."""
    when = {"created_at": "2024-03-12T10:00:00Z"}
    return {"id": number, "type": "Comment", "author_id": 77, "body": body, "public": True, **when, **fields}


def zendesk_page(*comments: object) -> str:
    """A page of the comments on a ticket, with the people in it."""
    users = [{"id": 77, "name": "Mira Sol", "email": "Mira@example.org", "role": "agent"}]
    return json.dumps({"comments": comments, "users": users, "next_page": None, "count": len(comments)})


def chatgpt_node(
    text: str = "hello", number: int = 1, role: str = "user", **fields: object
) -> dict[str, Any]:
    """One message of a conversation, said by the owner, after the one before it."""
    content = {"content_type": "text", "parts": [text]}
    message = {"id": f"m{number}", "author": {"role": role}, "create_time": 1710237600.5 + number}
    tree = {"id": f"m{number}", "parent": f"m{number - 1}", "children": []}
    return {**tree, "message": {**message, "content": content, "metadata": {}, **fields}}


def chatgpt_chat(*nodes: dict[str, Any], own: str = "c1", **fields: object) -> dict[str, object]:
    """A conversation in which the last of these messages is the last one shown."""
    root = {"id": "m0", "message": None, "parent": None, "children": ["m1"]}
    mapping = {"m0": root, **{node["id"]: node for node in nodes}}
    head = {"title": "Ferries", "create_time": 1710237600.5, "update_time": 1710237700.5}
    return {**head, "mapping": mapping, "current_node": nodes[-1]["id"], "conversation_id": own, **fields}


def claude_message(text: str = "hello", number: int = 1, **fields: object) -> dict[str, object]:
    """A message of the owner's."""
    said = {"text": text, "content": [{"type": "text", "text": text}], "sender": "human"}
    when = {"created_at": "2024-03-12T10:00:00.123456Z", "attachments": [], "files": []}
    return {"uuid": f"m{number}", **said, **when, **fields}


def claude_chat(*messages: object) -> dict[str, object]:
    """A conversation."""
    when = {"created_at": "2024-03-12T10:00:00.000000Z", "account": {"uuid": "a1"}}
    return {"uuid": "c1", "name": "Ferries", **when, "chat_messages": list(messages)}


def generic_line(text: str = "hello", **fields: object) -> str:
    """A message of Mira's in the form for everything else."""
    record = {"sent_at": "2024-03-12T10:00:00Z", "author": "Mira Sol", "text": text, **fields}
    return json.dumps(record) + "\n"


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


def write_tar(path: Path, files: Mapping[str, str | bytes], mode: Literal["w", "w:gz"] = "w:gz") -> Path:
    """These files in a tar archive."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
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
