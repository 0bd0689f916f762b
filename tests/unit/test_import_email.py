"""Mail: splitting, bodies, senders, dates, threads, kinds."""

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import mail_text, mbox, read_one, read_path, write_folder

from knowledge.records import Kind, Message


def one(folder: Path, mail: str | bytes) -> Message:
    return read_one(write_folder(folder, {"one.eml": mail}) / "one.eml")


def many(folder: Path, *mails: str) -> list[Message]:
    return read_path(write_folder(folder, {"all.mbox": mbox(*mails)}))[0]


def test_a_from_line_counts_only_between_a_blank_line_and_a_header(tmp_path: Path) -> None:
    body = "From Russia with love\n\nFrom here on it is prose.\nNo header.\n\n>From the start\n>>From twice"
    first, second = many(tmp_path, mail_text(body), mail_text("second", "<2@x.org>"))
    assert "From Russia with love\n\nFrom here on" in first.text
    assert "From the start" in (first.raw or first.text)
    assert second.text == "second"


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\n\n", b""])
def test_byte_order_mark_blank_lines_and_bad_bytes_before_the_first_mail(
    start: bytes, tmp_path: Path
) -> None:
    data = start + mbox(mail_text()).encode().replace(b"From mira@", b"From \xe9\xff\x93mira@")
    write_folder(tmp_path, {"all.mbox": data})
    assert [message.text for message in read_path(tmp_path)[0]] == ["Hello Jonas"]


def test_windows_line_ends(tmp_path: Path) -> None:
    data = mbox(mail_text("one\n\ntwo"), mail_text("three", "<2@x.org>")).replace("\n", "\r\n")
    write_folder(tmp_path, {"all.mbox": data})
    assert [message.text for message in read_path(tmp_path)[0]] == ["one\n\ntwo", "three"]


def test_id_author_and_time(tmp_path: Path) -> None:
    message = one(tmp_path, mail_text())
    assert message.id.startswith("email:1@example.org:")
    assert len(message.id.rpartition(":")[2]) == 8
    assert (message.author.id, message.author.name) == ("email:mira@example.org", "Mira Sol")
    assert set(message.author.aliases) == {"Mira Sol", "mira@example.org"}
    assert message.sent_at == datetime(2024, 3, 12, 9, 0, tzinfo=UTC)
    assert message.conversation == "Plans"


def test_copies_that_differ_in_trailing_blank_lines_are_one_mail(tmp_path: Path) -> None:
    first, second, other = many(tmp_path, mail_text("same"), mail_text("same\n\n \n"), mail_text("other"))
    assert first.id == second.id != other.id


def test_a_mail_without_message_id_has_a_steady_id(tmp_path: Path) -> None:
    first, again, other = many(
        tmp_path, mail_text("a", ""), mail_text("a", ""), mail_text("a", "", subject="Other")
    )
    assert first.id == again.id != other.id


@pytest.mark.parametrize(
    ("sender", "identity", "name"),
    [
        ("mira@example.org", "mira@example.org", "mira@example.org"),
        ('"Sol, Mira" <M@X.org>', "m@x.org", "Sol, Mira"),
        ("=?utf-8?q?S=C3=B8l=2C_Mira?= <m@x.org>", "m@x.org", "Søl, Mira"),
        ("m@x.org (Mira Sol)", "m@x.org", "Mira Sol"),
        ("mira at x.org (Mira Sol)", "mira@x.org", "Mira Sol"),
    ],
)
def test_senders(sender: str, identity: str, name: str, tmp_path: Path) -> None:
    author = one(tmp_path, mail_text(sender=sender)).author
    assert (author.id, author.name) == (f"email:{identity}", name)


@pytest.mark.parametrize(
    "date", ["Wed, 31 Dec 1969 23:59:59 +0000", "Fri, 01 Jan 3609 00:00:00 +0000", "soon"]
)
def test_an_impossible_date_gives_way_to_received_then_to_a_flagged_guess(date: str, tmp_path: Path) -> None:
    received = "from a by b; Tue, 12 Mar 2024 10:00:00 +0000"
    guessed = one(tmp_path, mail_text(date=date))
    assert guessed.flags == ("date-guessed",)
    assert 2020 < guessed.sent_at.year < 3000
    known = one(tmp_path, mail_text(date=date, Received=received))
    assert (known.sent_at, known.flags) == (datetime(2024, 3, 12, 10, tzinfo=UTC), ())


