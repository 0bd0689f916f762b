"""Telegram: marked-up text, replies, forwards, events, whole accounts, and what is no export."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import read_path, telegram_chat, telegram_record, write_folder

from knowledge.records import ImportReport, Kind, Message


def read(folder: Path, content: str | bytes) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, {"result.json": content}) / "result.json")
    assert report.source == "telegram"
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def read_one(folder: Path, **fields: object) -> Message:
    [message], _ = read(folder, telegram_chat(telegram_record(**fields)))
    return message


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        (["see ", {"type": "bold", "text": "this"}, " now"], "see this now"),
        ([{"type": "text_link", "text": "map", "href": "https://x.org"}], "map (https://x.org)"),
        (
            [{"type": "link", "text": "https://x.org"}, "\n", {"type": "pre", "text": "a\nb"}],
            "https://x.org\na\nb",
        ),
        (["", {"type": "custom_emoji", "text": "🙂", "document_id": "1"}], "🙂"),
        ("", ""),
    ],
)
def test_text_in_parts_is_one_text(text: object, plain: str, tmp_path: Path) -> None:
    assert read_one(tmp_path, text=text).text == plain


def test_ids_replies_times_and_people(tmp_path: Path) -> None:
    message = read_one(tmp_path, number=5, reply_to_message_id=4)
    assert (message.id, message.reply_to) == ("telegram:user11:5", "telegram:user11:4")
    assert message.sent_at == datetime(2024, 3, 12, 10, tzinfo=UTC)
    assert (message.author.id, message.author.name) == ("telegram:user77", "Mira Sol")
    assert "77" in message.author.aliases


def test_a_reply_to_another_chat_answers_nothing_here(tmp_path: Path) -> None:
    assert read_one(tmp_path, reply_to_message_id=4, reply_to_peer_id="channel9").reply_to is None


def test_old_exports_number_people_and_have_only_local_times(tmp_path: Path) -> None:
    record = telegram_record(from_id=77)
    del record["date_unixtime"]
    [message], _ = read(tmp_path, telegram_chat(record))
    assert message.author.id == "telegram:user77"
    assert message.sent_at.replace(tzinfo=None) == datetime(2024, 3, 12, 11)


@pytest.mark.parametrize(
    ("fields", "edited"),
    [
        ({}, None),
        ({"edited": "1970-01-01T01:00:00", "edited_unixtime": "0"}, None),
        (
            {"edited": "2024-03-12T12:00:00", "edited_unixtime": "1710241200"},
            datetime(2024, 3, 12, 11, tzinfo=UTC),
        ),
    ],
)
def test_edits(fields: dict[str, object], edited: datetime | None, tmp_path: Path) -> None:
    assert read_one(tmp_path, **fields).edited_at == edited


def test_forwards_files_and_stickers_are_marked(tmp_path: Path) -> None:
    assert read_one(tmp_path / "a", forwarded_from=None).flags == ("forward",)
    assert read_one(tmp_path / "b", text="", photo="photos/1.jpg").flags == ("files",)
    assert read_one(tmp_path / "c", text="", file="s.webp", media_type="sticker").flags == ("sticker",)


def test_service_records_bots_and_deleted_accounts(tmp_path: Path) -> None:
    event = {
        "id": 2,
        "type": "service",
        "date_unixtime": "1710237601",
        "actor": "Mira Sol",
        "actor_id": "user77",
    }
    records = [
        {**event, "action": "edit_group_title", "title": "Lisbon", "text": ""},
        telegram_record("beep", 3, from_id="user11", **{"from": "Robo"}),
        telegram_record("bye", 4, from_id="user99", **{"from": None}),
    ]
    messages, _ = read(tmp_path, telegram_chat(*records, type="bot_chat"))
    assert [m.kind for m in messages] == [Kind.SYSTEM, Kind.BOT, Kind.SPEECH]
    assert messages[0].text == "edit group title: Lisbon"
    assert messages[2].author.name == "Deleted account"


def test_a_whole_account_gives_all_chats_and_knows_the_owners_names(tmp_path: Path) -> None:
    group = json.loads(telegram_chat(telegram_record("b", 1), name='a { "b', type="private_group", id=11))
    saved = json.loads(telegram_chat(telegram_record("c", 2), name=None, type="saved_messages", id=77))
    account = {
        "about": "Here is the data you requested",
        "personal_information": {
            "user_id": 77,
            "first_name": "Mira",
            "last_name": "Sol",
            "username": "@mira",
        },
        "contacts": {"about": "", "list": [{"user_id": 1, "first_name": '"messages": ['}]},
        "frequent_contacts": {"list": []},
        "chats": {"about": "", "list": [json.loads(telegram_chat(telegram_record("a", 1))), group]},
        "left_chats": {"about": "", "list": [saved]},
    }
    messages, _ = read(tmp_path, json.dumps(account, indent=1))
    assert [(m.id, m.conversation, m.text) for m in messages] == [
        ("telegram:user11:1", "Jonas", "a"),
        ("telegram:chat11:1", 'a { "b', "b"),
        ("telegram:user77:2", "Saved Messages", "c"),
    ]
    assert "@mira" in messages[0].author.aliases


def test_a_single_chat_and_the_whole_account_give_the_same_ids(tmp_path: Path) -> None:
    chat = telegram_chat(telegram_record("a", 7), type="public_supergroup", id=5)
    alone, _ = read(tmp_path / "a", chat)
    account = {"about": "", "chats": {"list": [json.loads(chat)]}}
    assert [m.id for m in read(tmp_path / "b", json.dumps(account))[0]] == [m.id for m in alone]


def test_a_bots_updates_are_refused_with_a_reason(tmp_path: Path) -> None:
    update = {"update_id": 1, "message": {"message_id": 2, "date": 1, "text": "hi"}}
    messages, report = read(tmp_path, json.dumps({"ok": True, "result": [update]}))
    assert (messages, report.failed) == ([], 1)
    assert "no export" in report.problems[0].reason


def test_telegrams_own_escapes_are_read(tmp_path: Path) -> None:
    content = telegram_chat(telegram_record("ESC[31m C:\\x41", 1), telegram_record("next", 2))
    messages, report = read(tmp_path, content.replace("ESC", "\\x1b"))
    assert [m.text for m in messages] == ["\x1b[31m C:\\x41", "next"]
    assert report.failed == 0


def test_what_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    content = telegram_chat(*(telegram_record(f"text {n}", n) for n in range(1, 4)))
    messages, report = read(tmp_path, content[: content.rindex("text 3")])
    assert [m.text for m in messages] == ["text 1", "text 2"]
    assert (report.seen, report.failed) == (3, 1)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {"id": 2},
        telegram_record(date_unixtime="soon"),
        telegram_record(date_unixtime="9" * 40),
        telegram_record(id="x"),
        telegram_record(text={"a": 1}),
        telegram_record(text=[None]),
    ],
)
def test_a_broken_record_fails_alone(record: object, tmp_path: Path) -> None:
    messages, report = read(
        tmp_path, telegram_chat(telegram_record("one", 1), record, telegram_record("two", 3))
    )
    assert [m.text for m in messages] == ["one", "two"]
    assert report.failed == 1


def test_unsupported_records_are_skipped(tmp_path: Path) -> None:
    messages, report = read(tmp_path, telegram_chat(telegram_record(), {"id": 2, "type": "unsupported"}))
    assert (len(messages), dict(report.skipped)) == (1, {"unsupported by the exporter": 1})


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    nasty = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e \ud800"
    assert read_one(tmp_path, text=nasty).text == nasty


@pytest.mark.parametrize(
    "content", [b'{"messages": [' + b"[" * 200_000, b'{"messages":[{"type":"\xff\xfe"}]}']
)
def test_deep_or_undecodable_json_is_one_failure(content: bytes, tmp_path: Path) -> None:
    path = write_folder(tmp_path, {"result.json": content}) / "result.json"
    messages, [report] = read_path(path, "telegram")
    assert (messages, report.failed) == ([], 1)
