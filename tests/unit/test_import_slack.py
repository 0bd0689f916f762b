"""Slack: text, people, conversations, threads and kinds."""

import gzip
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import (
    CHANNELS,
    USERS,
    read_one,
    read_path,
    slack_files,
    slack_record,
    write_folder,
    write_zip,
)

from knowledge.records import Kind, Message


def one(folder: Path, record: dict[str, object], **others: object) -> Message:
    return read_one(write_folder(folder / "in", slack_files(record, **others)))


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("hi <@U1>", "hi @Mira"),
        ("hi <@U2|jb>", "hi @Jonas Berg"),
        ("hi <@U9|guest>", "hi @guest"),
        ("hi <@U9>", "hi @U9"),
        ("see <#C1|general>", "see #general"),
        ("see <#C1>", "see #general"),
        ("see <#C1|>", "see #general"),
        ("<!here> and <!channel|@channel>", "@here and @channel"),
        ("<!subteam^S1|@crew> <!subteam^S2>", "@crew @S2"),
        ("on <!date^1392734382^{date_num}^https://x.org|18 Feb 2014>", "on 18 Feb 2014"),
        ("<https://x.org/a?b=1&amp;c=2|the page>", "the page (https://x.org/a?b=1&c=2)"),
        ("<https://x.org>", "https://x.org"),
        ("<mailto:a@x.org|a@x.org>", "a@x.org"),
        ("<mailto:a@x.org|Anna>", "Anna (a@x.org)"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("a &quot;quote&quot;", "a &quot;quote&quot;"),
    ],
)
def test_text_is_what_its_readers_saw(stored: str, shown: str, tmp_path: Path) -> None:
    assert one(tmp_path, slack_record(stored)).text == shown


def test_identity_and_time_come_from_the_ts_to_the_last_digit(tmp_path: Path) -> None:
    message = one(tmp_path, slack_record(ts="1452837318.000002"))
    assert message.id == "slack:C1:1452837318.000002"
    assert message.sent_at == datetime(2016, 1, 15, 5, 55, 18, 2, tzinfo=UTC)


def test_the_author_answers_to_every_name(tmp_path: Path) -> None:
    author = one(tmp_path, slack_record()).author
    assert (author.id, author.name) == ("slack:U1", "Mira")
    assert set(author.aliases) == {"Mira Sol", "Mira", "mira", "Mira@example.org", "U1"}


def test_a_stranger_is_named_by_the_record_itself(tmp_path: Path) -> None:
    profile = {"display_name": "Guest", "real_name": "Gus Test"}
    assert one(tmp_path, slack_record(user="U9", user_profile=profile)).author.name == "Guest"


def test_an_edit_keeps_its_time(tmp_path: Path) -> None:
    message = one(tmp_path, slack_record(edited={"user": "U1", "ts": "1710250000.000000"}))
    assert message.edited_at == datetime(2024, 3, 12, 13, 26, 40, tzinfo=UTC)


def test_replies_point_to_their_parent_across_day_files(tmp_path: Path) -> None:
    files = slack_files(slack_record("parent", "1710240000.0001", thread_ts="1710240000.0001"))
    reply = slack_record("reply", "1710340000.0002", thread_ts="1710240000.0001")
    files["general/2024-03-13.json"] = json.dumps([reply, slack_record("alone", "1710340001.0")])
    parent, answer, alone = read_path(write_folder(tmp_path, files))[0]
    assert (parent.thread, parent.reply_to) == (parent.id, None)
    assert (answer.thread, answer.reply_to) == (parent.id, parent.id)
    assert (alone.thread, alone.reply_to) == (None, None)


def test_a_broadcast_reply_is_emitted_once(tmp_path: Path) -> None:
    root = slack_record("root", "1.1", thread_ts="1.1")
    broadcast = slack_record("told all", "2.1", thread_ts="1.1", subtype="thread_broadcast", root=root)
    assert one(tmp_path, broadcast).text == "told all"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, Kind.SPEECH),
        ({"subtype": "me_message"}, Kind.SPEECH),
        ({"subtype": "file_share", "files": [{"name": "a.png"}]}, Kind.SPEECH),
        ({"subtype": "channel_join"}, Kind.SYSTEM),
        ({"subtype": "tombstone"}, Kind.SYSTEM),
        ({"subtype": "file_comment", "user": None, "comment": {"user": "U2"}}, Kind.SYSTEM),
        ({"subtype": "bot_message", "user": None, "username": "deploy"}, Kind.BOT),
        ({"user": "U3"}, Kind.BOT),
        ({"user": "USLACKBOT"}, Kind.BOT),
        ({"user": "U9", "bot_id": "B1", "bot_profile": {"name": "Poll"}}, Kind.BOT),
        ({"bot_id": "B1"}, Kind.SPEECH),
    ],
)
def test_only_people_speak(fields: dict[str, object], kind: Kind, tmp_path: Path) -> None:
    assert one(tmp_path, slack_record(**fields)).kind is kind


