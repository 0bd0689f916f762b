"""Writes the hand-written mail as an mbox, and the notes as Markdown files."""

import shutil
import tomllib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

from data.sample.make.model import CORE

Row = dict[str, Any]


def write_mail(path: Path) -> dict[str, str]:
    """The mbox at `path`; keys of mails to their Message-ID without brackets."""
    content = tomllib.loads((CORE / "mail.toml").read_text("utf-8"))
    people = {person["code"]: person for person in content["person"]}
    mails = sorted(content["mail"], key=lambda mail: str(mail["at"]))
    by_key = {mail["key"]: mail for mail in mails}
    out = bytearray()
    for mail in mails:
        when = _when(mail)
        body = _message(mail, people, by_key).as_bytes(policy=SMTP.clone(linesep="\n", cte_type="8bit"))
        sender = people[mail["from"]]["address"]
        out += f"From {sender} {when:%a %b %d %H:%M:%S %Y}\n".encode()
        out += body.replace(b"\nFrom ", b"\n>From ") + b"\n"
    path.write_bytes(bytes(out))
    return {key: _identity(mail, people) for key, mail in by_key.items()}


def _message(mail: Row, people: dict[str, Row], by_key: dict[str, Row]) -> EmailMessage:
    sender, receiver = people[mail["from"]], people[mail["to"]]
    message = EmailMessage(policy=SMTP)
    message["From"] = f'"{sender["name"]}" <{sender["address"]}>'
    message["To"] = f'"{receiver["name"]}" <{receiver["address"]}>'
    message["Subject"] = mail["subject"]
    message["Date"] = format_datetime(_when(mail))
    message["Message-ID"] = f"<{_identity(mail, people)}>"
    _mark(message, mail.get("kind", "person"))
    text = mail["text"].strip()
    if parent := by_key.get(mail.get("re", "")):
        reference = f"<{_identity(parent, people)}>"
        message["In-Reply-To"] = reference
        message["References"] = reference
        text += "\n\n" + _quote(parent, people[parent["from"]])
    if sender["signature"]:
        text += f"\n\n-- \n{sender['signature']}"
    if mail.get("html"):
        paragraphs = "".join(f"<p>{escape(p).replace(chr(10), '<br>')}</p>\n" for p in text.split("\n\n"))
        message.set_content(f"<html><body>\n{paragraphs}</body></html>\n", subtype="html", cte="8bit")
    else:
        message.set_content(text + "\n", cte="8bit")
    return message


def _mark(message: EmailMessage, kind: str) -> None:
    """The headers by which one knows that nobody wrote this by hand."""
    if kind == "auto":
        message["Auto-Submitted"] = "auto-replied"
        message["X-Auto-Response-Suppress"] = "All"
    elif kind == "newsletter":
        message["List-Id"] = "Harbour Notes <letter.harbour-notes.example.net>"
        message["List-Unsubscribe"] = "<https://harbour-notes.example.net/unsubscribe>"
        message["Precedence"] = "bulk"


def _quote(parent: Row, author: Row) -> str:
    when = _when(parent)
    sender = f"{author['name']} <{author['address']}>"
    head = f"On {when:%a}, {when.day} {when:%b %Y} at {when:%H:%M}, {sender} wrote:"
    lines = parent["text"].strip().splitlines()
    return "\n".join([head, *(f"> {line}".rstrip() for line in lines)])


def _identity(mail: Row, people: dict[str, Row]) -> str:
    domain = people[mail["from"]]["address"].partition("@")[2]
    return f"{_when(mail):%Y%m%d%H%M}.{mail['key'].replace('_', '-')}@{domain}"


def _when(mail: Row) -> datetime:
    return datetime.fromisoformat(mail["at"]).replace(tzinfo=UTC)


def write_notes(folder: Path) -> dict[str, str]:
    """All notes below `folder`, which is emptied first; keys of notes to archive ids."""
    shutil.rmtree(folder, ignore_errors=True)
    ids = {}
    for note in tomllib.loads((CORE / "notes.toml").read_text("utf-8"))["note"]:
        path = Path(note["path"])
        day = note.get("date", path.stem)
        text = note["text"] + "\n"
        if note.get("front"):
            tags = ", ".join(note.get("tags", []))
            text = f"---\ndate: {day}T20:30:00\ntags: [{tags}]\n---\n\n{text}"
        else:
            path = path.with_name(f"{day}-{path.name}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8", newline="\n")
        if "key" in note:
            ids[note["key"]] = f"notes:{path.as_posix()}"
    return ids
