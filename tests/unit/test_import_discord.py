"""Discord: what DiscordChatExporter writes, as JSON and as CSV."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import discord_file, discord_record, read_one, read_path, write_folder

from knowledge.importers.registry import detect
from knowledge.memory import MemoryStore
from knowledge.records import Kind, Message


def one(folder: Path, record: dict[str, object], **channel: object) -> Message:
    return read_one(write_folder(folder, {"c.json": discord_file(record, **channel)}))


def test_ids_times_and_people(tmp_path: Path) -> None:
    message = one(tmp_path, discord_record(timestamp="2023-01-06T14:27:11.85+00:00"))
    assert message.id == "discord:1060953753550860429"
    assert message.sent_at == datetime(2023, 1, 6, 14, 27, 11, 850_000, tzinfo=UTC)
    assert (message.author.id, message.author.name) == ("discord:77", "Mira")
    assert set(message.author.aliases) == {"Mira", "mira.sol", "77"}
    assert (message.conversation_id, message.conversation) == ("discord:11", "#general in Harbour")


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


THREAD = {"id": "7", "type": "GuildPublicThread", "name": "Boats", "category": "general"}


def test_a_thread_goes_by_the_message_that_opened_it(tmp_path: Path) -> None:
    files = {
        "general.json": discord_file(discord_record("before", 6), discord_record("opener", 7)),
        "boats.json": discord_file(discord_record("first", 8), discord_record("second", 9), **THREAD),
    }
    messages, _ = read_path(write_folder(tmp_path, files))
    threads = {m.text: m.thread for m in messages}
    assert threads == {"before": None, "opener": "discord:7", "first": "discord:7", "second": "discord:7"}
    assert {m.conversation for m in messages} == {"#general in Harbour", "#Boats in Harbour"}


def test_a_thread_that_no_message_opened_hangs_under_the_news_of_it(tmp_path: Path) -> None:
    news = discord_record("Started a thread.", 7, type="ThreadCreated", reference={"channelId": "7"})
    message = one(tmp_path, news)
    assert (message.id, message.thread, message.kind) == ("discord:7", "discord:7", Kind.SYSTEM)


def test_parts_of_one_channel_are_one_conversation(tmp_path: Path) -> None:
    parts = {
        "general [11] [part 1].json": discord_file(discord_record("a", 8), discord_record("b", 9), **THREAD),
        "general [11] [part 2].json": discord_file(discord_record("b", 9), discord_record("c", 10), **THREAD),
    }
    messages, [report] = read_path(write_folder(tmp_path, parts))
    assert {m.id for m in messages} == {"discord:8", "discord:9", "discord:10"}
    assert {(m.conversation_id, m.thread) for m in messages} == {("discord:7", "discord:7")}
    assert (report.seen, report.failed) == (4, 0)


def test_a_direct_talk_has_the_name_of_the_other(tmp_path: Path) -> None:
    file = json.loads(discord_file(discord_record(), type="DirectTextChat", name="jonas"))
    file["guild"] = {"id": "0", "name": "Direct Messages"}
    assert read_one(write_folder(tmp_path, {"c.json": json.dumps(file)})).conversation == "@jonas"


@pytest.mark.parametrize(
    ("key", "content", "flag"),
    [("attachments", [{"url": "https://x.org/a.png"}], "files"), ("stickers", [{"id": "1"}], "sticker")],
)
def test_a_message_of_files_alone_is_kept(key: str, content: object, flag: str, tmp_path: Path) -> None:
    message = one(tmp_path, discord_record("", **{key: content}))
    assert (message.text, message.kind, message.flags) == ("", Kind.SPEECH, (flag,))


def test_a_forward_is_not_the_words_of_who_sent_it_on(tmp_path: Path) -> None:
    record = discord_record(
        "", reference={"type": "Forward", "messageId": "5"}, forwardedMessage={"content": "theirs"}
    )
    message = one(tmp_path, record)
    assert (message.text, message.raw, message.flags, message.reply_to) == ("", "theirs", ("forward",), None)


def test_an_edit_has_its_time(tmp_path: Path) -> None:
    edited = one(tmp_path, discord_record("final", timestampEdited="2024-03-12T10:05:00+00:00")).edited_at
    assert edited == datetime(2024, 3, 12, 10, 5, tzinfo=UTC)


def test_one_broken_record_or_file_loses_no_other(tmp_path: Path) -> None:
    odd = [None, 7, {}, {**discord_record("x", 3), "author": None}, {**discord_record("y", 4), "id": "x"}]
    files = {
        "a.json": discord_file(discord_record("one", 1), *odd, discord_record("two", 2)),  # type: ignore[arg-type]
        "b.json": discord_file(discord_record("lost", 9)).replace('"name": "Harbour"', "oops"),
        "c.json": discord_file(discord_record("three", 5)),
    }
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert [m.text for m in messages] == ["one", "two", "three"]
    assert (report.seen, report.failed) == (9, 6)
    assert {Path(p.place).name for p in report.problems} == {"a.json", "b.json"}


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


CSV_HEAD = "AuthorID,Author,Date,Content,Attachments,Reactions\n"
CSV_NAME = "Harbour - Text Channels - general [11]"


def csv_row(content: str, date: str = "2023-01-06T14:03:03.8530000+01:00", files: str = "") -> str:
    return ",".join(f'"{cell}"' for cell in ("77", "mira#1234", date, content, files, "👍 (2)")) + "\n"


def test_csv_says_who_where_and_when(tmp_path: Path) -> None:
    rows = CSV_HEAD + csv_row('two\nlines, ""quoted""') + csv_row("", files="https://x.org/a.png")
    messages, [report] = read_path(write_folder(tmp_path, {f"{CSV_NAME}.csv": rows}))
    first, second = messages
    assert first.text == 'two\nlines, "quoted"'
    assert first.sent_at == datetime(2023, 1, 6, 13, 3, 3, 853_000, tzinfo=UTC)
    assert (first.author.id, first.author.name) == ("discord:77", "mira")
    assert (first.conversation_id, first.conversation) == ("discord:11", "#general in Harbour")
    assert (second.text, second.flags) == ("", ("files",))
    assert (report.seen, report.failed) == (2, 0)
    assert "no replies" in report.notices[0]


def test_csv_parts_that_overlap_give_the_same_ids(tmp_path: Path) -> None:
    parts = {
        f"{CSV_NAME} [part 1].csv": CSV_HEAD + csv_row("a") + csv_row("b"),
        f"{CSV_NAME} [part 2].csv": CSV_HEAD + csv_row("b") + csv_row("c"),
    }
    messages, [report] = read_path(write_folder(tmp_path, parts))
    assert (len(messages), len({m.id for m in messages})) == (4, 3)
    assert {m.conversation_id for m in messages} == {"discord:11"}
    assert len(report.notices) == 1


def test_csv_with_message_ids_merges_with_json(tmp_path: Path) -> None:
    rows = "MessageID," + CSV_HEAD + '"5",' + csv_row("hello")
    files = {f"{CSV_NAME}.csv": rows, "general.json": discord_file(discord_record("hello", 5))}
    messages, _ = read_path(write_folder(tmp_path, files))
    assert {m.id for m in messages} == {"discord:5"}
    assert len(messages) == 2


def test_csv_of_the_first_versions(tmp_path: Path) -> None:
    rows = "AuthorID;Author;Date;Content;Attachments;Reactions;\n" + csv_row(
        "hi", "06-Jan-23 02:03 PM"
    ).replace(",", ";")
    messages, _ = read_path(write_folder(tmp_path, {"anything.csv": rows}))
    assert [(m.text, m.sent_at) for m in messages] == [("hi", datetime(2023, 1, 6, 14, 3, tzinfo=UTC))]


def test_csv_system_messages_and_bad_rows(tmp_path: Path) -> None:
    rows = csv_row("Joined the server.") + csv_row("I joined the server.") + csv_row("x", "04/20/2023")
    messages, [report] = read_path(
        write_folder(tmp_path, {f"{CSV_NAME}.csv": CSV_HEAD + rows + "only,two\n"})
    )
    assert [m.kind for m in messages] == [Kind.SYSTEM, Kind.SPEECH]
    assert (report.seen, report.failed) == (4, 2)


def test_any_other_csv_is_none_of_discords(tmp_path: Path) -> None:
    assert detect(write_folder(tmp_path, {"a.csv": "Author,Date\n1,2\n"}))[0][0].name == "unknown"


@pytest.fixture
def example_guild(shared_data: Path) -> Path:
    """A real server's export, made to show what is tricky (INDEX.md beside it)."""
    return shared_data / "exports/discord/slatinsky-DCE-frontend/example_guild"


