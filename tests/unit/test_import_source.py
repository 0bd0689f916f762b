"""Reading archives safely, and finding exports in files, folders and zips."""

import os
import random
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

import pytest
from export_samples import (
    mail_text,
    mbox,
    read_path,
    slack_files,
    slack_record,
    write_folder,
    write_tar,
    write_zip,
)

from knowledge.errors import ImportFailed
from knowledge.importers.archives import open_source
from knowledge.importers.registry import detect
from knowledge.importers.source import Limits
from knowledge.memory import MemoryStore
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


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_read_as_a_zip_is(mode: Literal["w", "w:gz"], tmp_path: Path) -> None:
    messages, [report] = read_path(write_tar(tmp_path / "backup.bin", SLACK, mode))
    assert [message.text for message in messages] == ["hello"]
    assert report.failed == 0


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("../evil.json", tarfile.REGTYPE, "leaves"),
        ("/etc/passwd", tarfile.REGTYPE, "absolute"),
        ("general/evil.json", tarfile.SYMTYPE, "link"),
        ("general/evil.json", tarfile.LNKTYPE, "link"),
        ("general/evil.json", tarfile.FIFOTYPE, "link"),
    ],
)
def test_unsafe_members_of_a_tar_are_refused_and_the_rest_is_read(
    name: str, kind: bytes, reason: str, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "x.tar", SLACK, "w")
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    messages, reports = read_path(path)
    assert [message.text for message in messages] == ["hello"]
    assert reason in reports[-1].problems[0].reason


def test_a_bomb_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tgz", {**SLACK, "general/2024-01-02.json": " " * 8_000_000})
    messages, [report] = read_path(path)
    assert messages == []
    assert "times" in report.problems[0].reason


def test_a_tar_that_breaks_off_keeps_what_came_before_and_says_so(tmp_path: Path) -> None:
    noise = {"z.bin": random.Random(1).randbytes(400_000)}
    whole = write_tar(tmp_path / "x.tgz", {**SLACK, **noise}).read_bytes()
    (tmp_path / "x.tgz").write_bytes(whole[: len(whole) // 2])
    messages, reports = read_path(tmp_path / "x.tgz")
    assert [message.text for message in messages] == ["hello"]
    assert "breaks off" in reports[-1].problems[0].reason


def nested(folder: Path, depth: int) -> Path:
    """A Slack export in this many archives, zips and tars by turns."""
    path = write_zip(folder / "0.zip", SLACK)
    for level in range(1, depth):
        packed = {path.name: path.read_bytes()}
        path = (
            write_tar(folder / f"{level}.tgz", packed)
            if level % 2
            else write_zip(folder / f"{level}.zip", packed)
        )
    return path


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_archives_within_archives_are_read(depth: int, tmp_path: Path) -> None:
    messages, [report] = read_path(nested(tmp_path, depth))
    assert [message.text for message in messages] == ["hello"]
    assert (report.source, report.failed) == ("slack", 0)


def test_archives_too_deep_are_refused(tmp_path: Path) -> None:
    messages, [report] = read_path(nested(tmp_path, 5))
    assert messages == []
    assert "too deep" in report.problems[0].reason


def test_a_bomb_within_an_archive_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    bomb = write_zip(tmp_path / "bomb.zip", {"a.json": " " * 8_000_000})
    inner = {
        "export.zip": write_zip(tmp_path / "good.zip", SLACK).read_bytes(),
        "bomb.zip": bomb.read_bytes(),
    }
    messages, reports = read_path(write_zip(tmp_path / "outer.zip", inner))
    assert [message.text for message in messages] == ["hello"]
    assert sum(report.failed for report in reports) == 1


def test_the_temporary_files_of_nested_archives_are_bounded(tmp_path: Path) -> None:
    path = nested(tmp_path, 2)
    inner = (tmp_path / "0.zip").stat().st_size
    reasons = failures(path, Limits(unpacked=inner - 1))
    assert "bytes unpacked" in reasons[0]


def test_exports_beside_the_lists_of_slack_are_read_as_what_they_are(tmp_path: Path) -> None:
    shared = {"__uploads/F1/cat.png": "png", "general/attachments/F2-notes.txt": "shared"}
    folder = write_folder(
        tmp_path / "in", {**slack_files(slack_record()), **shared, "all.mbox": mbox(mail_text())}
    )
    found = detect(folder)
    assert [importer.name for importer, _ in found] == ["slack", "email"]
    assert found[0][1].beside == ()


def test_files_of_no_known_export_are_named(tmp_path: Path) -> None:
    others = {"canvases.json": "[]", "photos/cat.JPG": "jpg", "photos/dog.jpg": "jpg"}
    inner = write_zip(tmp_path / "holiday.zip", {"a.bin": "bin"}).read_bytes()
    folder = write_folder(tmp_path / "in", {**slack_files(slack_record()), **others, "holiday.zip": inner})
    store = MemoryStore(tmp_path / "knowledge")
    result = store.ingest([folder])
    [report] = result.reports
    assert (report.seen, report.imported, report.failed) == (1, 1, 0)
    assert [p.place for p in store.left_out()] == [
        "canvases.json",
        "holiday.zip",
        "photos/cat.JPG",
        "photos/dog.jpg",
    ]
    [notice] = result.total.notices
    assert notice.startswith("4 files are of no known export and were not read (2 .jpg, 1 .json, 1 .zip)")
    store.close()
