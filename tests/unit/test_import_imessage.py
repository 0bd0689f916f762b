"""iMessage: the text files of imessage-exporter."""

from datetime import datetime
from pathlib import Path

import pytest
from export_samples import imessage_chat, read_path, write_folder

from knowledge.records import ImportReport, Kind, Message


def read(
    folder: Path, content: str | bytes, name: str = "Jonas Berg.txt"
) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, {name: content}))
    assert report.source == "imessage"
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def test_a_chat(tmp_path: Path) -> None:
    text = (
        "May 17, 2022  5:29:42 PM (Read by them after 1 hour, 49 seconds)\nMe\nHello\n\nsecond: line\n\n"
        "May 07, 2022 12:00:01 AM\n+15551234567\nMay 18, 2022 is fine\n\n"
    )
    messages, _ = read(tmp_path, text)
    assert [(m.author.id, m.text) for m in messages] == [
        ("imessage:me", "Hello\n\nsecond: line"),
        ("imessage:+15551234567", "May 18, 2022 is fine"),
    ]
    assert [m.sent_at.replace(tzinfo=None) for m in messages] == [
        datetime(2022, 5, 17, 17, 29, 42),
        datetime(2022, 5, 7, 0, 0, 1),
    ]
    assert messages[0].conversation == "Jonas Berg"


def test_reactions_and_replies_shown_below_a_message_are_not_its_words(tmp_path: Path) -> None:
    text = (
        "May 17, 2022  5:29:42 PM\nMe\nlunch?\nTapbacks:\n    Loved by Jonas\n\n"
        "    May 17, 2022  5:30:42 PM\n    Jonas\n    yes\n\n    please\n\n"
        "May 17, 2022  5:30:42 PM\nJonas\nyes\n\nplease\nThis message responded to an earlier message.\n\n"
    )
    messages, _ = read(tmp_path, text)
    assert [(m.author.name, m.text) for m in messages] == [("Me", "lunch?"), ("Jonas", "yes\n\nplease")]


@pytest.mark.parametrize(
    ("body", "text", "flag"),
    [
        ("look\n/Users/mira/Library/Messages/Attachments/0a/b.jpeg", "look", "files"),
        ("attachments/12/34.heic", "", "files"),
        ("May 17, 2022  5:29:42 PM Helo\nEdited 10 seconds later: Hello", "Hello", "edited"),
        ("This message was deleted from the conversation!\nHello", "Hello", "deleted"),
        ("Hello\nSent with Confetti", "Hello", ""),
    ],
)
def test_what_the_exporter_adds_is_cut_and_kept_as_raw(
    body: str, text: str, flag: str, tmp_path: Path
) -> None:
    [message], _ = read(tmp_path, imessage_chat(body))
    assert (message.text, message.raw) == (text, body)
    assert flag in ("", *message.flags)


def test_indented_text_stays(tmp_path: Path) -> None:
    body = "def f():\n    return 1\nEdited by me later: no"
    [message], _ = read(tmp_path, imessage_chat(body))
    assert (message.text, message.raw) == (body, None)


def test_events_are_no_speech(tmp_path: Path) -> None:
    text = (
        "May 17, 2022  5:29:42 PM You named the conversation Harbour\n\n"
        "May 17, 2022  5:30:42 PM\nMe\nYou unsent a message!\n\n"
    )
    messages, _ = read(tmp_path, text)
    assert [m.kind for m in messages] == [Kind.SYSTEM] * 2
    assert messages[0].text == "You named the conversation Harbour"


def test_ids_are_stable_over_overlaps_and_tell_chats_apart(tmp_path: Path) -> None:
    chat = imessage_chat("one", "two", "two", "three")
    first, _ = read(tmp_path / "a", chat)
    later, _ = read(tmp_path / "b", chat[chat.index("Mar 12, 2024 10:01:00 AM") :])
    other, _ = read(tmp_path / "c", chat, "Anna.txt")
    assert [m.id for m in later] == [m.id for m in first[1:]]
    assert len({m.id for m in first + other}) == 8


def test_a_cut_end_bad_bytes_and_impossible_times(tmp_path: Path) -> None:
    bad = b"Feb 31, 2024 10:00:00 AM\nMe\nnever\n\nMar 12, 2024 10:05:00 AM\nJ\xff\ncaf\xe9"
    messages, report = read(tmp_path, imessage_chat("one").encode() + bad)
    assert [m.text for m in messages] == ["one", "caf�"]
    assert report.failed == 1


def test_an_endless_message_fails_alone(tmp_path: Path) -> None:
    messages, report = read(tmp_path, imessage_chat("one", "x" * (3 << 20), "three"))
    assert ([m.text for m in messages], report.failed) == (["one", "three"], 1)


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    nasty = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e"
    assert read(tmp_path, imessage_chat(nasty))[0][0].text == nasty