def test_a_bots_words_are_found_in_its_attachments_and_blocks(tmp_path: Path) -> None:
    attached = slack_record(
        "", subtype="bot_message", attachments=[{"pretext": "1 commit:", "text": "&lt;fix&gt;"}]
    )
    assert one(tmp_path, attached).text == "1 commit:\n<fix>"
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Poll* by <@U1>"}},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "a < b "}, {"type": "user", "user_id": "U2"}]}]},
    ]  # fmt: skip
    spoken = slack_record("", user="U3", blocks=blocks)
    assert one(tmp_path, spoken).text == "*Poll* by @Mira\na < b @Jonas Berg"


def test_what_a_person_shares_is_not_that_persons_words(tmp_path: Path) -> None:
    message = one(tmp_path, slack_record("", attachments=[{"text": "somebody else's words"}]))
    assert (message.text, message.flags) == ("", ("attachments",))


def test_conversations_have_readable_names(tmp_path: Path) -> None:
    files = slack_files(
        dms=[{"id": "D1", "members": ["U1", "U2"]}, {"id": "D2", "members": ["U1", "U3"]}],
        groups=[{"id": "G1", "name": "secret", "members": ["U1"]}],
        mpims=[{"id": "G2", "name": "mpdm-mira--jonas--robo-1", "members": ["U1", "U2", "U3"]}],
    )
    folders = {"general": "#general", "D1": "@Jonas Berg", "D2": "@Robo", "secret": "#secret"}
    folders["mpdm-mira--jonas--robo-1"] = "@Jonas Berg, @Robo"
    for number, folder in enumerate(folders, start=1):
        files[f"{folder}/2024-03-12.json"] = json.dumps([slack_record(folder, f"{number}.0")])
    messages, _ = read_path(write_folder(tmp_path, files))
    assert {message.text: message.conversation for message in messages} == folders
    assert {m.conversation_id for m in messages} == {f"slack:{c}" for c in ("C1", "D1", "D2", "G1", "G2")}


OTHER_TYPE = "something in it is of another type than it should be"
UNREADABLE = "a value in it cannot be read"


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        (None, OTHER_TYPE),
        (7, OTHER_TYPE),
        ([], OTHER_TYPE),
        ({"text": "no ts"}, "“ts” is missing"),
        (slack_record(ts="soon"), UNREADABLE),
        (slack_record(ts="9" * 40), UNREADABLE),
        (slack_record(text=["a"]), OTHER_TYPE),
    ],
)
def test_a_bad_record_fails_alone_and_is_told_of_in_words(record: object, wrong: str, tmp_path: Path) -> None:
    messages, [report] = read_path(write_folder(tmp_path, slack_files(record, slack_record("fine"))))
    assert [message.text for message in messages] == ["fine"]
    assert (report.seen, report.failed) == (2, 1)
    [problem] = report.problems
    assert (problem.place, problem.reason) == ("general/2024-03-12.json", f"bad record: {wrong}")


def test_json_nested_beyond_reason_fails_alone(tmp_path: Path) -> None:
    files = slack_files(slack_record("fine"))
    files["general/2024-03-13.json"] = "[" * 200_000 + "]" * 200_000
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert [message.text for message in messages] == ["fine"]
    assert (report.seen, report.failed) == (2, 1)


def test_a_lone_surrogate_is_kept(tmp_path: Path) -> None:
    assert one(tmp_path, slack_record("half \ud83d emoji")).text == "half \ud83d emoji"


def test_an_export_without_its_lists_is_still_read(tmp_path: Path) -> None:
    files = {"general/2024-03-12.json": json.dumps([slack_record()])}
    message = read_one(write_folder(tmp_path, files))
    assert (message.conversation, message.author.name) == ("#general", "U1")


