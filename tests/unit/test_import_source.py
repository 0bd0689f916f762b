"""Reading archives safely, and finding exports in files, folders and zips."""

import os
import stat
import zipfile
from pathlib import Path

import pytest
from export_samples import (
    mail_text,
    mbox,
    read_path,
    slack_files,
    slack_record,
    write_folder,
    write_zip,
)

from knowledge.errors import ImportFailed
from knowledge.importers.archives import open_source
from knowledge.importers.registry import detect
from knowledge.importers.source import Limits
from knowledge.records import ImportReport

SLACK = slack_files(slack_record())


def failures(path: Path, limits: Limits) -> list[str]:
    reasons = []
    for importer, source in detect(path, limits=limits):
        report = ImportReport(source.label, importer.name)
        list(importer.read(source, report))
        reasons += [problem.reason for problem in report.problems]
    return reasons


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil/2024-01-01.json", "leaves"),
        ("a/../../evil.json", "leaves"),
        ("..\\evil.json", "leaves"),
        ("/etc/passwd", "absolute"),
        ("C:\\evil.json", "absolute"),
    ],
)
def test_members_outside_the_archive_are_refused_and_the_rest_is_read(
    name: str, reason: str, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "x.zip", {**SLACK, name: "[]"})
    messages, reports = read_path(path)
    assert [message.text for message in messages] == ["hello"]
    assert [(r.seen, r.failed) for r in reports if r.source == "unknown"] == [(1, 1)]
    assert reason in reports[-1].problems[0].reason


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    link = zipfile.ZipInfo("general/2024-01-01.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in SLACK.items():
            archive.writestr(name, content)
        archive.writestr(link, "/etc/passwd")
    assert "general/2024-01-01.json" not in open_source(path, Limits()).members
    assert read_path(path)[1][-1].failed == 1


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("secret")
    vault = write_folder(tmp_path / "vault", {"a.md": "a note", "b.md": "another"})
    (vault / "c.md").symlink_to(secret)
    (vault / "loop").symlink_to(vault)
    assert sorted(m.text for m in read_path(vault)[0]) == ["a note", "another"]


def test_a_bomb_is_refused_whole(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {**SLACK, "general/2024-01-02.json": "[" + " " * 8_000_000 + "]"})
    messages, [report] = read_path(path)
    assert messages == []
    assert (report.seen, report.failed) == (1, 1)
    assert "times" in report.problems[0].reason


@pytest.mark.parametrize(
    ("limits", "words"), [(Limits(members=3), "members"), (Limits(unpacked=100), "bytes unpacked")]
)
def test_limits_are_settings(limits: Limits, words: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", SLACK)
    assert failures(path, Limits()) == []
    [reason] = failures(path, limits)
    assert words in reason


def test_a_damaged_zip_is_one_seen_and_one_failed_while_others_go_on(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "good.zip", SLACK).read_bytes()
    (tmp_path / "bad.zip").write_bytes(whole[: len(whole) // 2])
    messages, reports = read_path(tmp_path)
    assert [message.text for message in messages] == ["hello"]
    assert sorted((r.seen, r.failed) for r in reports) == [(1, 0), (1, 1)]


def test_a_damaged_member_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {**SLACK, "general/2024-03-13.json": '[{"ts":"9.1","text":"damaged"}]'}.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"damaged", b"dAmaged"))
    messages, [report] = read_path(path)
    assert [message.text for message in messages] == ["hello"]
    assert (report.seen, report.failed) == (2, 1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_one_seen_and_one_failed(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.mbox": mbox(mail_text()), "b.mbox": mbox(mail_text())})
    (tmp_path / "b.mbox").chmod(0)
    messages, reports = read_path(tmp_path)
    assert len(messages) == 1
    assert sum(report.failed for report in reports) == 1


def test_a_folder_of_exports_is_walked_and_each_one_recognised(tmp_path: Path) -> None:
    write_folder(
        tmp_path,
        {
            "mail.mbox": mbox(mail_text()),
            "notes/journal/2024-03-12.md": "a note",
            "notes/plans.md": "another",
            "README.md": "About this folder",
            "questions.jsonl": '{"question": "?"}',
            "make/build.py": "print()",
        },
    )
    write_zip(tmp_path / "slack_export.zip", SLACK)
    messages, reports = read_path(tmp_path)
    assert {report.source: report.seen for report in reports} == {"email": 1, "notes": 2, "slack": 1}
    assert "notes:plans.md" in {message.id for message in messages}
    assert {Path(report.path).name for report in reports} == {"mail.mbox", "notes", "slack_export.zip"}


def test_note_ids_do_not_depend_on_the_folder_that_was_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"notes/a.md": "a", "notes/b.md": "b", "mail.mbox": mbox(mail_text())})
    inside = {message.id for message in read_path(tmp_path / "notes")[0]}
    assert (
        inside == {message.id for message in read_path(tmp_path, "notes")[0]} == {"notes:a.md", "notes:b.md"}
    )


def test_a_text_file_that_is_named_directly_is_a_note(tmp_path: Path) -> None:
    write_folder(tmp_path, {"README.md": "About me", "table.csv": "a,b"})
    assert [m.text for m in read_path(tmp_path / "README.md")[0]] == ["About me"]
    assert [m.text for m in read_path(tmp_path)[0]] == ["About me"]
    assert read_path(tmp_path / "table.csv")[1][0].failed == 1


def test_a_missing_path_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="does not exist") as caught:
        detect(tmp_path / "nowhere")
    assert caught.value.hint


def test_an_unknown_source_is_an_error_that_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed) as caught:
        detect(tmp_path, "myspace")
    assert "slack" in caught.value.hint


def test_a_named_source_leaves_the_others_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, {"mail.mbox": mbox(mail_text()), "notes/a.md": "a", "notes/b.md": "b"})
    assert {report.source for report in read_path(tmp_path, "email")[1]} == {"email"}
    assert read_path(tmp_path, "slack")[1][0].failed == 1
