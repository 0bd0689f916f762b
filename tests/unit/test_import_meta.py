"""Facebook Messenger and Instagram: mended text, parts, events, unsent messages, the encrypted chats."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import meta_chat, meta_record, read_path, write_folder

from knowledge.importers.meta import repaired
from knowledge.records import ImportReport, Kind, Message


def read(folder: Path, files: dict[str, str | bytes]) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, files))
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def read_one(folder: Path, record: dict[str, object]) -> Message:
    [message], _ = read(folder, {"message_1.json": meta_chat(record)})
    return message


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("GrÃ¼Ã\x9fe", "Grüße"),
        ("\u00f0\u009f\u0091\u008d", "👍"),
        ("plain", "plain"),
        ("café", "café"),
        ("Grüße 👍", "Grüße 👍"),
        ("cut \u00f0\u009f", "cut \u00f0\u009f"),
        ("half \ud83d", "half \ud83d"),
    ],
)
def test_text_read_as_latin_1_is_mended_and_right_text_left_alone(written: str, right: str) -> None:
    assert repaired(written) == right


def test_names_and_titles_are_mended_too(tmp_path: Path) -> None:
    record = meta_record("hi", sender_name="JosÃ©")
    [message], _ = read(tmp_path, {"m.json": meta_chat(record, title="CafÃ©")})
    assert (message.author.name, message.conversation) == ("José", "Café")


def test_times_ids_and_equal_milliseconds(tmp_path: Path) -> None:
    files = {"message_1.json": meta_chat(meta_record("b", 1710237600123), meta_record("a", 1710237600123))}
    messages, _ = read(tmp_path, files)
    assert messages[0].sent_at == datetime(2024, 3, 12, 10, 0, 0, 123000, tzinfo=UTC)
    assert [m.id for m in messages] == [
        "messenger:1234567890:1710237600123",
        "messenger:1234567890:1710237600123-2",
    ]


def test_parts_are_one_chat_and_ids_do_not_depend_on_the_part(tmp_path: Path) -> None:
    first, _ = read(
        tmp_path / "a",
        {
            "inbox/x/message_1.json": meta_chat(meta_record("new", 9), meta_record("mid", 5)),
            "inbox/x/message_2.json": meta_chat(meta_record("old", 1), path="inbox/jonasberg_1234567890"),
        },
    )
    again, _ = read(
        tmp_path / "b", {"x/message_1.json": meta_chat(meta_record("mid", 5), meta_record("old", 1))}
    )
    assert {m.conversation_id for m in first} == {"messenger:1234567890"}
    assert {m.id for m in again} < {m.id for m in first}


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("", {"is_unsent": True}),
        ("Mira sent an attachment.", {"share": {"link": "https://x.org"}}),
        ("Mira named the group Lisbon.", {}),
        ("You missed a call from Jonas.", {}),
        ("Reacted ❤️ to your message ", {}),
        ("Liked a message", {}),
        ("The video call ended.", {"call_duration": 12}),
        ("x", {"type": "Call"}),
    ],
)
def test_events_are_no_speech(content: str, fields: dict[str, object], tmp_path: Path) -> None:
    assert read_one(tmp_path, meta_record(content, **fields)).kind is Kind.SYSTEM


@pytest.mark.parametrize(
    "content", ["Sorry, I missed a call", "He left the group", "I sent a photo", "Mira sent it", ""]
)
def test_words_about_events_are_speech(content: str, tmp_path: Path) -> None:
    assert read_one(tmp_path, meta_record(content)).kind is Kind.SPEECH


def test_unsent_files_and_reactions_are_marked(tmp_path: Path) -> None:
    record = meta_record("", photos=[{"uri": "a.jpg"}], reactions=[{"reaction": "x", "actor": "Jonas"}])
    assert read_one(tmp_path / "a", record).flags == ("files", "reactions")
    assert read_one(tmp_path / "b", meta_record("", is_unsent=True)).flags == ("deleted",)


def test_the_encrypted_chats(tmp_path: Path) -> None:
    record = {"isUnsent": False, "media": [], "reactions": [], "senderName": "Mira Sol", "text": "Grüße"}
    chat = {"participants": ["Jonas", "Mira Sol"], "threadName": "Jonas Berg_17", "messages": [
        {**record, "timestamp": 1710237600123, "type": "text"},
        {**record, "isUnsent": True, "text": "", "timestamp": 1710237600124, "type": "text"},
    ]}  # fmt: skip
    messages, _ = read(tmp_path, {"Jonas Berg_17.json": json.dumps(chat)})
    assert [(m.text, m.kind, m.author.name) for m in messages] == [
        ("Grüße", Kind.SPEECH, "Mira Sol"),
        ("", Kind.SYSTEM, "Mira Sol"),
    ]


def test_instagram_is_told_by_its_folders_or_links(tmp_path: Path) -> None:
    shared = meta_record("look", share={"link": "https://x", "original_content_owner": "jo"})
    files = {
        "your_facebook_activity/messages/inbox/a_1/message_1.json": meta_chat(meta_record()),
        "your_instagram_activity/messages/inbox/a_1/message_1.json": meta_chat(meta_record()),
        "message_1.json": meta_chat(shared),
    }
    messages, reports = read_path(write_folder(tmp_path, files))
    assert {r.source: r.seen for r in reports} == {"messenger": 1, "instagram": 2}
    assert {m.author.id for m in messages} == {"messenger:Mira Sol", "instagram:Mira Sol"}


@pytest.mark.parametrize(
    "record", [None, 7, {"timestamp_ms": 1.5e300}, {"timestamp_ms": "x"}, {"sender_name": "Mira Sol"}]
)
def test_a_broken_record_fails_alone(record: object, tmp_path: Path) -> None:
    messages, report = read(tmp_path, {"m.json": meta_chat(meta_record("a", 1), record, meta_record("b", 2))})
    assert [m.text for m in messages] == ["a", "b"]
    assert report.failed == 1


def test_a_file_that_breaks_off_is_one_failure_beside_the_others(tmp_path: Path) -> None:
    files = {"a.json": meta_chat(meta_record("a", 1))[:-40], "b.json": meta_chat(meta_record("b", 2))}
    messages, report = read(tmp_path, files)
    assert ([m.text for m in messages], report.failed) == (["b"], 1)


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    nasty = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e"
    assert read_one(tmp_path, meta_record(nasty)).text == nasty


def test_other_downloads_are_not_taken_for_chats(tmp_path: Path) -> None:
    posts = json.dumps([{"timestamp": 1, "data": [{"post": "hi"}]}])
    assert read_path(write_folder(tmp_path, {"posts_1.json": posts}))[1][0].source == "unknown"
