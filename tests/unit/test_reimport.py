"""Bringing an export in again: twice, overlapping, newer, older, in another form."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
from export_samples import (
    discord_file,
    discord_record,
    mail_text,
    mbox,
    slack_files,
    slack_record,
    write_folder,
)

from knowledge.archive import Archive
from knowledge.memory import IngestResult, MemoryStore
from knowledge.progress import Progress

TALK = [slack_record(text, f"171024{n}000.000100") for n, text in enumerate(("one", "two", "three", "four"))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    store = MemoryStore(tmp_path / "knowledge")
    yield store
    store.close()


def export(folder: Path, files: dict[str, str], day: int) -> Path:
    """An export that was made on this day of June 2024."""
    write_folder(folder, files)
    made = datetime(2024, 6, day, tzinfo=UTC).timestamp()
    for path in folder.rglob("*"):
        os.utime(path, (made, made))
    return folder


def texts(store: MemoryStore) -> list[str]:
    return [m.text for m in store.messages()]


def deleted(store: MemoryStore) -> list[str]:
    return [m.text for m in store.messages() if "deleted" in m.flags]


def counts(result: IngestResult) -> tuple[int, int, int]:
    return result.total.imported, result.total.updated, result.total.duplicates


def stored(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """What the archive of `store` holds, in every column."""
    archive = Archive(folder / "knowledge" / "archive.sqlite3")
    try:
        return archive.rows(sql)
    finally:
        archive.close()


def test_what_a_newer_export_no_longer_has_is_kept_and_marked(store: MemoryStore, tmp_path: Path) -> None:
    store.ingest([export(tmp_path / "old", slack_files(*TALK), 1)])
    assert deleted(store) == []
    newer = export(tmp_path / "new", slack_files(TALK[0], *TALK[2:]), 2)
    assert counts(store.ingest([newer])) == (0, 0, 3)
    assert texts(store) == ["one", "two", "three", "four"]
    assert deleted(store) == ["two"]
    before = stored(tmp_path, "SELECT * FROM messages ORDER BY id")
    assert counts(store.ingest([newer])) == (0, 0, 3)
    assert stored(tmp_path, "SELECT * FROM messages ORDER BY id") == before


def test_the_order_in_which_exports_come_does_not_matter(tmp_path: Path) -> None:
    exports = [
        export(tmp_path / "a", slack_files(*TALK), 1),
        export(tmp_path / "b", slack_files(TALK[0], *TALK[2:]), 2),
        export(tmp_path / "c", slack_files(*TALK[1:3]), 1),
    ]
    for number, order in enumerate(permutations(exports)):
        store = MemoryStore(tmp_path / f"k{number}")
        for path in order:
            store.ingest([path])
        assert (texts(store), deleted(store)) == (["one", "two", "three", "four"], ["two"])
        store.close()


def test_a_message_that_is_back_loses_its_mark(store: MemoryStore, tmp_path: Path) -> None:
    for day, talk in enumerate((TALK, [TALK[0], *TALK[2:]], TALK), start=1):
        store.ingest([export(tmp_path / str(day), slack_files(*talk), day)])
    assert deleted(store) == []


def test_what_lies_outside_of_an_export_was_not_deleted(store: MemoryStore, tmp_path: Path) -> None:
    store.ingest([export(tmp_path / "old", slack_files(*TALK), 1)])
    store.ingest([export(tmp_path / "new", slack_files(*TALK[1:3]), 2)])
    assert deleted(store) == []


def test_an_export_of_which_something_could_not_be_read_proves_nothing(
    store: MemoryStore, tmp_path: Path
) -> None:
    store.ingest([export(tmp_path / "old", slack_files(*TALK), 1)])
    damaged = slack_files(TALK[0], {"type": "message", "text": "no time"}, *TALK[2:])
    store.ingest([export(tmp_path / "new", damaged, 2)])
    assert deleted(store) == []


def test_an_export_by_a_filter_proves_nothing(store: MemoryStore, tmp_path: Path) -> None:
    many = [slack_record(f"text {n}", f"17102{n:05}.000100") for n in range(10)]
    store.ingest([export(tmp_path / "old", slack_files(*many), 1)])
    store.ingest([export(tmp_path / "new", slack_files(many[0], many[9]), 2)])
    assert deleted(store) == []


def test_two_exports_of_one_channel_in_one_folder(store: MemoryStore, tmp_path: Path) -> None:
    said = [discord_record(text, number) for number, text in enumerate(("one", "two", "three"), start=1)]
    export(tmp_path / "in" / "a", {"old.json": discord_file(*said)}, 1)
    export(tmp_path / "in" / "b", {"new.json": discord_file(said[0], said[2])}, 2)
    assert counts(store.ingest([tmp_path / "in"])) == (3, 0, 2)
    assert deleted(store) == ["two"]


def test_mails_that_another_mailbox_does_not_have_were_not_deleted(
    store: MemoryStore, tmp_path: Path
) -> None:
    mails = [mail_text(f"text {n}", f"<{n}@x.org>", References="<0@x.org>") for n in range(4)]
    store.ingest([export(tmp_path / "old", {"a.mbox": mbox(*mails)}, 1)])
    store.ingest([export(tmp_path / "new", {"a.mbox": mbox(mails[0], *mails[2:])}, 2)])
    assert deleted(store) == []


PACKAGE = {
    "account/user.json": json.dumps({"id": "77", "username": "mira", "global_name": "Mira"}),
    "messages/index.json": json.dumps({"11": "general in Harbour"}),
    "messages/c11/channel.json": json.dumps({"id": "11", "type": 0, "name": "general"}),
    "messages/c11/messages.json": json.dumps(
        [{"ID": 5, "Timestamp": "2023-01-06 16:11:26", "Contents": "hi <@99>, axolotls!", "Attachments": ""}]
    ),
}
EXPORTED = discord_file(discord_record("hi <@99>, axolotls!", 5, mentions=[{"id": "99", "name": "jonas"}]))


@pytest.mark.parametrize("package_first", [True, False])
def test_a_mention_that_only_one_form_can_name(
    package_first: bool, store: MemoryStore, tmp_path: Path
) -> None:
    paths = [write_folder(tmp_path / "p", PACKAGE), write_folder(tmp_path / "e", {"e.json": EXPORTED})]
    results = [counts(store.ingest([path])) for path in (paths if package_first else reversed(paths))]
    assert results == ([(1, 0, 0), (0, 1, 0)] if package_first else [(1, 0, 0), (0, 0, 1)])
    assert texts(store) == ["hi @jonas, axolotls!"]
    assert counts(store.ingest(paths)) == (0, 0, 2)
    assert stored(tmp_path, "SELECT COUNT(*) FROM words WHERE words MATCH 'jonas'") == [(1,)]


def test_what_was_left_out_is_kept_with_its_reason_and_place(store: MemoryStore, tmp_path: Path) -> None:
    broken = slack_files(TALK[0], {"type": "message", "text": "no time"})
    folder = write_folder(tmp_path / "in", broken)
    store.ingest([folder])
    [problem] = store.left_out()
    assert (problem.path, problem.source) == (str(folder), "slack")
    assert problem.place == "general/2024-03-12.json"
    assert problem.reason == "bad record: “ts” is missing"
    store.ingest([folder])
    assert len(store.left_out()) == 1
    write_folder(folder, slack_files(TALK[0]))
    store.ingest([folder], dry_run=True)
    assert len(store.left_out()) == 1
    store.ingest([folder])
    assert store.left_out() == []


def test_progress_is_told_in_bytes_of_each_export(store: MemoryStore, tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.mbox": mbox(*(mail_text("x" * 999, f"<{n}@x.org>") for n in range(200)))})
    heard: list[Progress] = []
    store.ingest([tmp_path / "a.mbox"], progress=heard.append)
    stages = list(dict.fromkeys(now.stage for now in heard))
    assert stages == [
        f"reading email: {tmp_path / 'a.mbox'}",
        f"reading email: {tmp_path / 'a.mbox'} (again)",
    ]
    size = (tmp_path / "a.mbox").stat().st_size
    for stage in stages:
        done = [now.done for now in heard if now.stage == stage]
        assert done == sorted(done)
        assert len(set(done)) > 3
        assert done[-1] == size
    assert {now.total for now in heard} == {size}