def test_plain_text_is_preferred_and_html_serves_where_it_is_empty(tmp_path: Path) -> None:
    def alternative(plain: str) -> str:
        parts = [
            f"--b\nContent-Type: text/plain\n\n{plain}",
            "--b\nContent-Type: text/html\n\n<p>Hi &amp; bye</p><style>p{}</style><p>Mira</p>"
            '<div class="gmail_quote">old <p>words</p></div>',
        ]
        return mail_text("\n".join([*parts, "--b--"]), Content_Type="multipart/alternative; boundary=b")

    assert one(tmp_path, alternative("plain wins")).text == "plain wins"
    assert one(tmp_path, alternative(" ")).text.split() == ["Hi", "&", "bye", "Mira"]


@pytest.mark.parametrize(
    "quote",
    [
        '<blockquote type="cite">old</blockquote>',
        '<div id="divRplyFwdMsg">From: x</div><div>old</div>',
        '<div class="moz-cite-prefix">On Monday, x wrote:</div><blockquote type="cite">old</blockquote>',
        '<blockquote class="gmail_quote">old</blockquote>',
    ],
)
def test_quotes_are_dropped_from_html(quote: str, tmp_path: Path) -> None:
    message = one(tmp_path, mail_text(f"<html><p>new</p>{quote}</html>", Content_Type="text/html"))
    assert message.text == "new"


def test_attachments_are_no_text(tmp_path: Path) -> None:
    parts = (
        "--b\nContent-Type: text/plain\n\nsee file\n--b\nContent-Type: text/plain\n"
        "Content-Disposition: attachment; filename=x.txt\n\nattached\n--b--"
    )
    assert one(tmp_path, mail_text(parts, Content_Type="multipart/mixed; boundary=b")).text == "see file"


@pytest.mark.parametrize("charset", ["koi8-r", "utf-8", "x-unheard-of"])
def test_charsets(charset: str, tmp_path: Path) -> None:
    body = "Привет".encode(charset if charset != "x-unheard-of" else "utf-8")
    mail = mail_text("", Content_Type=f"text/plain; charset={charset}", Content_Transfer_Encoding="base64")
    assert one(tmp_path, mail.encode() + b64encode(body)).text == "Привет"


def test_flowed_text_is_joined(tmp_path: Path) -> None:
    body = "one \ntwo\n From here\n> a \n> b\nend"
    message = one(tmp_path, mail_text(body, Content_Type="text/plain; format=flowed"))
    assert message.raw == "one two\nFrom here\n> a b\nend"
    delsp = mail_text("ab \ncd", Content_Type="text/plain; format=flowed; delsp=yes")
    assert one(tmp_path, delsp).text == "abcd"


def test_what_was_cut_is_kept_in_raw(tmp_path: Path) -> None:
    body = "Yes.\n\nOn Mon, 1 Jan 2024, Jonas wrote:\n> Really?\n\n-- \nMira"
    message = one(tmp_path, mail_text(body, subject="Re: Plans"))
    assert (message.text, message.raw, message.conversation) == ("Yes.", body, "Plans")


def test_a_thread_is_one_conversation_whatever_the_order(tmp_path: Path) -> None:
    root = mail_text("root", "<r@x>", subject="Plans")
    reply = mail_text("reply", "<a@x>", subject="Re: Plans", In_Reply_To="<r@x>")
    last = mail_text("last", "<b@x>", subject="AW: Re: Plans", In_Reply_To="<a@x>")
    alone = mail_text("alone", "<c@x>")
    forward = many(tmp_path / "1", root, reply, last, alone)
    backward = many(tmp_path / "2", alone, last, reply, root)
    assert sorted(forward, key=str) == sorted(backward, key=str)
    messages = {message.text: message for message in forward}
    assert len({messages[text].conversation_id for text in ("root", "reply", "last")}) == 1
    assert {messages[text].thread for text in ("root", "reply", "last")} == {messages["root"].id}
    assert messages["last"].reply_to == messages["reply"].id
    assert messages["last"].conversation == "Plans"
    assert (messages["alone"].thread, messages["alone"].reply_to) == (None, None)


