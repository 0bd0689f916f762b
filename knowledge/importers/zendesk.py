"""Zendesk: its JSON export (a ticket a line, with comments), and pages of its API (tickets, comments).

Names are taken from the users listed in the same file. Read by the API's documentation
(https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

from knowledge.importers.json_records import BROKEN, converted, keys, moment
from knowledge.importers.json_stream import array_items, arrays, documents
from knowledge.importers.mail_reply import own_words
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_COMMENT = {b"author_id", b"public", b"body", b"created_at"}
_TICKET = {b"requester_id", b"submitter_id", b"subject", b"created_at"}
_SYSTEM = "-1"

People = dict[str, Mapping[str, Any]]


class ZendeskImporter:
    """Files of any of these forms."""

    name = "zendesk"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where tickets or their comments are listed."""
        found = keys(source)
        return 1.0 if found >= _COMMENT or found >= _TICKET else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Ticket by ticket; a first pass over each file gathers the names."""
        for name in source.members:
            try:
                with source.open(name) as stream:
                    people = {str(u["id"]): u for _, users in arrays(stream, "users") for u in users}
                with source.open(name) as stream:
                    records = _records(source.only([name]), stream)
                    yield from converted(records, name, report, partial(_record, people))
            except BROKEN as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _records(source: Source, stream: BinaryIO) -> Iterator[Any]:
    """The items of a page, or the objects of an export."""
    found = keys(source)
    if b"tickets" in found:
        page = "tickets"
    elif b"comments" in found and not found >= _TICKET:
        page = "comments"
    else:
        yield from documents(stream)
        return
    records = array_items(stream, page)
    next(records)  # the page's own head
    yield from records


def _record(people: People, record: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    if "requester_id" not in record:
        yield _said(people, record, str(record.get("ticket_id") or "comments"))
        return
    ticket, comments = str(record["id"]), record.get("comments") or ()
    subject = str(record.get("subject") or "")
    if not comments:
        opened = {**record, "author_id": record["requester_id"], "body": record.get("description") or ""}
        yield _said(people, opened, ticket, subject, own=f"ticket-{ticket}")
    for number, comment in enumerate(comments):
        try:
            message = _said(people, comment, ticket, "" if number else subject)
        except BROKEN as error:
            report.fail_record(place, error)
            continue
        yield message


def _said(
    people: People, record: Mapping[str, Any], ticket: str, subject: str = "", own: str = ""
) -> Message:
    original = str(record.get("plain_body") or record["body"] or "")
    words = own_words(original, subject)
    text = "\n\n".join(part for part in (subject, words.text) if part)
    whole = "\n\n".join(part for part in (subject, original.strip()) if part)
    author = str(record["author_id"])
    flags = [*words.flags, *([] if record.get("public", True) else ["private"])]
    return Message(
        id=f"zendesk:{own or int(record['id'])}",
        source="zendesk",
        conversation_id=f"zendesk:{ticket}",
        conversation="Zendesk" if ticket == "comments" else f"Ticket {ticket}",
        author=_person(author, people.get(author) or record.get("author") or {}),
        sent_at=moment(record["created_at"]),
        text=text,
        kind=Kind.SYSTEM if author == _SYSTEM else Kind.SPEECH,
        raw=whole if whole != text else None,
        flags=tuple(dict.fromkeys(flags)),
    )


def _person(own: str, user: Mapping[str, Any]) -> Identity:
    name = str(user.get("name") or ("Zendesk" if own == _SYSTEM else own))
    known = [name, str(user.get("email") or ""), own]
    return Identity(f"zendesk:{own}", name, tuple(dict.fromkeys(part for part in known if part)))
