"""Signal: its own export, and both files of signal-export."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import read_path, signal_data, signal_record, write_folder

from knowledge.importers.registry import detect
from knowledge.records import ImportReport, Kind, Message

NASTY = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e"


def read(folder: Path, files: dict[str, str | bytes]) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, files))
    assert report.source == "signal"
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def data(folder: Path, *records: object) -> tuple[list[Message], ImportReport]:
    return read(folder, {"Jonas/data.json": signal_data(*records)})


# signal-export


def test_data_of_a_chat(tmp_path: Path) -> None:
    messages, _ = data(tmp_path, signal_record("hi"), signal_record("ho", 1, sender="Jonas Berg"))
    assert [(m.text, m.author.id) for m in messages] == [("hi", "signal:me"), ("ho", "signal:Jonas Berg")]
    assert messages[0].sent_at.replace(tzinfo=None) == datetime(2024, 3, 12, 10, 0, 0, 123000)
    assert (messages[0].conversation, messages[0].flags) == ("Jonas", ("zone-guessed",))


def test_the_text_of_a_chat_gives_the_same_messages_as_its_data(tmp_path: Path) -> None:
    text = (
        "[2024-03-12 10:00:00] Me: hi  \n\n"
        "[2024-03-12 10:00:01] Jonas: one\n\ntwo: 2  \n(- Me: 👍 -)\n\n"
        "[2024-03-12 10:00:02] Me: \n\n> one\n\nanswer  \n\n"
        "[2024-03-12 10:00:03] Jonas: look  ![a.jpg](./media/a.jpg)  [b.pdf](./media/b.pdf)  \n\n"
        "[2024-03-12 10:00:04] Me: (This message was deleted)\n\n"
    )
    records = [
        signal_record("hi"),
        signal_record("one\n\ntwo: 2", 1, sender="Jonas", reactions=[["Me", "👍"]]),
        signal_record("answer", 2, quote="\n\n> one\n\n"),
        signal_record("look", 3, sender="Jonas", attachments=[{"name": "a.jpg"}]),
        signal_record("gone", 4, deleted=True),
    ]
    written, _ = read(tmp_path / "a", {"Jonas/chat.md": text})
    known, _ = data(tmp_path / "b", *records)
    assert [m.text for m in written] == [
        "hi",
        "one\n\ntwo: 2",
        "answer",
        "look",
        "(This message was deleted)",
    ]
    assert [m.id for m in written] == [m.id for m in known]
    assert [m.flags for m in written] == [m.flags for m in known]
    assert [m.kind for m in written] == [m.kind for m in known]


def test_a_chat_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    text = "[2024-03-12 10:00:00] Me: hi  \n\n"
    messages, report = read(
        tmp_path, {"Jonas/data.json": signal_data(signal_record()), "Jonas/chat.md": text}
    )
    assert (len(messages), report.seen) == (1, 1)


def test_a_file_named_by_itself_is_the_same_chat(tmp_path: Path) -> None:
    files = {
        "Jonas/data.json": signal_data(signal_record()),
        "Jonas/chat.md": "[2024-03-12 10:00:00] Me: hello\n\n",
    }
    [known], _ = read(tmp_path, files)
    for name in files:
        assert [m.id for m in read_path(tmp_path / name)[0]] == [known.id]


def test_older_files_have_a_comma_and_no_seconds(tmp_path: Path) -> None:
    [message], _ = read(tmp_path, {"Jonas/chat.md": "[2019-05-29, 15:04] Me: hi  \n\n"})
    assert message.sent_at.replace(tzinfo=None) == datetime(2019, 5, 29, 15, 4)


def test_a_whatsapp_chat_of_the_same_shape_is_not_taken(tmp_path: Path) -> None:
    text = (
        "[2024-03-12 10:00:00] Mira: hi\n[2024-03-12 10:00:05] Jonas: ho\n\n[2024-03-12 10:01:00] Mira: x\n"
    )
    [(importer, _)] = detect(write_folder(tmp_path, {"_chat.txt": text}))
    assert importer.name == "whatsapp"


@pytest.mark.parametrize(
    "broken", ["{", "null", "7", '{"date": "soon", "sender": "a", "body": ""}', "[" * 90_000]
)
def test_a_broken_line_fails_alone(broken: str, tmp_path: Path) -> None:
    content = signal_data(signal_record("a")) + broken + "\n" + signal_data(signal_record("b", 1))
    messages, report = read(tmp_path, {"Jonas/data.json": content})
    assert ([m.text for m in messages], report.failed) == (["a", "b"], 1)


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    assert data(tmp_path, signal_record(NASTY + " \ud800"))[0][0].text == NASTY + " \ud800"


# Signal's own


FRAMES: list[dict[str, object]] = [
    {"version": "1", "backupTimeMs": "1710300000000"},
    {"account": {"givenName": "Mira", "familyName": "Sol", "username": "mira.77"}},
    {"recipient": {"id": "1", "self": {}}},
    {
        "recipient": {
            "id": "2",
            "contact": {"aci": "QUJD", "e164": "491511234567", "profileGivenName": "Jonas"},
        }
    },
    {"recipient": {"id": "3", "group": {"masterKey": "R1JP", "snapshot": {"title": {"title": "Harbour"}}}}},
    {"chat": {"id": "1", "recipientId": "2"}},
    {"chat": {"id": "2", "recipientId": "3"}},
]


def item(author: int, stamp: int, chat: int = 1, **what: object) -> dict[str, object]:
    return {"chatItem": {"chatId": str(chat), "authorId": str(author), "dateSent": str(stamp), **what}}


def says(body: str, **more: object) -> dict[str, object]:
    return {"text": {"body": body}, **more}


def own(folder: Path, *items: object) -> tuple[list[Message], ImportReport]:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in (*FRAMES, *items)]
    return read(folder, {"main.jsonl": "\n".join(lines)})


def test_people_chats_groups_and_replies(tmp_path: Path) -> None:
    quote = {"targetSentTimestamp": "1710237600123", "authorId": "2", "text": {"body": "hi"}}
    messages, _ = own(
        tmp_path,
        item(2, 1710237600123, incoming={}, standardMessage=says("hi")),
        item(1, 1710237600456, outgoing={}, standardMessage=says("ho", quote=quote)),
        item(2, 1710237600789, 2, standardMessage=says("all", attachments=[{}])),
    )
    assert [(m.id, m.author.name, m.conversation, m.text) for m in messages] == [
        ("signal:1710237600123:QUJD", "Jonas", "Jonas", "hi"),
        ("signal:1710237600456:me", "Mira Sol", "Jonas", "ho"),
        ("signal:1710237600789:QUJD", "Jonas", "Harbour", "all"),
    ]
    assert messages[1].reply_to == messages[0].id
    assert messages[0].sent_at == datetime(2024, 3, 12, 10, 0, 0, 123000, tzinfo=UTC)
    assert "mira.77" in messages[1].author.aliases
    assert "+491511234567" in messages[0].author.aliases
    assert messages[2].flags == ("files",)


def test_deleted_messages_events_and_stickers(tmp_path: Path) -> None:
    messages, _ = own(
        tmp_path,
        item(2, 1, remoteDeletedMessage={}),
        item(2, 2, updateMessage={"simpleUpdate": {"type": "JOINED_SIGNAL"}}),
        item(2, 3, stickerMessage={"sticker": {"emoji": "🙂"}}),
    )
    assert [(m.kind, m.flags) for m in messages] == [
        (Kind.SYSTEM, ("deleted",)),
        (Kind.SYSTEM, ()),
        (Kind.SPEECH, ("sticker",)),
    ]


@pytest.mark.parametrize(
    "broken", ["{", "null", item(2, 5, 99, standardMessage=says("lost")), {"chatItem": {}}]
)
def test_a_broken_frame_fails_alone(broken: object, tmp_path: Path) -> None:
    one, two = (item(2, n, standardMessage=says(text)) for n, text in ((1, "a"), (2, "b")))
    messages, report = own(tmp_path, one, broken, two)
    assert ([m.text for m in messages], report.failed) == (["a", "b"], 1)
