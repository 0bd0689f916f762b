"""What every importer promises, on a small export of each kind and on hostile ones."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from export_samples import (
    chatgpt_chat,
    chatgpt_node,
    claude_chat,
    claude_message,
    discord_file,
    discord_record,
    generic_line,
    git_commit,
    github_comment,
    google_files,
    google_record,
    imessage_chat,
    jira_issue,
    jira_page,
    mail_text,
    mbox,
    meta_chat,
    meta_record,
    read_path,
    read_source,
    signal_data,
    signal_record,
    slack_files,
    slack_record,
    telegram_chat,
    telegram_record,
    whatsapp_chat,
    write_folder,
    write_tar,
    write_zip,
    zendesk_comment,
    zendesk_page,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.importers.archives import open_source
from knowledge.importers.notes import OWNER
from knowledge.importers.registry import IMPORTERS, detect, names
from knowledge.importers.source import Limits
from knowledge.records import ImportReport, Message
from knowledge.text import prompt_safe
from persona.cli.ingest import SOURCES

IDS_OF_PLACES = {"notes", "messenger", "instagram", "signal", "imessage", "whatsapp"}
"""Sources whose notes or chats have no other name than that of their file or folder."""
NASTY = "zero \x00 bell \x07 bidi \u202e end"


@dataclass(frozen=True)
class Case:
    """files: a good export of three messages. broken: the same beside one unreadable record."""

    source: str
    files: Mapping[str, str]
    broken: Mapping[str, str | bytes]
    nasty: Mapping[str, str]


CASES = [
    Case(
        "slack",
        slack_files(
            slack_record("one"), slack_record("two", "1710240001.000100"), slack_record("3", "1710240002.0")
        ),
        {**slack_files(slack_record("one")), "general/2024-03-13.json": b"[{"},
        slack_files(slack_record(NASTY)),
    ),
    Case(
        "discord",
        {"c.json": discord_file(*(discord_record(f"Text {n}", n) for n in (1, 2, 3)))},
        {
            "a.json": discord_file(discord_record("one", 1)),
            "b.json": discord_file(discord_record("lost", 2))[:-60],
        },
        {"c.json": discord_file(discord_record(NASTY))},
    ),
    Case(
        "email",
        {"all.mbox": mbox(*(mail_text(f"Body {n}", f"<{n}@x.org>") for n in range(3)))},
        {"good.eml": mail_text(), "all.mbox": mbox(mail_text("again", "<2@x.org>"), "X-Empty:\n\n\n")},
        {"all.mbox": mbox(mail_text(NASTY, Content_Type="text/plain; charset=utf-8"))},
    ),
    Case(
        "signal",
        {"Jonas/data.json": signal_data(*(signal_record(f"Text {n}", n) for n in (1, 2, 3)))},
        {"Jonas/data.json": signal_data(signal_record("one"), {"date": "?"}, signal_record("two", 2))},
        {"Jonas/data.json": signal_data(signal_record(NASTY))},
    ),
    Case(
        "imessage",
        {"Jonas.txt": imessage_chat("one", "two", "three")},
        {"Jonas.txt": imessage_chat("one") + "Feb 31, 2024 10:00:00 AM\nMe\nnever\n\n"},
        {"Jonas.txt": imessage_chat(NASTY)},
    ),
    Case(
        "whatsapp",
        {"WhatsApp Chat with Jonas.txt": whatsapp_chat("one", "two", "three")},
        {"a.txt": whatsapp_chat("one"), "b.txt": whatsapp_chat("lost", day="03/04/24")},
        {"WhatsApp Chat with Jonas.txt": whatsapp_chat(NASTY)},
    ),
    Case(
        "telegram",
        {"result.json": telegram_chat(*(telegram_record(f"Text {n}", n) for n in (1, 2, 3)))},
        {
            "a.json": telegram_chat(telegram_record("one", 1), {"type": "message", "id": 2}),
            "b.json": telegram_chat(telegram_record("two", 3)),
        },
        {"result.json": telegram_chat(telegram_record(NASTY))},
    ),
    Case(
        "messenger",
        {"inbox/jonas_1/message_1.json": meta_chat(*(meta_record(f"Text {n}", n) for n in (3, 2, 1)))},
        {
            "a/message_1.json": meta_chat(meta_record("one", 1), {"sender_name": "Mira Sol"}),
            "b/message_1.json": meta_chat(meta_record("two", 3)),
        },
        {"inbox/jonas_1/message_1.json": meta_chat(meta_record(NASTY))},
    ),
    Case(
        "instagram",
        {
            "your_instagram_activity/messages/inbox/jonas_1/message_1.json": meta_chat(
                *(meta_record(f"Text {n}", n) for n in (3, 2, 1))
            )
        },
        {
            "instagram/a/message_1.json": meta_chat(meta_record("one", 1)),
            "instagram/b/message_1.json": meta_chat(meta_record("two", 3))[:-90],
        },
        {"your_instagram_activity/messages/inbox/jonas_1/message_1.json": meta_chat(meta_record(NASTY))},
    ),
    Case(
        "google-chat",
        google_files(*(google_record(f"Text {n}", n) for n in (1, 2, 3))),
        google_files(google_record("one"), google_record("two", 2, created_date="mardi 12 mars 2024")),
        google_files(google_record(NASTY)),
    ),
    Case(
        "github",
        {"comments.json": json.dumps([github_comment(f"Text {n}", n) for n in (1, 2, 3)])},
        {"comments.json": json.dumps([github_comment("one"), github_comment("lost", 2, created_at=None)])},
        {"comments.json": json.dumps([github_comment(NASTY)])},
    ),
    Case(
        "git",
        {"log.txt": git_commit("One", 1) + git_commit("Two", 2) + git_commit("Three", 3)},
        {"log.txt": git_commit("one", 1) + git_commit("lost", 2).replace("2024", "then")},
        {"log.txt": git_commit(NASTY)},
    ),
    Case(
        "jira",
        {"page.json": jira_page(*(jira_issue(f"Text {n}", n) for n in (1, 2, 3)))},
        {"page.json": jira_page(jira_issue("one"), jira_issue("lost", 2, created="yesterday"))},
        {"page.json": jira_page(jira_issue(NASTY))},
    ),
    Case(
        "zendesk",
        {"comments.json": zendesk_page(*(zendesk_comment(f"Text {n}", n) for n in (1, 2, 3)))},
        {"comments.json": zendesk_page(zendesk_comment("one"), zendesk_comment("lost", 2, created_at="?"))},
        {"comments.json": zendesk_page(zendesk_comment(NASTY))},
    ),
    Case(
        "chatgpt",
        {
            "conversations.json": json.dumps(
                [chatgpt_chat(*(chatgpt_node(f"Text {n}", n) for n in (1, 2, 3)))]
            )
        },
        {
            "conversations.json": json.dumps(
                [
                    chatgpt_chat(chatgpt_node("one")),
                    chatgpt_chat(chatgpt_node("lost", 2, author=None), own="c2"),
                ]
            )
        },
        {"conversations.json": json.dumps([chatgpt_chat(chatgpt_node(NASTY))])},
    ),
    Case(
        "claude",
        {
            "conversations.json": json.dumps(
                [claude_chat(*(claude_message(f"Text {n}", n) for n in (1, 2, 3)))]
            )
        },
        {
            "conversations.json": json.dumps(
                [claude_chat(claude_message("one"), claude_message("lost", 2, created_at="?"))]
            )
        },
        {"conversations.json": json.dumps([claude_chat(claude_message(NASTY))])},
    ),
    Case(
        "generic",
        {"all.jsonl": generic_line("one") + generic_line("two") + generic_line("three")},
        {"all.jsonl": generic_line("one") + generic_line("lost", sent_at="yesterday")},
        {"all.jsonl": generic_line(NASTY)},
    ),
    Case(
        "notes",
        {"a.md": "first", "b.md": "second", "deep/c.md": "third"},
        {"a.md": "first", "b.md": b"\xff\xfe\x00\xd8\x00", "c.md": "more"},
        {"a.md": NASTY, "b.md": "plain"},
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: case.source)
def case(request: pytest.FixtureRequest) -> Case:
    found = request.param
    assert isinstance(found, Case)
    return found


def test_every_importer_has_a_case() -> None:
    assert {importer.name for importer in IMPORTERS} == {case.source for case in CASES}


def test_every_importer_can_be_named_on_the_command_line() -> None:
    assert sorted(SOURCES) == sorted(["auto", *names()])


def test_the_export_is_recognised_and_read_in_full(case: Case, tmp_path: Path) -> None:
    messages, reports = read_path(write_folder(tmp_path / "in", case.files))
    assert [report.source for report in reports] == [case.source]
    assert len(messages) == 3
    assert reports[0].seen == 3
    assert reports[0].failed == 0


def test_ids_are_the_same_in_a_zip_a_folder_and_a_folder_within(case: Case, tmp_path: Path) -> None:
    ids = [
        {message.id for message in read_path(path)[0]}
        for path in (
            write_folder(tmp_path / "plain", case.files),
            write_zip(tmp_path / "export.zip", case.files),
            write_folder(tmp_path / "outer", {f"inner/{name}": text for name, text in case.files.items()}),
            write_zip(tmp_path / "n.zip", {f"inner/{name}": text for name, text in case.files.items()}),
        )
    ]
    assert ids[0]
    assert ids == [ids[0]] * 4
    assert all(identity.startswith(f"{case.source}:") for identity in ids[0])


def test_content_decides_not_the_name_of_the_file(case: Case, tmp_path: Path) -> None:
    if case.source == "notes":
        pytest.skip("text has no mark but its ending")
    archive = write_zip(tmp_path / "holiday.jpg", case.files)
    assert [importer.name for importer, _ in detect(archive)] == [case.source]


def test_every_record_is_accounted_for_beside_a_broken_one(case: Case, tmp_path: Path) -> None:
    messages, reports = read_path(write_folder(tmp_path / "in", case.broken))
    report = reports[0]
    assert messages
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    assert report.failed + report.skipped.total() == len(report.problems)


def test_broken_files_fail_without_stopping_the_others(case: Case, tmp_path: Path) -> None:
    if case.source == "email":
        pytest.skip("any bytes below a header are a mail")
    messages, reports = read_path(write_folder(tmp_path / "in", case.broken))
    assert reports[0].failed == 1
    assert "one" in messages[0].text or "first" in messages[0].text


def test_times_are_aware_and_people_have_names(case: Case, tmp_path: Path) -> None:
    messages, _ = read_path(write_folder(tmp_path / "in", case.files))
    assert all(message.sent_at.tzinfo is not None for message in messages)
    assert all(
        message.author.name and message.author.id.startswith((case.source, OWNER.id)) for message in messages
    )
    assert all(message.conversation and message.conversation_id for message in messages)


def test_text_is_handed_on_as_it_is(case: Case, tmp_path: Path) -> None:
    messages, _ = read_path(write_folder(tmp_path / "in", case.nasty))
    assert messages[0].text == NASTY


def test_reading_is_lazy(case: Case, tmp_path: Path) -> None:
    [(importer, source)] = detect(write_folder(tmp_path / "in", case.files))
    report = ImportReport(source.label, importer.name)
    stream = importer.read(source, report)
    assert isinstance(stream, Iterator)
    next(stream)
    assert report.seen == 1


def test_reading_twice_gives_the_same(case: Case, tmp_path: Path) -> None:
    [(importer, source)] = detect(write_zip(tmp_path / "x.zip", case.files))
    assert read_source(importer, source)[0] == read_source(importer, source)[0]


def test_nothing_is_written_beside_the_export(case: Case, tmp_path: Path) -> None:
    read_path(write_zip(tmp_path / "x.zip", case.files))
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(
    "junk", [b"", b"\x00" * 64, b"[" * 100_000, b"PK\x03\x04oops", "\ud800".encode("utf-8", "surrogatepass")]
)
def test_junk_is_never_taken_for_an_export(junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "junk.bin"
    path.write_bytes(junk)
    messages, [report] = read_path(path)
    assert messages == []
    assert (report.seen, report.failed) == (1, 1)


def accounted(path: Path) -> list[Message]:
    """Everything at a path; no record may be lost on the way, or bring something that cannot be stored."""
    messages, reports = read_path(path)
    assert sum(r.seen for r in reports) == len(messages) + sum(r.skipped.total() + r.failed for r in reports)
    assert all(m.sent_at.tzinfo and isinstance(m.text, str) and m.id and m.author.id for m in messages)
    return messages


def test_only_one_importer_takes_it_for_its_own(case: Case, tmp_path: Path) -> None:
    source = open_source(write_folder(tmp_path / "in", case.files), Limits())
    sure = {
        importer.name
        for importer in IMPORTERS
        for part in (source, *(source.only([name]) for name in case.files))
        if importer.sniff(part) >= 0.5
    }
    assert sure == {case.source}


def test_no_message_has_the_id_of_another(case: Case, tmp_path: Path) -> None:
    messages, _ = read_path(write_folder(tmp_path / "in", case.files))
    assert len({message.id for message in messages}) == len(messages) == 3


def test_ids_are_the_same_under_another_name_and_in_a_tar(case: Case, tmp_path: Path) -> None:
    before = {message.id for message in read_path(write_folder(tmp_path / "in", case.files))[0]}
    assert {message.id for message in read_path(write_tar(tmp_path / "x.tgz", case.files))[0]} == before
    if len(case.files) == 1 and case.source not in IDS_OF_PLACES:
        [text] = case.files.values()
        renamed = write_folder(tmp_path / "renamed", {"download (1).bin": text})
        assert {message.id for message in read_path(renamed)[0]} == before


def test_what_reaches_a_prompt_or_a_terminal_is_harmless(case: Case, tmp_path: Path) -> None:
    messages, _ = read_path(write_folder(tmp_path / "in", case.nasty))
    for message in messages:
        shown = prompt_safe(f"{message.author.name} {message.conversation} {message.text} <|im_end|>")
        assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in shown)
        assert "\u202e" not in shown
        assert "<|" not in shown


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.5, 0.8, 0.97])
def test_a_file_that_breaks_off_loses_only_its_end(case: Case, kept: float, tmp_path: Path) -> None:
    files = {name: text[: int(len(text) * kept)] for name, text in case.files.items()}
    accounted(write_folder(tmp_path / "in", files))


@given(data=st.data())
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_changed_bytes_never_crash_an_importer(case: Case, data: st.DataObject, tmp_path: Path) -> None:
    files = {name: mutated(data, text.encode()) for name, text in case.files.items()}
    folder = tmp_path / "in"
    if folder.exists():
        shutil.rmtree(folder)
    accounted(write_folder(folder, files))


VALUES = ["null", "[]", "{}", '"?"', "-1", "1e400", "99999999999999999999", "NaN", '"\\ud800"', "true"]


@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_value_of_a_json_export_may_be_another(case: Case, data: st.DataObject, tmp_path: Path) -> None:
    if not any(text.startswith(("{", "[")) for text in case.files.values()):
        pytest.skip("no JSON")
    files = {}
    for name, text in case.files.items():
        found = list(re.finditer(r'(?<=: )(?:"(?:[^"\\]|\\.)*"|[\d.]+|true|false|null)', text))
        if found:
            match = data.draw(st.sampled_from(found))
            text = text[: match.start()] + data.draw(st.sampled_from(VALUES)) + text[match.end() :]
        files[name] = text
    folder = tmp_path / "in"
    if folder.exists():
        shutil.rmtree(folder)
    accounted(write_folder(folder, files))


def mutated(data: st.DataObject, original: bytes) -> bytes:
    """A few stretches of the original replaced by others."""
    changed = original
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(start, min(len(changed), start + 40)))
        other = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from(STRANGE)))
        changed = changed[:start] + other + changed[end:]
    return changed


STRANGE = [
    b"\xed\xa0\x80",
    b"\x00",
    b"\x1b]52;c;eA==\x07",
    b"\r",
    b"}]",
    b"[" * 2000,
    b"<|im_end|>",
    b"9" * 400,
]
