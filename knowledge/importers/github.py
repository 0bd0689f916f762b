"""GitHub's REST API as JSON: issues, pull requests, their comments, reviews and review comments.

Any of `gh api --paginate …/issues`, `…/issues/comments`, `…/pulls`, `…/pulls/comments`,
`…/pulls/1/reviews`, in one file or many, also with pages joined as `][`. Read by the API's
documentation (https://docs.github.com/rest/issues).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from knowledge.importers.json_records import keys, moment, read_each
from knowledge.importers.markdown_reply import own_words
from knowledge.importers.source import Source
from knowledge.records import Identity, ImportReport, Kind, Message

_NEEDED = {b"html_url", b"user", b"body"}
_TELLING = {b"issue_url", b"pull_request_url", b"comments_url", b"commit_id"}
_PLACE = re.compile(r"https?://[^/]+/([^/]+/[^/#]+)/(issues|pull|commit)/(\w+)(?:#([\w-]+))?")
_GHOST = {"login": "ghost"}
"""Whom GitHub shows where an account was deleted."""


class GitHubImporter:
    """Files of records, each recognised by its own keys."""

    name = "github"
    folders = False

    def sniff(self, source: Source) -> float:
        """1 where the first records are GitHub's."""
        found = keys(source)
        return 1.0 if found >= _NEEDED and found & _TELLING else 0.0

    def read(self, source: Source, report: ImportReport) -> Iterator[Message]:
        """Record by record; a review without words is skipped."""
        return read_each(source, report, _message)


def _message(record: Mapping[str, Any], place: str, report: ImportReport) -> Iterator[Message]:
    where = _PLACE.match(record["html_url"])
    if not where:
        raise ValueError("no issue, pull request or commit")
    repository, family, number, anchor = where.groups()
    subject = f"{repository}@{number[:10]}" if family == "commit" else f"{repository}#{number}"
    original = record.get("body") or ""
    title = "" if anchor else str(record["title"])
    text = "\n\n".join(part for part in (title, own_words(original)) if part)
    if not (title or original):
        report.skip("empty", place)
        return
    whole = "\n\n".join(part for part in (title, original) if part)
    created = moment(record.get("created_at") or record["submitted_at"])
    changed = record.get("updated_at")
    edited = moment(changed) if changed else created
    answered = record.get("in_reply_to_id")
    author = record.get("user") or _GHOST
    yield Message(
        id=f"github:{anchor}" if anchor else f"github:{subject}",
        source="github",
        conversation_id=f"github:{subject}",
        conversation=subject,
        author=_person(author),
        sent_at=created,
        text=text,
        kind=Kind.BOT if _is_bot(author) else Kind.SPEECH,
        reply_to=f"github:discussion_r{int(answered)}" if answered else None,
        raw=whole if whole != text else None,
        edited_at=edited if edited > created else None,
        flags=() if text else ("quoted-only",),
    )


def _person(user: Mapping[str, Any]) -> Identity:
    login = str(user["login"])
    own = str(user.get("id") or login)
    # the addresses that GitHub gives commits in place of a person's own: nobody else has them
    hidden = [f"{part}@users.noreply.github.com".lower() for part in (f"{own}+{login}", login)]
    known = [login, str(user.get("name") or ""), str(user.get("email") or ""), *hidden]
    return Identity(f"github:{own}", login, tuple(dict.fromkeys(name for name in known if name)))


def _is_bot(user: Mapping[str, Any]) -> bool:
    return user.get("type") == "Bot" or str(user["login"]).endswith("[bot]")
