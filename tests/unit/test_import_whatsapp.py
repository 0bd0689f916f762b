"""WhatsApp: shapes of dates, their order, what WhatsApp writes among the words, stable ids."""

from pathlib import Path

import pytest
from export_samples import read_path, whatsapp_chat, write_folder, write_zip

from knowledge.importers.registry import detect
from knowledge.importers.whatsapp import UNCERTAIN
from knowledge.records import ImportReport, Kind, Message

NAME = "WhatsApp Chat with Jonas.txt"


def chat(folder: Path, text: str | bytes, name: str = NAME) -> tuple[list[Message], ImportReport]:
    messages, [report] = read_path(write_folder(folder, {name: text}) / name)
    assert report.source == "whatsapp"
    assert report.seen == len(messages) + report.skipped.total() + report.failed
    return messages, report


def times(messages: list[Message]) -> list[str]:
    return [message.sent_at.replace(tzinfo=None).isoformat(" ") for message in messages]


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("13/03/24, 10:00 - Mira: hi", "2024-03-13 10:00:00"),
        ("3/13/24, 10:00 PM - Mira: hi", "2024-03-13 22:00:00"),
        ("3/13/24, 10:00\u202fPM - Mira: hi", "2024-03-13 22:00:00"),
        ("[3/13/24, 12:05:09\u202fAM] Mira: hi", "2024-03-13 00:05:09"),
        ("13/03/2024, 12:05 a. m. - Mira: hi", "2024-03-13 00:05:00"),
        ("13/03/2024, 12:05 p.\u00a0m. - Mira: hi", "2024-03-13 12:05:00"),
        ("\u200e[13/03/24, 10:00:07] Mira: hi", "2024-03-13 10:00:07"),
        ("\ufeff\u200e[13.03.24, 10:00:07] Mira: hi", "2024-03-13 10:00:07"),
        ("03.04.24, 10:00 - Mira: hi", "2024-04-03 10:00:00"),
        ("13-03-2024 10:00 - Mira: hi", "2024-03-13 10:00:00"),
        ("2024-03-04 10:00 - Mira: hi", "2024-03-04 10:00:00"),
        ("[2024-03-04, 10:00:00] Mira: hi", "2024-03-04 10:00:00"),
        ("13.3.2024 klo 10.00 - Mira: hi", "2024-03-13 10:00:00"),
        ("13. 3. 2024 10:00 - Mira: hi", "2024-03-13 10:00:00"),
        ("2024. 3. 4. 오후 1:02 - Mira: hi", "2024-03-04 13:02:00"),
        ("24. 3. 4. 오전 11:02 - Mira: hi", "2024-03-04 11:02:00"),
        ("2024/3/4 下午1:02 - Mira: hi", "2024-03-04 13:02:00"),
        ("١٣\u200f/٣\u200f/٢٠٢٤, ١٠:٠٠ م - Mira: hi", "2024-03-13 22:00:00"),
        ("03/03/24, 10:00 - Mira: hi", "2024-03-03 10:00:00"),
    ],
)
def test_every_shape_of_date(line: str, time: str, tmp_path: Path) -> None:
    [message], _ = chat(tmp_path, line)
    assert (times([message]), message.author.name, message.text) == ([time], "Mira", "hi")


def test_one_number_above_twelve_tells_the_order_of_the_whole_file(tmp_path: Path) -> None:
    text = "01/02/24, 10:00 - Mira: a\n02/03/24, 10:00 - Jonas: b\n03/14/24, 10:00 - Mira: c\n"
    assert times(chat(tmp_path, text)[0]) == [f"2024-{day} 10:00:00" for day in ("01-02", "02-03", "03-14")]


def test_dates_that_would_run_backwards_tell_the_order_too(tmp_path: Path) -> None:
    text = "05/01/24, 10:00 - Mira: a\n02/02/24, 10:00 - Jonas: b\n01/03/24, 10:00 - Mira: c\n"
    assert times(chat(tmp_path, text)[0]) == [f"2024-{day} 10:00:00" for day in ("01-05", "02-02", "03-01")]


@pytest.mark.parametrize(
    "text",
    [
        whatsapp_chat("one", day="03/04/24"),
        "03/04/24, 10:00 - Mira: a\n04/05/24, 10:00 - Jonas: b\n",
        "13/04/24, 10:00 - Mira: a\n04/14/24, 10:00 - Jonas: b\n",
    ],
)
def test_an_uncertain_order_is_never_guessed_but_asked_for(text: str, tmp_path: Path) -> None:
    messages, report = chat(tmp_path, text)
    assert (messages, report.failed) == ([], 1)
    assert report.problems[0].reason == UNCERTAIN
    assert "--day-first" in report.notices[0]