def test_ghost_parents_and_loops(tmp_path: Path) -> None:
    ghosts = many(
        tmp_path / "1",
        mail_text("one", "<a@x>", References="<ghost@x>", date="Tue, 12 Mar 2024 10:00:00 +0000"),
        mail_text("two", "<b@x>", References="<ghost@x> <a@x>", date="Tue, 12 Mar 2024 11:00:00 +0000"),
    )
    assert {message.thread for message in ghosts} == {ghosts[0].id}
    assert [message.reply_to for message in ghosts] == [None, ghosts[0].id]
    loop = many(
        tmp_path / "2",
        mail_text("one", "<a@x>", In_Reply_To="<b@x>"),
        mail_text("two", "<b@x>", In_Reply_To="<a@x>"),
    )
    assert len({message.conversation_id for message in loop}) == 1
    assert len({message.thread for message in loop}) == 1


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, Kind.SPEECH),
        ({"List_Id": "<a.x>", "List_Post": "<mailto:a@x>", "List_Unsubscribe": "<u>"}, Kind.SPEECH),
        ({"Precedence": "list", "List_Id": "<a.x>"}, Kind.SPEECH),
        ({"List_Id": "<a.x>", "X_BeenThere": "a@x", "Precedence": "bulk"}, Kind.SPEECH),
        ({"List_Unsubscribe": "<https://x.org/u>"}, Kind.BOT),
        ({"List_Id": "<a.x>", "List_Post": "NO"}, Kind.BOT),
        ({"Precedence": "bulk"}, Kind.BOT),
        ({"sender": "News <newsletter@shop.example>"}, Kind.BOT),
        ({"sender": "Shop <no-reply@shop.example>"}, Kind.BOT),
        ({"Auto_Submitted": "auto-replied"}, Kind.SYSTEM),
        ({"Auto_Submitted": "no"}, Kind.SPEECH),
        ({"subject": "Automatic reply: Plans"}, Kind.SYSTEM),
        ({"subject": "Automatic reply machines are loud"}, Kind.SPEECH),
        ({"sender": "Mail Delivery <MAILER-DAEMON@x.org>"}, Kind.SYSTEM),
        ({"Content_Type": "multipart/report; report-type=delivery-status; boundary=b"}, Kind.SYSTEM),
        ({"Content_Type": "text/calendar; method=REQUEST"}, Kind.SYSTEM),
    ],
)
def test_only_people_speak(headers: dict[str, str], kind: Kind, tmp_path: Path) -> None:
    assert one(tmp_path, mail_text(**headers)).kind is kind


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("Inbox,Sent", None),
        ("Spam", "spam"),
        ("Inbox,Trash", "trash"),
        ("=?UTF-8?Q?Wichtig,Drafts?=", "drafts"),
        ("Chat", "chat"),
        ("=?UTF-8?Q?Spam_f=C3=BCr_alle?=", None),
    ],
)
def test_takeout_labels(labels: str, reason: str | None, tmp_path: Path) -> None:
    mail = mail_text(X_Gmail_Labels=labels, X_GM_THRID="17")
    messages, [report] = read_path(write_folder(tmp_path, {"All mail.mbox": mbox(mail)}))
    assert dict(report.skipped) == ({reason: 1} if reason else {})
    assert [message.conversation_id for message in messages] == ([] if reason else ["email:gmail-17"])


@pytest.mark.parametrize(
    "header",
    ["From: =?x?y?=", "To: " + "<" * 5000, "Date: " + "9" * 5000, "References: " + "<a" * 5000, "X: \x00"],
    ids=lambda header: header[:8],
)
def test_broken_headers_never_stop_the_others(header: str, tmp_path: Path) -> None:
    messages = many(tmp_path, f"{header}\n{mail_text('broken')}", mail_text("fine", "<2@x>"))
    assert [message.text for message in messages] == ["broken", "fine"]


def test_endless_nesting_ends(tmp_path: Path) -> None:
    body = "".join(f"--{n}\nContent-Type: multipart/mixed; boundary={n + 1}\n\n" for n in range(300))
    messages = many(
        tmp_path, mail_text(body, Content_Type="multipart/mixed; boundary=0"), mail_text("ok", "<2@x>")
    )
    assert messages[-1].text == "ok"
