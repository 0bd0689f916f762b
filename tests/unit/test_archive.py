"""The archive: verbatim, idempotent, the later edit wins, and searchable at once."""

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from pathlib import Path

import pytest

from knowledge.archive import Archive
from knowledge.errors import ArchiveError
from knowledge.records import Identity, ImportReport, Kind, Message
from knowledge.schema import MIGRATIONS

MIRA = Identity("slack:U1", "mira", ("Mira Sol", "mira@example.org"))
START = datetime(2025, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)


def said(number: int, text: str, **changes: object) -> Message:
    message = Message(
        id=f"slack:C1:{number}",
        source="slack",
        conversation_id="slack:C1",
        conversation="#general",
        author=MIRA,
        sent_at=START + timedelta(minutes=number),
        text=text,
    )
    return replace(message, **changes)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive.sqlite3")


def add(archive: Archive, *messages: Message) -> tuple[int, int, int]:
    """Counts of one `add`: imported, updated, duplicates."""
    report = ImportReport("x", "slack")
    archive.add(messages, report)
    return report.imported, report.updated, report.duplicates


def holding(archive: Archive, word: str) -> list[str]:
    sql = "SELECT m.id FROM words w JOIN messages m ON m.key = w.rowid WHERE words MATCH ? ORDER BY m.id"
    return [id for (id,) in archive.rows(sql, (f'"{word}"',))]


def test_a_message_comes_back_as_it_went_in(archive: Archive) -> None:
    vienna = timezone(timedelta(hours=2))
    message = said(
        1,
        "servus \U0001f40c\nzweite Zeile",
        sent_at=START.astimezone(vienna),
        thread="slack:C1:1",
        reply_to="slack:C1:0",
        raw="> quoted\nservus",
        edited_at=START + timedelta(days=1),
        flags=("forward", "date-guessed"),
    )
    add(archive, message)
    stored = archive.message(message.id)
    assert stored is not None
    for name in ("id", "source", "conversation_id", "conversation", "sent_at", "text", "kind", "thread"):
        assert getattr(stored, name) == getattr(message, name), name
    for name in ("reply_to", "raw", "edited_at", "flags"):
        assert getattr(stored, name) == getattr(message, name), name
    assert stored.sent_at.isoformat() == "2025-03-01T11:30:00.123456+02:00"
    assert (stored.author_id, stored.author, stored.is_self) == ("slack:U1", "mira", False)


def test_the_same_export_twice_is_all_duplicates(archive: Archive) -> None:
    messages = [said(n, f"text {n}") for n in range(2500)]
    assert add(archive, *messages) == (2500, 0, 0)
    before = archive.rows("SELECT * FROM messages")
    assert add(archive, *messages) == (0, 0, 2500)
    assert archive.rows("SELECT * FROM messages") == before


def test_the_later_edit_wins_in_every_order(tmp_path: Path) -> None:
    versions = [
        said(1, "first words"),
        said(1, "second words", edited_at=START + timedelta(hours=1)),
        said(1, "third words", edited_at=START + timedelta(hours=2)),
    ]
    for number, order in enumerate(permutations(versions)):
        archive = Archive(tmp_path / f"{number}.sqlite3")
        for version in order:
            add(archive, version)
        stored = archive.message("slack:C1:1")
        assert stored is not None
        assert stored.text == "third words"
        assert holding(archive, "third") == ["slack:C1:1"]
        assert holding(archive, "first") == holding(archive, "second") == []
        archive.close()


def test_an_edit_counts_as_updated_an_older_version_as_duplicate(archive: Archive) -> None:
    add(archive, said(1, "old"))
    assert add(archive, said(1, "new", edited_at=START)) == (0, 1, 0)
    assert add(archive, said(1, "old")) == (0, 0, 1)
    assert add(archive, said(1, "other, never edited")) == (0, 0, 1)
    stored = archive.message("slack:C1:1")
    assert stored is not None
    assert stored.text == "new"


def test_two_versions_in_one_batch_are_one_message(archive: Archive) -> None:
    counts = add(archive, said(1, "new", edited_at=START), said(1, "old"), said(2, "other"))
    assert counts == (2, 0, 1)
    assert holding(archive, "old") == []
    assert holding(archive, "new") == ["slack:C1:1"]


def test_a_later_export_tells_that_a_message_opened_a_thread(archive: Archive) -> None:
    add(archive, said(1, "who comes?"))
    assert add(archive, said(1, "who comes?", thread="slack:C1:1")) == (0, 0, 1)
    assert [m.id for m in archive.messages(thread="slack:C1:1")] == ["slack:C1:1"]


def test_words_are_found_whatever_their_case_accents_and_endings(archive: Archive) -> None:
    add(archive, said(1, "Die Knödel waren übrig"), said(2, "we walked to INV-2041"))
    assert holding(archive, "knodel") == holding(archive, "KNÖDEL") == ["slack:C1:1"]
    assert holding(archive, "walking") == holding(archive, "2041") == ["slack:C1:2"]


