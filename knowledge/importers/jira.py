"""Jira: pages of its REST API (issues with their comments, or the comments of one issue), and its CSV.

An issue's summary and description are its reporter's words. The two forms do not merge: only the API
says which Jira an issue is of.
"""

import csv
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from knowledge.importers import jira_csv
from knowledge.importers.jira_text import own_words
from knowledge.importers.json_records import BROKEN, converted, keys, moment, start
from knowledge.importers.json_stream import array_items, documents
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_ISSUES = {b"fields", b"key", b"self"}
_FIELDS = {b"issuetype", b"reporter", b"summary", b"description", b"project"}
_COMMENTS = {b"comments", b"author", b"body", b"created", b"self"}


class JiraImporter:
    """Files of either form."""

    name = "jira"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 for a page of issues or comments, or for the CSV's own columns."""
        found = keys(source)
        issues = found >= _ISSUES and len(found & _FIELDS) > 1
        comments = found >= _COMMENTS and b"/comment/" in start(source)
        return 1.0 if issues or comments or (not found and jira_csv.is_export(start(source))) else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Issue by issue, each with its comments."""
        for name in source.members:
            lone = source.only([name])
            try:
                with source.open(name) as stream:
                    if not (found := keys(lone)):
                        yield from jira_csv.read(stream, name, report)
                        continue
                    page = (
                        b"issues" if b"issues" in found else b"comments" if b"fields" not in found else None
                    )
                    records = array_items(stream, page.decode()) if page else documents(stream)
                    if page:
                        next(records)  # the page's own head
                    yield from converted(records, name, report, _comment if page == b"comments" else _issue)
            except (*BROKEN, csv.Error) as error:
                report.fail(name, f"unreadable: {type(error).__name__}")


def _issue(record: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    fields = record["fields"]
    issue, key = _issue_id(record["self"]), str(record["key"])
    described = fields.get("description")
    reporter = fields.get("reporter") or fields.get("creator")
    title = str(fields.get("summary") or "")
    if title or described:
        yield _said(issue, issue, key, reporter, fields, described, title)
    else:
        report.skip("empty", place)
    for comment in (fields.get("comment") or {}).get("comments") or ():
        yield _said(_comment_id(comment["self"]), issue, key, comment.get("author"), comment, comment["body"])


def _comment(record: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    own = _comment_id(record["self"])
    issue = own.partition("/comment/")[0]
    yield _said(own, issue, issue.rpartition("/")[2], record.get("author"), record, record["body"])


def _said(
    own: str, issue: str, key: str, author: Any, times: Mapping[str, Any], body: Any, title: str = ""
) -> Message:
    words, original = own_words(body)
    text = "\n\n".join(part for part in (title, words) if part)
    whole = "\n\n".join(part for part in (title, original) if part)
    created, updated = moment(times["created"]), times.get("updated")
    edited = moment(updated) if updated else created
    return Message(
        id=f"jira:{own}",
        source="jira",
        conversation_id=f"jira:{issue}",
        conversation=key,
        author=_person(author),
        sent_at=created,
        text=text,
        kind=Kind.BOT if (author or {}).get("accountType") == "app" else Kind.SPEECH,
        raw=whole if whole != text else None,
        edited_at=edited if edited > created else None,
        flags=() if text else ("quoted-only",),
    )


def _issue_id(link: str) -> str:
    """`jira.example.org/10016`: numbers begin anew in every Jira."""
    address = urlsplit(link)
    number = address.path.rpartition("/issue/")[2].partition("/")[0]
    if not (address.netloc and number):
        raise ValueError("no issue")
    return f"{address.netloc}/{number}"


def _comment_id(link: str) -> str:
    return f"{_issue_id(link)}/comment/{urlsplit(link).path.rpartition('/')[2]}"


def _person(user: Mapping[str, Any] | None) -> Identity:
    """An account; by its number in the cloud, by its name on a server of one's own."""
    if not user:
        return Identity("jira:anonymous", "Anonymous")
    own = str(user.get("accountId") or user.get("key") or user["name"])
    shown = str(user.get("displayName") or user.get("name") or own)
    known = [shown, str(user.get("name") or ""), str(user.get("emailAddress") or ""), own]
    return Identity(f"jira:{own}", shown, tuple(dict.fromkeys(name for name in known if name)))