def test_the_real_server_as_a_whole(example_guild: Path, tmp_path: Path) -> None:
    messages, [report] = read_path(example_guild)
    assert (report.seen, report.failed, len({m.id for m in messages})) == (35 + 6 + 5 + 5, 0, 35 + 6 + 5)
    assert sum(m.kind is Kind.SYSTEM for m in messages) == 4
    names = {"#general in Example guild", "#chill talk in Example guild"}
    assert {m.conversation for m in messages} == names | {"#Thomas is Thomas in Example guild"}
    thread = [m for m in messages if m.thread]
    assert {m.thread for m in thread} == {"discord:1060927310439657577"}
    assert [m.kind for m in thread if m.id == m.thread] == [Kind.SYSTEM]
    assert (len(thread), sum(m.reply_to is not None for m in thread)) == (5 + 1, 2)


def test_two_real_exports_of_one_channel_merge(example_guild: Path, tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "knowledge")
    parts = [store.ingest([file]).total for file in sorted(example_guild.glob("*chill talk*.json"))]
    found = store.messages(include_all=True)
    store.close()
    assert sorted(p.seen for p in parts) == [5, 6]
    assert len(found) == 6
    assert found[-1].text == ":pepeheart: :pepeheart: :pepeheart:"
    assert found[2].text.startswith("Free nitro")


def test_the_real_channel_says_what_its_messages_are(example_guild: Path) -> None:
    messages, _ = read_path(next(example_guild.glob("*general*.json")))
    assert (len(messages), len({m.author.id for m in messages})) == (35, 4)
    assert sum(not m.text for m in messages) == 3
    assert {flag for m in messages for flag in m.flags} == {"files", "sticker", "embed"}
    assert sum(m.edited_at is not None for m in messages) == 1
    assert messages[-1].sent_at == datetime(2023, 1, 6, 16, 5, 35, 860_000, tzinfo=UTC)