def test_only_speech_is_indexed(archive: Archive) -> None:
    add(archive, said(1, "joined", kind=Kind.SYSTEM), said(2, "beep", kind=Kind.BOT), said(3, ""))
    assert holding(archive, "joined") == holding(archive, "beep") == []
    assert archive.rows("SELECT COUNT(*) FROM waiting") == [(0,)]
    assert [m.id for m in archive.messages()] == ["slack:C1:3"]
    assert len(archive.messages(include_all=True)) == 3


def test_an_edit_to_a_system_record_takes_the_words_out(archive: Archive) -> None:
    add(archive, said(1, "secret plan"))
    add(archive, said(1, "deleted", kind=Kind.SYSTEM, edited_at=START))
    assert holding(archive, "secret") == holding(archive, "deleted") == []
    archive.rows("INSERT INTO words (words) VALUES ('integrity-check')")


def test_half_a_character_is_replaced_and_the_rest_of_the_batch_stored(archive: Archive) -> None:
    broken = said(2, "half \ud83d", author=Identity("slack:U\udc00", "Jo\ud800", ("\udfff",)), raw="\ud800")
    assert add(archive, said(1, "whole"), broken) == (2, 0, 0)
    assert add(archive, broken) == (0, 0, 1)
    assert [m.text for m in archive.messages(limit=None)] == ["whole", "half �"]
    assert archive.messages(limit=None)[1].author == "Jo�"


def test_messages_are_the_newest_ones_oldest_first(archive: Archive) -> None:
    add(archive, *(said(n, f"text {n}") for n in range(60)))
    found = archive.messages(limit=3)
    assert [m.text for m in found] == ["text 57", "text 58", "text 59"]
    assert len(archive.messages()) == 50


def test_messages_are_chosen_by_conversation_and_author(archive: Archive) -> None:
    other = Identity("slack:U2", "noor", ("Noor Haddad",))
    add(archive, said(1, "a"), said(2, "b", author=other, conversation_id="slack:C2", conversation="#random"))
    assert [m.text for m in archive.messages(conversation="#random")] == ["b"]
    assert [m.text for m in archive.messages(conversation="slack:C1")] == ["a"]
    for name in ("noor haddad", "NOOR", "slack:U2", "u2"):
        assert [m.text for m in archive.messages(author=name)] == ["b"], name
    assert archive.messages(author="haddad") == []


def test_a_name_follows_the_latest_export(archive: Archive) -> None:
    add(archive, said(1, "a"))
    add(archive, said(2, "b", author=replace(MIRA, name="mira 🐌"), conversation="#all"))
    assert {(m.author, m.conversation) for m in archive.messages()} == {("mira 🐌", "#all")}
    assert len(archive.messages(author="mira")) == 2


def test_a_batch_is_stored_whole_or_not_at_all(archive: Archive) -> None:
    broken = replace(said(2, "b"), text=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        archive.add([said(1, "a"), broken], ImportReport("x", "slack"))
    assert archive.messages() == []
    assert add(archive, said(1, "a")) == (1, 0, 0)


def test_a_rehearsal_leaves_no_trace(archive: Archive) -> None:
    add(archive, said(1, "a"))
    with archive.rehearsal():
        assert add(archive, said(1, "a"), said(2, "b")) == (1, 0, 1)
    assert [m.text for m in archive.messages()] == ["a"]
    add(archive, said(3, "c"))
    assert [m.text for m in archive.messages()] == ["a", "c"]


def test_what_was_stored_is_there_for_another_connection(archive: Archive, tmp_path: Path) -> None:
    add(archive, said(1, "a"))
    again = Archive(tmp_path / "archive.sqlite3")
    assert [m.text for m in again.messages()] == ["a"]
    before = archive.version()
    add(again, said(2, "b"))
    assert archive.version() != before


def test_threads_may_write_at_once(archive: Archive) -> None:
    def write(thread: int) -> None:
        for n in range(20):
            add(archive, said(thread * 100 + n, f"word{thread}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(archive.messages(limit=None)) == 80
    assert len(holding(archive, "word3")) == 20


def test_an_old_archive_is_brought_to_the_newest_version(tmp_path: Path) -> None:
    for version in range(len(MIGRATIONS) + 1):
        file = tmp_path / f"{version}.sqlite3"
        db = sqlite3.connect(file)
        for migration in MIGRATIONS[:version]:
            db.executescript(migration)
        db.execute(f"PRAGMA user_version = {version}")
        db.close()
        archive = Archive(file)
        assert archive.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert add(archive, said(1, "a")) == (1, 0, 0)


def test_a_newer_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "archive.sqlite3"
    Archive(file).close()
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ArchiveError, match="version 99") as caught:
        Archive(file)
    assert caught.value.hint


def test_a_damaged_archive_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "archive.sqlite3"
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(ArchiveError) as caught:
        Archive(file)
    assert caught.value.hint