def test_a_dump_and_an_archive_agree_with_the_export(tmp_path: Path) -> None:
    parent = slack_record("parent", "1.5", thread_ts="1.5")
    reply = slack_record("reply", "2.5", thread_ts="1.5")
    exported = read_path(write_folder(tmp_path / "a", slack_files(parent, reply)))[0]
    dump = {
        "channel_id": "C1",
        "name": "general",
        "messages": [{**parent, "slackdump_thread_replies": [reply]}],
    }
    dumped = read_path(write_folder(tmp_path / "b", {"C1.json": json.dumps(dump), "readme.bin": ""}))[0]
    chunks = [
        {"t": 3, "u": USERS},
        {"t": 5, "id": "C1", "ci": CHANNELS[0]},
        {"t": 0, "id": "C1", "m": [parent]},
        {"t": 1, "id": "C1", "m": [reply]},
    ]
    lines = "\n".join(json.dumps(chunk, separators=(",", ":")) for chunk in chunks)
    archived = read_path(write_folder(tmp_path / "c", {"C1.json.gz": gzip.compress(lines.encode())}))[0]
    assert archived == exported
    database = slackdump_database(tmp_path / "d" / "slackdump.sqlite", parent, reply)
    assert read_path(database)[0] == exported
    assert (
        read_path(write_zip(tmp_path / "d.zip", {"slackdump.sqlite": database.read_bytes()}))[0] == exported
    )
    assert [path.name for path in database.parent.iterdir()] == ["slackdump.sqlite"]
    assert [(m.id, m.text, m.thread, m.reply_to) for m in dumped] == [
        (m.id, m.text, m.thread, m.reply_to) for m in exported
    ]


def test_an_archive_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    first = json.dumps({"t": 0, "id": "C1", "m": [slack_record("kept")]}, separators=(",", ":"))
    messages, [report] = read_path(
        write_folder(tmp_path, {"x.gz": gzip.compress(f'{first}\n{{"t":0,"m'.encode())})
    )
    assert [message.text for message in messages] == ["kept"]
    assert (report.seen, report.failed) == (2, 1)


def slackdump_database(path: Path, *records: object) -> Path:
    """An archive of slackdump 3, in the columns that matter."""
    path.parent.mkdir()
    db = sqlite3.connect(path)
    for table, columns in (("S_USER", "ID"), ("CHANNEL", "ID"), ("MESSAGE", "CHANNEL_ID")):
        db.execute(f"CREATE TABLE {table} ({columns}, CHUNK_ID INTEGER NOT NULL, DATA BLOB NOT NULL)")
    rows = [("S_USER", user["id"], user) for user in USERS]
    rows += [("CHANNEL", "C1", CHANNELS[0]), *(("MESSAGE", "C1", record) for record in records)]
    for table, id, record in rows:
        data = record if isinstance(record, bytes) else json.dumps(record).encode()
        db.execute(f"INSERT INTO {table} VALUES (?, 1, ?)", (id, data))
    db.commit()
    db.close()
    return path


def test_a_bad_row_of_a_database_fails_alone(tmp_path: Path) -> None:
    path = slackdump_database(
        tmp_path / "a" / "x.sqlite", slack_record("kept"), b"{", slack_record("too", "5.0")
    )
    messages, [report] = read_path(path)
    assert [m.text for m in messages] == ["kept", "too"]
    assert (report.seen, report.failed) == (3, 1)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_database_that_breaks_off_is_a_failure_and_no_crash(kept: float, tmp_path: Path) -> None:
    said = (slack_record("x" * 900, f"{n}.0") for n in range(99))
    data = slackdump_database(tmp_path / "a" / "x.sqlite", *said).read_bytes()
    cut = data[: int(len(data) * kept)]
    messages, reports = read_path(write_folder(tmp_path / "in", {"x.sqlite": cut}))
    assert sum(report.failed for report in reports) >= 1
    assert sum(report.seen for report in reports) == len(messages) + sum(report.failed for report in reports)


def test_a_view_in_a_tables_place_is_not_asked(tmp_path: Path) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i CHANNEL_ID, i DATA FROM n"
    )
    path = tmp_path / "x.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE S_USER (ID, DATA)")
    db.execute("CREATE TABLE CHANNEL (ID, DATA)")
    db.execute(f"CREATE VIEW MESSAGE AS {endless} /* CREATE TABLE MESSAGE */")
    db.commit()
    db.close()
    messages, [report] = read_path(path)
    assert messages == []
    assert (report.seen, report.failed) == (1, 1)
