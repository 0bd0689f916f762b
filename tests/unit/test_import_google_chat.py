"""Google Chat: spaces, threads, dates in words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import google_files, google_record, read_path, write_folder

from knowledge.records import ImportReport, Kind, Message


def read(folder: Path, *records: object) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, google_files(*records)))
    assert report.source == "google-chat"
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def test_ids_people_and_the_name_of_the_space(tmp_path: Path) -> None:
    [message], _ = read(tmp_path, google_record("hi"))
    assert (message.id, message.conversation_id) == ("google-chat:AAAA/T1/T1", "google-chat:AAAA")
    assert message.conversation == "Harbour"
    assert message.author.id == "google-chat:mira@example.org"
    assert set(message.author.aliases) == {"Mira Sol", "mira@example.org"}


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("Tuesday, March 12, 2024 at 12:05:09 AM UTC", 0),
        ("Tuesday, March 12, 2024 at 12:05:09\u202fPM UTC", 12),
        ("Tuesday, March 12, 2024 at 1:05:09 PM UTC", 13),
        ("Tuesday, March 12, 2024 at 13:05:09 UTC", 13),
    ],
)
def test_dates_in_words(written: str, hour: int, tmp_path: Path) -> None:
    [message], _ = read(tmp_path, google_record(created_date=written))
    assert message.sent_at == datetime(2024, 3, 12, hour, 5, 9, tzinfo=UTC)


def test_dates_in_another_language_fail_with_a_remedy(tmp_path: Path) -> None:
    messages, report = read(
        tmp_path, google_record("one"), google_record("x", 2, created_date="12 mars 2024")
    )
    assert ([m.text for m in messages], report.failed) == (["one"], 1)
    assert "language" in report.problems[0].reason


def test_only_topics_with_replies_are_threads(tmp_path: Path) -> None:
    records = [google_record("q", 1), google_record("alone", 2), google_record("a", 3, topic=1)]
    messages, _ = read(tmp_path, *records)
    first = "google-chat:AAAA/T1/T1"
    assert [(m.thread, m.reply_to) for m in messages] == [(first, None), (None, None), (first, first)]


def test_quotes_answer_what_they_quote(tmp_path: Path) -> None:
    quoted = {"creator": {"name": "Jonas"}, "text": "his words", "message_id": "AAAA/T1/T1"}
    messages, _ = read(tmp_path, google_record("q", 1), google_record("a", 2, quoted_message_metadata=quoted))
    assert (messages[1].text, messages[1].reply_to) == ("a", "google-chat:AAAA/T1/T1")


def test_bots_deleted_messages_and_files(tmp_path: Path) -> None:
    records = [
        google_record("beep", 1, creator={"name": "Robo", "user_type": "Bot"}),
        google_record("", 2, message_state="DELETED"),
        google_record("", 3, attached_files=[{"original_name": "a.png"}]),
    ]
    messages, _ = read(tmp_path, *records)
    assert [(m.kind, m.flags) for m in messages] == [
        (Kind.BOT, ()),
        (Kind.SYSTEM, ("deleted",)),
        (Kind.SPEECH, ("files",)),
    ]


def test_old_records_without_ids_are_known_by_their_folder(tmp_path: Path) -> None:
    record = google_record("hi")
    del record["message_id"]
    [message], _ = read(tmp_path / "a", record)
    assert message.conversation_id == "google-chat:AAAA"
    assert [m.id for m in read(tmp_path / "b", record)[0]] == [message.id]


@pytest.mark.parametrize("record", [None, [], {}, google_record(created_date=None), google_record(creator=7)])
def test_a_broken_record_fails_alone(record: object, tmp_path: Path) -> None:
    messages, report = read(tmp_path, google_record("a", 1), record, google_record("b", 3))
    assert ([m.text for m in messages], report.failed) == (["a", "b"], 1)


def test_a_file_that_breaks_off_is_one_failure(tmp_path: Path) -> None:
    files = google_files(google_record("a", 1), google_record("b", 2))
    name = next(name for name in files if name.endswith("messages.json"))
    messages, [report] = read_path(write_folder(tmp_path, {**files, name: files[name][:-9]}))
    assert (messages, report.failed) == ([], 1)


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    nasty = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e \ud800"
    assert read(tmp_path, google_record(nasty))[0][0].text == nasty