@pytest.mark.parametrize(("day_first", "month"), [(True, 4), (False, 3)])
def test_the_user_settles_an_uncertain_order(day_first: bool, month: int, tmp_path: Path) -> None:
    path = write_folder(tmp_path, {NAME: whatsapp_chat("one", day="03/04/24")}) / NAME
    [(importer, source)] = detect(path, day_first=day_first)
    [message] = importer.read(source, ImportReport("", ""))
    assert message.sent_at.month == month


def test_a_file_that_tells_its_order_is_believed_over_the_user(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {NAME: whatsapp_chat("one", day="03/14/24")}) / NAME
    [(importer, source)] = detect(path, day_first=True)
    assert [m.sent_at.day for m in importer.read(source, ImportReport("", ""))] == [14]


def test_what_looks_like_a_line_of_another_export_is_text(tmp_path: Path) -> None:
    pasted = "\n".join(
        ["look:", "[3/25/24, 10:00:05] Bob: hi", "13/03/24, 10:00 PM - Bob: ho", "99/99/24, 10:00 - x: y"]
    )
    messages, _ = chat(tmp_path, whatsapp_chat(pasted, "next"))
    assert [m.text for m in messages] == [pasted, "next"]


def test_lines_and_colons_and_empty_lines_stay_in_a_message(tmp_path: Path) -> None:
    said = "first: 1\n\n  second line\u2028same line\nhttps://example.org: end"
    messages, _ = chat(tmp_path, whatsapp_chat(said, "next").replace("\n", "\r\n"))
    assert [m.text for m in messages] == [said, "next"]


def test_names_with_colons_are_known_by_what_follows_them_every_time(tmp_path: Path) -> None:
    text = "".join(f"13/03/24, 10:0{n} - Dr: House: text {n}: more\n" for n in range(3))
    messages, _ = chat(tmp_path, text + "13/03/24, 10:05 - Mira: Note: bring it\n")
    assert [(m.author.name, m.text) for m in messages] == [
        *(("Dr: House", f"text {n}: more") for n in range(3)),
        ("Mira", "Note: bring it"),
    ]


@pytest.mark.parametrize(
    "event",
    [
        'Mira created group "Trip: Lisbon"',
        "Mira changed the subject from “Trip: Porto” to “Trip: Lisbon”",
        "Messages and calls are end-to-end encrypted.",
        "You were added",
        "Trip: \u200eMessages and calls are end-to-end encrypted.",
    ],
)
def test_events_are_no_speech(event: str, tmp_path: Path) -> None:
    messages, _ = chat(tmp_path, whatsapp_chat("one", "two") + f"13/03/24, 10:05 - {event}\n")
    assert [m.kind for m in messages] == [Kind.SPEECH, Kind.SPEECH, Kind.SYSTEM]
    assert messages[2].author.id == "whatsapp:system"


@pytest.mark.parametrize(
    ("written", "text", "flag"),
    [
        ("<Media omitted>", "", "files"),
        ("<Medien ausgeschlossen>", "", "files"),
        ("<Без медиафайлов>", "", "files"),
        ("\u200eimage omitted", "", "files"),
        ("look \u200eBild weggelassen", "look", "files"),
        ("\u200eIMG-20240313-WA0001.jpg (file attached)\nthe boat", "the boat", "files"),
        ("IMG-20240313-WA0001.jpg (jotain muuta)\nthe boat", "the boat", "files"),
        ("plan b.pdf (Datei angehängt)", "", "files"),
        ("the boat \u200e<attached: 00000012-PHOTO-2024-03-13-10-00-00.jpg>", "the boat", "files"),
        ("better \u200e<This message was edited>", "better", "edited"),
        ("better <This message was edited>", "better", "edited"),
    ],
)
def test_what_stands_for_media_and_edits_is_cut_and_kept_as_raw(
    written: str, text: str, flag: str, tmp_path: Path
) -> None:
    [message], _ = chat(tmp_path, whatsapp_chat(written))
    assert (message.text, message.raw, message.kind) == (text, written, Kind.SPEECH)
    assert flag in message.flags


@pytest.mark.parametrize(
    "written", ["<3", "a < b and c > d", "I <really> mean it", "x (file)", "<not/a tag>"]
)
def test_what_only_looks_like_it_stays(written: str, tmp_path: Path) -> None:
    [message], _ = chat(tmp_path, whatsapp_chat(written))
    assert (message.text, message.raw) == (written, None)


@pytest.mark.parametrize("written", ["This message was deleted", "\u200eYou deleted this message."])
def test_a_deleted_message_is_marked_and_keeps_its_author(written: str, tmp_path: Path) -> None:
    [message], _ = chat(tmp_path, whatsapp_chat(written))
    assert (message.kind, message.author.name) == (Kind.SYSTEM, "Mira Sol")
    assert "deleted" in message.flags


