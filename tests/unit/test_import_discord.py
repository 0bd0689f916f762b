"""Discord: DiscordChatExporter's JSON and the official data package."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import discord_file, discord_record, read_one, read_path, write_folder

from knowledge.records import Kind, Message

PACKAGE = {
    "account/user.json": json.dumps(
        {"id": "77", "username": "mira", "global_name": "Mira", "email": "m@x.org"}
    ),
    "messages/index.json": json.dumps(
        {"11": "general in Harbour", "12": "Direct Message with jonas#0", "13": None}
    ),
    "messages/c11/channel.json": json.dumps({"id": "11", "type": 0, "name": "general", "guild": {"id": "1"}}),
    "messages/c11/messages.json": json.dumps(
        [{"ID": 1060953753550860429, "Timestamp": "2023-01-06 16:11:26", "Contents": "hi", "Attachments": ""}]
    ),
    "messages/c12/channel.json": json.dumps({"id": "12", "type": 1, "recipients": ["77", "78"]}),
    "messages/c12/messages.json": json.dumps(
        [{"ID": 2, "Timestamp": "2023-01-07 10:00:00", "Contents": "", "Attachments": "https://x.org/a.png"}]
    ),
}


def one(folder: Path, record: dict[str, object], **channel: object) -> Message:
    return read_one(write_folder(folder, {"c.json": discord_file(record, **channel)}))


def test_ids_times_and_people(tmp_path: Path) -> None:
    message = one(tmp_path, discord_record(timestamp="2023-01-06T14:27:11.85+00:00"))
    assert message.id == "discord:1060953753550860429"
    assert message.sent_at == datetime(2023, 1, 6, 14, 27, 11, 850_000, tzinfo=UTC)
    assert (message.author.id, message.author.name) == ("discord:77", "Mira")
    assert set(message.author.aliases) == {"Mira", "mira.sol", "77"}
    assert (message.conversation_id, message.conversation) == ("discord:11", "#general")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, Kind.SPEECH),
        ({"type": "Reply"}, Kind.SPEECH),
        ({"type": "GuildMemberJoin"}, Kind.SYSTEM),
        ({"type": "ThreadCreated"}, Kind.SYSTEM),
        ({"author": {"id": "9", "name": "robo", "isBot": True}}, Kind.BOT),
    ],
)
def test_only_people_speak(fields: dict[str, object], kind: Kind, tmp_path: Path) -> None:
    assert one(tmp_path, discord_record(**fields)).kind is kind


def test_only_a_reply_answers(tmp_path: Path) -> None:
    reference = {"messageId": "5", "channelId": "11"}
    assert one(tmp_path, discord_record(type="Reply", reference=reference)).reply_to == "discord:5"
    assert one(tmp_path, discord_record(reference=reference)).reply_to is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi <@78> and <@!79>", "hi @Jonas and @79"),
        ("<a:party:123> <:ok:9>", ":party: :ok:"),
        ("at <t:1700000000:R>", "at 2023-11-14 22:13 UTC"),
        ("1 < 2 <b>", "1 < 2 <b>"),
    ],
)
def test_markup_is_spelled_out(content: str, text: str, tmp_path: Path) -> None:
    mentions = [{"id": "78", "name": "jonas", "nickname": "Jonas"}]
    assert one(tmp_path, discord_record(content, mentions=mentions)).text == text


def test_a_thread_in_its_own_file(tmp_path: Path) -> None:
    file = discord_file(
        discord_record("first", 1),
        discord_record("second", 2),
        type="GuildPublicThread",
        name="Boats",
        category="general",
    )
    messages, _ = read_path(write_folder(tmp_path, {"t.json": file}))
    assert {m.thread for m in messages} == {"discord:1"}
    assert {m.conversation for m in messages} == {"#general › Boats"}


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    whole = discord_file(discord_record("kept", 1), discord_record("lost", 2))
    messages, [report] = read_path(write_folder(tmp_path, {"c.json": whole[: whole.index("lost")]}))
    assert [message.text for message in messages] == ["kept"]
    assert (report.seen, report.failed) == (2, 1)


def test_an_export_larger_than_a_chunk_is_read_in_full(tmp_path: Path) -> None:
    records = [discord_record("ü" * 3000, number) for number in range(1, 1001)]
    messages, [report] = read_path(write_folder(tmp_path, {"c.json": discord_file(*records)}))
    assert (len(messages), report.failed) == (1000, 0)
    assert {len(message.text) for message in messages} == {3000}


def test_the_official_package(tmp_path: Path) -> None:
    general, direct = read_path(write_folder(tmp_path, PACKAGE))[0]
    assert (general.id, general.text, general.conversation) == (
        "discord:1060953753550860429",
        "hi",
        "#general",
    )
    assert general.sent_at == datetime(2023, 1, 6, 16, 11, 26, tzinfo=UTC)
    assert (direct.conversation, direct.flags) == ("@jonas", ("files",))
    assert {m.author.id for m in (general, direct)} == {"discord:77"}
    assert set(general.author.aliases) == {"Mira", "mira", "m@x.org", "77"}


def test_an_old_translated_package_with_csv_and_no_account(tmp_path: Path) -> None:
    files = {
        "Nachrichten/11/channel.json": PACKAGE["messages/c11/channel.json"],
        "Nachrichten/11/messages.csv": "ID,Timestamp,Contents,Attachments\n"
        '1060953753550860429,2021-03-01 10:00:00.5+00:00,"two\nlines",\n'
        "1060953753550860429,never,snow,\n"
        "x,2021-03-01 10:00:00+00:00,bad,\n",
    }
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert [m.text for m in messages] == ["two\nlines", "snow"]
    assert messages[1].sent_at.replace(microsecond=0) == datetime(2023, 1, 6, 16, 11, 26, tzinfo=UTC)
    assert (report.seen, report.failed) == (3, 1)
