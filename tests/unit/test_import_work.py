"""GitHub, git, Jira, Zendesk and the form for everything else."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import (
    generic_line,
    git_commit,
    github_comment,
    jira_issue,
    jira_page,
    read_one,
    read_path,
    write_folder,
    zendesk_comment,
    zendesk_page,
)

from knowledge.records import Kind, Message

ISSUE = {
    "html_url": "https://github.com/harbour/ferry/pull/12",
    "comments_url": "https://api.github.com/repos/harbour/ferry/issues/12/comments",
    "title": "Ferry is late",
    "body": "By ten minutes.",
    "user": {"login": "mirasol", "id": 77},
    "created_at": "2024-03-12T10:00:00Z",
    "updated_at": "2024-03-13T10:00:00Z",
}


def one(folder: Path, name: str, content: str) -> Message:
    return read_one(write_folder(folder, {name: content}) / name)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("> quoted\n\nmine", "mine"),
        ("mine\n```py\ncode()\n```\nstill mine", "mine\n\nstill mine"),
        ("<!-- the template -->\nmine", "mine"),
        ("mine\n~~~\nnever closed", "mine"),
        ("a > b and `code`", "a > b and `code`"),
        ("Yes.\n\nOn Tue, Jonas <j@x.org> wrote:\n\n> No?", "Yes."),
        ("> only theirs", ""),
    ],
)
def test_a_comment_is_what_its_author_wrote(body: str, words: str, tmp_path: Path) -> None:
    message = one(tmp_path, "c.json", json.dumps([github_comment(body)]))
    assert message.text == words
    assert (message.raw or message.text) == body
    assert message.flags == (() if words else ("quoted-only",))


def test_a_pull_request_is_the_same_among_issues_and_its_comments_lie_in_it(tmp_path: Path) -> None:
    as_issue = {**ISSUE, "html_url": str(ISSUE["html_url"]).replace("pull", "issues")}
    files = {
        "a.json": json.dumps(ISSUE),
        "b.json": json.dumps([as_issue]),
        "c.json": json.dumps([github_comment()]),
    }
    messages, _ = read_path(write_folder(tmp_path, files))
    assert [m.id for m in messages] == ["github:harbour/ferry#12"] * 2 + ["github:issuecomment-1"]
    assert {m.conversation for m in messages} == {"harbour/ferry#12"}
    assert messages[0].text == "Ferry is late\n\nBy ten minutes."
    assert messages[0].edited_at == datetime(2024, 3, 13, 10, tzinfo=UTC)


def test_pages_joined_by_gh_reviews_bots_and_deleted_accounts(tmp_path: Path) -> None:
    review = {
        "html_url": "https://github.com/harbour/ferry/pull/12#pullrequestreview-5",
        "pull_request_url": "https://api.github.com/repos/harbour/ferry/pulls/12",
        "user": None,
        "submitted_at": "2024-03-12T11:00:00Z",
        "body": "",
    }
    answer = github_comment(
        "Agreed", 9, html_url="https://github.com/harbour/ferry/pull/12#discussion_r9", in_reply_to_id=8
    )
    bot = github_comment("Bump", 2, user={"login": "dependabot[bot]", "id": 1, "type": "Bot"})
    pages = [[bot, answer], [review, {**review, "body": "Fine"}]]
    messages, [report] = read_path(write_folder(tmp_path, {"x.json": "".join(map(json.dumps, pages))}))
    assert [(m.text, m.kind, m.author.name) for m in messages] == [
        ("Bump", Kind.BOT, "dependabot[bot]"),
        ("Agreed", Kind.SPEECH, "mirasol"),
        ("Fine", Kind.SPEECH, "ghost"),
    ]
    assert messages[1].reply_to == "github:discussion_r8"
    assert (report.seen, dict(report.skipped)) == (4, {"empty": 1})


def test_a_commit_without_trailers_and_its_mark_when_it_is_a_merge(tmp_path: Path) -> None:
    merge = git_commit("Merge branch 'x'", 2).replace("Author:", "Merge: 1 2\nAuthor:")
    plain = git_commit(
        "Mend the pier\n\nIt leaked.\n\nSigned-off-by: M <m@x.org>\nCo-authored-by: J <j@x.org>"
    )
    messages, _ = read_path(write_folder(tmp_path, {"log.txt": plain + merge}))
    assert [(m.text, m.kind) for m in messages] == [
        ("Mend the pier\n\nIt leaked.", Kind.SPEECH),
        ("Merge branch 'x'", Kind.SYSTEM),
    ]
    assert messages[0].sent_at == datetime(2024, 3, 12, 9, tzinfo=UTC)
    assert set(messages[0].author.aliases) == {"Mira Sol", "mira@example.org"}


def repository(folder: Path) -> Path:
    """A repository of two commits, whose settings would start a program if they were obeyed."""
    write_folder(folder, {"notes.md": "one", "evil.sh": f"#!/bin/sh\ntouch {folder.parent}/obeyed\n"})
    (folder / "evil.sh").chmod(0o755)
    git = [
        "git",
        "-c",
        "user.name=Mira Sol",
        "-c",
        "user.email=mira@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-qm", "One"],
        ["commit", "-qm", "Two", "--allow-empty"],
    ):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    evil = [
        ("log.showSignature", "true"),
        ("gpg.program", str(folder / "evil.sh")),
        ("core.pager", "touch obeyed"),
    ]
    for key, value in evil:
        subprocess.run(["git", "config", key, value], cwd=folder, check=True)
    return folder


@pytest.mark.skipif(not shutil.which("git"), reason="no git program")
def test_a_repository_is_read_by_its_path_and_agrees_with_its_log(tmp_path: Path) -> None:
    folder = repository(tmp_path / "pier")
    messages, _ = read_path(folder, "git")
    assert [(m.text, m.conversation, m.author.name) for m in messages] == [
        ("Two", "pier", "Mira Sol"),
        ("One", "pier", "Mira Sol"),
    ]
    log = subprocess.run(["git", "log", "--no-show-signature"], cwd=folder, capture_output=True, check=True)
    logged, _ = read_path(write_folder(tmp_path / "log", {"x.txt": log.stdout}))
    assert [(m.id, m.sent_at) for m in logged] == [(m.id, m.sent_at) for m in messages]
    assert not (tmp_path / "obeyed").exists()
    assert "git" not in {
        report.source for report in read_path(tmp_path)[1] if report.path.startswith(str(folder))
    }


def test_without_the_git_program_a_repository_fails_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"HEAD": "ref: refs/heads/main\n", "config": "[core]\n", "objects/info/x": ""}
    write_folder(tmp_path, {f".git/{name}": text for name, text in kept.items()})
    monkeypatch.setenv("PATH", "")
    messages, [report] = read_path(tmp_path)
    assert (messages, report.failed) == ([], 1)
    assert "install git" in report.problems[0].reason


def test_jiras_document_format_and_its_wiki_markup_give_the_same_words(tmp_path: Path) -> None:
    def node(kind: str, *content: object, **fields: object) -> dict[str, object]:
        return {"type": kind, **({"content": list(content)} if content else {}), **fields}

    document = node(
        "doc",
        node("blockquote", node("paragraph", node("text", text="theirs"))),
        node("paragraph", node("mention", attrs={"text": "@Jonas"}), node("text", text=" see below")),
        node("codeBlock", node("text", text="rm -rf")),
    )
    wiki = "{quote}theirs{quote}\r\n[~Jonas] see below\r\n{code:sh}rm -rf{code}"
    page = jira_page(jira_issue("Pier", 1, description=document), jira_issue("Pier", 2, description=wiki))
    messages, _ = read_path(write_folder(tmp_path, {"page.json": page}))
    assert [m.text for m in messages] == ["Pier\n\n@Jonas see below"] * 2
    assert all("theirs" in (m.raw or "") and "rm -rf" in (m.raw or "") for m in messages)


def test_comments_inside_an_issue_and_in_a_page_of_their_own_are_the_same(tmp_path: Path) -> None:
    comment = {
        "self": "https://harbour.atlassian.net/rest/api/3/issue/1/comment/5",
        "id": "5",
        "author": {"accountId": "5b2", "displayName": "Jonas Berg"},
        "body": "Done",
        "created": "2024-03-12T12:00:00.000+0100",
    }
    files = {
        "issues.json": jira_page(jira_issue(comment={"comments": [comment]})),
        "comments.json": json.dumps({"comments": [comment], "total": 1}),
    }
    messages, _ = read_path(write_folder(tmp_path, files))
    assert [m.id for m in messages if m.text == "Done"] == ["jira:harbour.atlassian.net/1/comment/5"] * 2
    assert {m.conversation_id for m in messages} == {"jira:harbour.atlassian.net/1"}


JIRA_CSV = (
    "\ufeffSummary,Issue key,Issue id,Reporter,Reporter Id,Created,Description,Comment,Comment\r\n"
    'Pier,FER-1,1,Mira Sol,5b1,09/Jan/24 3:55 PM,"It\nleaks","10/Jan/24 8:05 AM;5b1;Mended; so","oops"\r\n'
)


def test_jiras_csv_with_repeated_columns(tmp_path: Path) -> None:
    messages, [report] = read_path(write_folder(tmp_path, {"export.csv": JIRA_CSV}))
    assert [(m.text, m.author.name) for m in messages] == [
        ("Pier\n\nIt\nleaks", "Mira Sol"),
        ("Mended; so", "Mira Sol"),
    ]
    assert [f"{m.sent_at:%Y-%m-%d %H:%M}" for m in messages] == ["2024-01-09 15:55", "2024-01-10 08:05"]
    assert messages[0].flags == ("zone-guessed",)
    assert (report.seen, report.failed) == (3, 1)


def test_zendesk_names_private_notes_and_quoted_mail(tmp_path: Path) -> None:
    mail = "Thanks!\n\nOn Mon, Mar 11, 2024 at 9:00 AM Jonas <j@x.org> wrote:\n> hello"
    page = zendesk_page(zendesk_comment(mail), zendesk_comment("psst", 2, public=False, author_id=-1))
    messages, _ = read_path(write_folder(tmp_path, {"x.json": page}))
    assert [(m.text, m.author.name, m.kind, m.flags) for m in messages] == [
        ("Thanks!", "Mira Sol", Kind.SPEECH, ()),
        ("psst", "Zendesk", Kind.SYSTEM, ("private",)),
    ]
    assert "mira@example.org" in {alias.lower() for alias in messages[0].author.aliases}


def test_zendesks_export_is_a_ticket_a_line(tmp_path: Path) -> None:
    ticket = {"id": 5, "subject": "Pier", "requester_id": 77, "submitter_id": 77, "description": "It leaks"}
    ticket |= {"created_at": "2024-03-12T10:00:00Z"}
    lines = [
        {**ticket, "comments": [zendesk_comment("It leaks"), zendesk_comment("Mended", 2)]},
        {**ticket, "id": 6},
    ]
    messages, _ = read_path(write_folder(tmp_path, {"x.json": "\n".join(map(json.dumps, lines))}))
    assert [(m.text, m.conversation) for m in messages] == [
        ("Pier\n\nIt leaks", "Ticket 5"),
        ("Mended", "Ticket 5"),
        ("Pier\n\nIt leaks", "Ticket 6"),
    ]


def test_the_form_for_everything_else_is_the_same_as_csv_and_as_lines(tmp_path: Path) -> None:
    line = generic_line("Hi, there", id="1", conversation="Ferry", reply_to="0", kind="bot")
    table = (
        "id,conversation,reply_to,kind,sent_at,author,text,mood\n"
        '1,Ferry,0,bot,2024-03-12T10:00:00Z,Mira Sol,"Hi, there",good\n'
    )
    from_line, from_table = one(tmp_path / "a", "x", line), one(tmp_path / "b", "x", table)
    assert from_line == from_table
    assert (from_line.id, from_line.reply_to, from_line.kind) == (
        "generic:Ferry:1",
        "generic:Ferry:0",
        Kind.BOT,
    )


def test_times_of_the_form_for_everything_else(tmp_path: Path) -> None:
    unix = one(tmp_path / "a", "x", generic_line(sent_at=1710237600))
    zone = one(tmp_path / "b", "x", generic_line(sent_at="2024-03-12T11:00:00+01:00"))
    bare = one(tmp_path / "c", "x", generic_line(sent_at="2024-03-12 10:00"))
    assert unix.sent_at == zone.sent_at == datetime(2024, 3, 12, 10, tzinfo=UTC)
    assert unix.id == zone.id
    assert bare.flags == ("zone-guessed",)