def test_mentions_and_names_lose_the_marks_around_them(tmp_path: Path) -> None:
    text = "13/03/24, 10:00 - \u202a+49\u00a0151\u00a01234567\u202c: hi @\u2068Mira Sol\u2069!\n"
    messages, _ = chat(tmp_path, text + "13/03/24, 10:00 - \u200e~\u202fJo: hello\n")
    assert messages[0].text == "hi @Mira Sol!"
    assert (messages[0].author.id, messages[0].author.name) == ("whatsapp:+491511234567", "+49 151 1234567")
    assert messages[1].author.name == "Jo"


def test_overlapping_exports_have_the_same_ids_with_and_without_media(tmp_path: Path) -> None:
    said = ["one", "two", "<Media omitted>", "ok", "five"]
    first, _ = chat(tmp_path / "a", whatsapp_chat(*said[:4]))
    full = whatsapp_chat(*said).replace("<Media omitted>", "IMG-20240313-WA0001.jpg (file attached)")
    later, _ = chat(tmp_path / "b", full.partition("\n")[2], "WhatsApp-Chat mit Jonas (1).txt")
    assert [m.id for m in later[:3]] == [m.id for m in first[1:]]
    assert later[0].conversation_id == first[0].conversation_id


def test_equal_messages_within_a_minute_are_several_and_other_chats_have_other_ids(tmp_path: Path) -> None:
    text = "13/03/24, 10:00 - Mira: ok\n" * 3
    messages, _ = chat(tmp_path / "a", text)
    other, _ = chat(tmp_path / "b", text, "WhatsApp Chat with Anna.txt")
    assert len({m.id for m in messages + other}) == 6
    assert [m.conversation for m in (messages[0], other[0])] == ["Jonas", "Anna"]


def test_an_iphones_zip_is_named_by_its_archive_and_its_media_are_no_records(tmp_path: Path) -> None:
    text = "[13/03/24, 10:00:00] Mira: hi\n[13/03/24, 10:00:01] Jonas: \u200e<attached: 1-PHOTO.jpg>\n"
    files = {"_chat.txt": text, "1-PHOTO.jpg": b"\xff\xd8\xff"}
    messages, [report] = read_path(write_zip(tmp_path / "WhatsApp Chat - Jonas Berg.zip", files))
    assert [m.conversation for m in messages] == ["Jonas Berg"] * 2
    assert (report.seen, report.failed) == (2, 0)


def test_without_a_telling_name_the_chat_is_who_speaks_in_it(tmp_path: Path) -> None:
    text = "13/03/24, 10:00 - Mira: hi\n13/03/24, 10:01 - Jonas: ho\n"
    first, _ = chat(tmp_path, text, "a.txt")
    second, _ = chat(tmp_path, text, "b.txt")
    assert [m.id for m in first] == [m.id for m in second]
    assert first[0].conversation == "Jonas, Mira"


def test_a_cut_beginning_is_skipped_and_a_cut_end_read(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {NAME: "rest of something\n" + whatsapp_chat("one", "two")[:-2]}) / NAME
    messages, [report] = read_path(path, "whatsapp")
    assert [m.text for m in messages] == ["one", "tw"]
    assert dict(report.skipped) == {"text before the first message": 1}


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    nasty = "\x1b]52;c;aGk=\x07 \x00 <|im_end|><think> \u202e\x9b31m"
    [message], _ = chat(tmp_path, whatsapp_chat(nasty))
    assert message.text == nasty


def test_bytes_that_are_no_utf8_harm_only_themselves(tmp_path: Path) -> None:
    messages, report = chat(tmp_path, whatsapp_chat("one").encode() + b"13/03/24, 10:05 - J\xff: caf\xe9\n")
    assert [m.text for m in messages] == ["one", "caf�"]
    assert report.failed == 0


def test_a_line_without_end_fails_alone(tmp_path: Path) -> None:
    text = whatsapp_chat("one", "x" * (3 << 20), "three")
    messages, report = chat(tmp_path, text)
    assert [m.text for m in messages] == ["one", "three"]
    assert (report.failed, report.problems[0].reason) == (1, "longer than any message of WhatsApp's")


def test_an_impossible_year_is_no_crash(tmp_path: Path) -> None:
    messages, report = chat(tmp_path, "0001-01-01, 00:00 - Mira: hi\n9999-12-31, 23:59 - Mira: ho\n")
    assert len(messages) + report.failed == 2


@pytest.mark.parametrize(
    "text",
    ["Shopping: milk\n13/03/24 eggs\n", "# 2024-03-13\n\n10:00 - woke up\n", "13/03/24, 10:00 - woke up\n"],
)
def test_notes_are_no_chat(text: str, tmp_path: Path) -> None:
    [(importer, _)] = detect(write_folder(tmp_path, {"journal.txt": text}) / "journal.txt")
    assert importer.name == "notes"
