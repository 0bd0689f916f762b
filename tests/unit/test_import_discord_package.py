"""Discord's own data package: three eras, any language, and what its damage may cost."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import discord_file, discord_record, read_path, write_folder, write_zip

from knowledge.memory import MemoryStore
from knowledge.records import Message

ID = 1060953753550860429
"""A message sent at 16:11:26.414 UTC on 6 January 2023."""
ACCOUNT = {
    "id": "77",
    "username": "mira",
    "global_name": "Mira",
    "email": "m@x.org",
    "relationships": [{"type": 1, "user": {"id": "78", "username": "jonas"}}],
}
INDEX = {"11": "general in Harbour", "12": "Direct Message with jonas#0", "13": None}
GENERAL = {"id": "11", "type": 0, "name": "general", "guild": {"id": "1", "name": "Harbour"}}
DIRECT = {"id": "12", "type": 1, "recipients": ["77", "78"]}


Row = dict[str, object]


def row(text: str, number: int = ID, stamp: str = "2023-01-06 16:11:26", files: str = "") -> Row:
    return {"ID": number, "Timestamp": stamp, "Contents": text, "Attachments": files}


def csv_rows(*rows: Row, offset: str = ".000000+00:00") -> str:
    lines = [f'{r["ID"]},{r["Timestamp"]}{offset},"{r["Contents"]}",{r["Attachments"]}' for r in rows]
    return "\n".join(["ID,Timestamp,Contents,Attachments", *lines, ""])


def package(era: str, account: str = "account", messages: str = "messages") -> dict[str, str]:
    """The same two messages in a package of 2020 (no `c`, CSV), 2022 (`c`, CSV) or 2024 (`c`, JSON)."""
    prefix = "" if era == "2020" else "c"
    talks = {
        "11": (GENERAL, [row("hi\nthere")]),
        "12": (DIRECT, [row("", 2, "2023-01-07 10:00:00", "https://x.org/a.png")]),
    }
    files: dict[str, str] = {
        f"{account}/user.json": json.dumps(ACCOUNT),
        f"{messages}/index.json": json.dumps(INDEX),
        "README.txt": "Welcome",
    }
    for own, (channel, rows) in talks.items():
        folder = f"{messages}/{prefix}{own}"
        files[f"{folder}/channel.json"] = json.dumps(channel)
        if era == "2024":
            files[f"{folder}/messages.json"] = json.dumps(rows)
        else:
            files[f"{folder}/messages.csv"] = csv_rows(*rows)
    return files


def read(folder: Path, files: dict[str, str]) -> list[Message]:
    messages, reports = read_path(write_folder(folder, files))
    assert [(r.source, r.failed) for r in reports if r.source == "discord"] == [("discord", 0)]
    return messages


@pytest.mark.parametrize("era", ["2020", "2022", "2024"])
@pytest.mark.parametrize(
    ("account", "messages"), [("account", "messages"), ("Account", "Messages"), ("Konto", "Nachrichten")]
)
def test_every_era_in_every_language_says_the_same(
    era: str, account: str, messages: str, tmp_path: Path
) -> None:
    found = read(tmp_path, package(era, account, messages))
    general, direct = sorted(found, key=lambda m: m.sent_at)
    assert (general.id, general.text) == (f"discord:{ID}", "hi\nthere")
    assert (general.conversation_id, general.conversation) == ("discord:11", "#general in Harbour")
    assert (direct.conversation, direct.text, direct.flags) == ("@jonas", "", ("files",))
    assert {m.author.id for m in found} == {"discord:77"}
    assert set(general.author.aliases) == {"Mira", "mira", "m@x.org", "77"}


def test_the_id_knows_what_the_time_leaves_out(tmp_path: Path) -> None:
    first, second = sorted(read(tmp_path, package("2024")), key=lambda m: m.sent_at)
    assert first.sent_at == datetime(2023, 1, 6, 16, 11, 26, 414_000, tzinfo=UTC)
    assert second.sent_at == datetime(2023, 1, 7, 10, tzinfo=UTC)


def test_it_says_that_it_holds_one_side_only(tmp_path: Path) -> None:
    _, [report] = read_path(write_zip(tmp_path / "package.zip", package("2024")))
    assert "only what you wrote yourself" in report.notices[0]
    assert "DiscordChatExporter" in report.notices[0]


def test_the_notice_reaches_whoever_imports(tmp_path: Path) -> None:
    store = MemoryStore(tmp_path / "knowledge")
    result = store.ingest([write_zip(tmp_path / "package.zip", package("2024"))], me=["mira"])
    store.close()
    assert result.total.notices == result.reports[0].notices != []
    document = result.as_json()
    assert document["total"]["notices"] == document["sources"][0]["notices"] == result.total.notices


def test_a_package_and_an_export_of_both_sides_merge(tmp_path: Path) -> None:
    exported = discord_file(
        discord_record("hi\nthere", ID, timestamp="2023-01-06T16:11:26.414+00:00"),
        discord_record("yes", ID + 9),
    )
    write_folder(tmp_path / "in", package("2024"))
    write_folder(tmp_path / "in", {"exports/general.json": exported})
    store = MemoryStore(tmp_path / "knowledge")
    total = store.ingest([tmp_path / "in"], me=["77"]).total
    found = store.messages(conversation="discord:11")
    store.close()
    assert (total.seen, total.imported, total.duplicates, total.updated) == (4, 3, 1, 0)
    assert [m.text for m in found] == ["hi\nthere", "yes"]
    assert all(m.is_self for m in found)


def test_mentions_are_spelled_as_the_package_knows_them(tmp_path: Path) -> None:
    files = package("2024")
    files["messages/c11/messages.json"] = json.dumps([row("<@78> and <@99>, see <#11> <:ok:5>")])
    assert "@jonas and @99, see #general :ok:" in {m.text for m in read(tmp_path, files)}


@pytest.mark.parametrize(
    ("channel", "title", "shown"),
    [
        ({"type": 0, "name": "tips"}, "tips in Rock in Roll", "#tips in Rock in Roll"),
        ({"type": 0}, "tips in Harbour", "#tips in Harbour"),
        ({"type": 0, "guild": {"id": "1"}}, None, "#11 in Harbour"),
        ({"type": 0}, None, "#11"),
        ({"type": "GUILD_TEXT", "name": "tips", "guild": {"id": "1", "name": "Cove"}}, None, "#tips in Cove"),
        ({"type": "DM", "recipients": ["77", "78"]}, None, "@jonas"),
        ({"type": 1, "recipients": ["77", "79"]}, "Direct Message with Unknown Participant", "@79"),
        ({"type": 3, "name": "Hikers", "recipients": ["77", "78", "79"]}, "Hikers", "@Hikers"),
        ({"type": 3, "recipients": ["77", "78", "79"]}, None, "@jonas, @79"),
    ],
)
def test_places_have_the_names_people_know(
    channel: dict[str, object], title: str | None, shown: str, tmp_path: Path
) -> None:
    files = {
        "Compte/user.json": json.dumps(ACCOUNT),
        "Serveurs/index.json": json.dumps({"1": "Harbour"}),
        "Messages/index.json": json.dumps({"11": title}),
        "Messages/c11/channel.json": json.dumps({"id": "11", **channel}),
        "Messages/c11/messages.json": json.dumps([row("hi")]),
    }
    assert {m.conversation for m in read(tmp_path, files)} == {shown}


def test_own_words_in_a_thread_go_by_the_message_that_opened_it(tmp_path: Path) -> None:
    files = package("2024")
    files["messages/c11/channel.json"] = json.dumps({**GENERAL, "type": 11, "name": "Boats"})
    files["messages/c12/messages.json"] = json.dumps([row("opener", 11), row("beside", 3)])
    threads = {m.text: m.thread for m in read(tmp_path, files)}
    assert threads == {"hi\nthere": "discord:11", "opener": "discord:11", "beside": None}


def test_without_an_account_the_words_still_come_in(tmp_path: Path) -> None:
    files = {name: text for name, text in package("2020").items() if "user.json" not in name}
    assert {m.author.id for m in read(tmp_path, files)} == {"discord:owner"}


def test_the_messages_folder_alone_is_enough(tmp_path: Path) -> None:
    files = {n.removeprefix("messages/"): t for n, t in package("2024").items() if n.startswith("messages/")}
    assert {m.conversation for m in read(tmp_path, files)} == {"#general in Harbour", "@jonas"}


@pytest.mark.parametrize("damage", ["[", '{"ID": 1}', "", "null", "\x00", '[{"ID": 5'])
def test_a_broken_channel_loses_no_other(damage: str, tmp_path: Path) -> None:
    files = {**package("2024"), "messages/c12/messages.json": damage}
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert [m.conversation for m in messages] == ["#general in Harbour"]
    assert (report.seen, report.failed) == (2, 1)
    assert report.problems[0].place == "messages/c12/messages.json"


@pytest.mark.parametrize("name", ["account/user.json", "messages/index.json", "messages/c11/channel.json"])
@pytest.mark.parametrize(
    "damage", ["{", "[]", "null", '{"id": "²", "username": 5}', '{"id": [1]}', '{"type": 1, "recipients": 5}']
)
def test_broken_names_lose_no_message(name: str, damage: str, tmp_path: Path) -> None:
    messages, [report] = read_path(write_folder(tmp_path, {**package("2024"), name: damage}))
    assert {m.id for m in messages} == {f"discord:{ID}", "discord:2"}
    assert (report.seen, report.failed) == (2, 0)
    assert "discord:11" in {m.conversation_id for m in messages}


def test_bad_records_are_counted_and_the_others_kept(tmp_path: Path) -> None:
    bad = [None, {}, row("x", -1, "never"), {**row("y"), "ID": "abc"}, {**row("z"), "ID": 10**400}]
    files = {**package("2024"), "messages/c12/messages.json": json.dumps([*bad, row("kept", 3)])}
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert {m.text for m in messages} == {"hi\nthere", "kept"}
    assert report.failed == report.seen - 2
    assert report.failed >= 4


def test_a_time_that_cannot_be_read_comes_from_the_id(tmp_path: Path) -> None:
    files = package("2022")
    files["messages/c11/messages.csv"] = csv_rows(row("snow", stamp="never"), offset="")
    found = next(m for m in read(tmp_path, files) if m.text == "snow")
    assert found.sent_at.replace(microsecond=0) == datetime(2023, 1, 6, 16, 11, 26, tzinfo=UTC)
