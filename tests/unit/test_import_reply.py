"""The author's own words in a mail body."""

from time import process_time

import pytest

from knowledge.importers.mail_reply import own_words, without_quotes


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, Apr 2, 2012 at 6:26 PM, Megan One <m@x.org> wrote:",
        "On Fri, 20 Nov 2009 06:59:12 +0100, Adrian Perez de Castro\n<a@x.org> wrote:",
        "On Tuesday, April 3,\n2012 at 4:55 PM, Megan wrote:",
        "Am So., 1. Jan. 2023 um 17:22 Uhr schrieb John Doe <\nj@x.org>:",
        "Le lun. 3 mars 2024 à 10:00, Anne <a@x.org> a écrit :",
        "El lun, 3 mar 2024 a las 10:00, Ana (<a@x.org>) escribió:",
        "Den 24. nov. 2025 kl. 10.00 skrev Peter <p@x.org>:",
        "ons 4 dec. 2024 kl. 20:42 skrev Person B <b@x.org>:",
        "Dnia 28 lutego 2023 14:00 Anna Nowak <a@x.org> napisał(a):",
        '02.04.2012 14:20 пользователь "Боб" <\nb@x.org> написал:',
        "2022年1月1日(金) 9:00 田中太郎 <t@x.org>:",
        "Twas brillig at 14:00:54 17.11.2009 UTC-05 when l@x.org did gyre and gimble:",
        "Jonas wrote:",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_quoted_mail_below_its_attribution(attribution: str, gap: str) -> None:
    reply = own_words(f"Yes, on Sunday.{gap}{attribution}\n\n> When?\n>> Where?\n")
    assert (reply.text, reply.flags) == ("Yes, on Sunday.", ())


def test_an_unmarked_quote_ends_the_mail() -> None:
    assert (
        own_words("Sure.\n\nOn May 30, 2020, at 4:24 PM, X <x@x.org> wrote:\n\nHi,\nold words").text
        == "Sure."
    )


def test_interleaved_and_bottom_posted_replies_are_kept() -> None:
    body = "Jonas wrote:\n> Sunday?\n\nYes.\n\n> And Monday?\nNo.\n\n-- \nMira"
    assert own_words(body).text == "Yes.\n\nNo."


@pytest.mark.parametrize(
    "block",
    [
        "From: A [mailto:a@x.org]\nSent: Monday, 1 January 2024\nTo: B\nSubject: Old\n\nold",
        "________________________________\nFrom: A <a@x.org>\nDate: Monday\nTo: B\nSubject: Old\n\nold",
        "*Von:* A <a@x.org>\n*Gesendet:* Montag\n*An:* B\n*Betreff:* Alt\n\nalt",
        "-----Original Message-----\nFrom: A\nTo: B\n\nold",
        "-----Oprindelig meddelelse-----\nFra: A\n\ngammel",
        "-------- Ursprüngliche Nachricht --------\nVon: A\n\nalt",
    ],
)
def test_printed_headers_begin_a_quote(block: str) -> None:
    assert own_words(f"New words.\n\n{block}", "Re: Old").text == "New words."


def test_forwards_are_not_the_senders_words() -> None:
    forwarded = own_words("For you.\n\n---------- Forwarded message ---------\nFrom: A <a@x.org>\n\nold")
    assert (forwarded.text, forwarded.flags) == ("For you.", ("forward",))
    bare = own_words("From: A <a@x.org>\nSent: Monday\nTo: B\nSubject: Old\n\nold", "Fwd: Old")
    assert (bare.text, bare.flags) == ("", ("forward", "quoted-only"))
    apple = own_words("Begin forwarded message:\n\nFrom: A\nold")
    assert apple.text == ""


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nMira\nMaps",
        "--\nMira",
        "Sent from my iPhone",
        "Sent from my Verizon Wireless BlackBerry",
        "Get Outlook for iOS<https://aka.ms/x>",
        "Best regards,\nMira Sol",
        "Mit freundlichen Grüßen\n\nMira Sol\nMaps & More\n+43 1 234",
        "Med venlig hilsen\nMira",
        "Cheers,\nMira",
        "-Mira Sol",
        "/Mira",
        "_______________________________________________\nx-users mailing list\nx@x.org",
        "Disclaimer\n\nThe information contained herein is confidential.",
        "This e-mail is confidential and intended solely for the addressee.",
    ],
)
def test_signatures_are_cut(signature: str) -> None:
    assert own_words(f"The bus leaves at six.\n\n{signature}\n").text == "The bus leaves at six."


@pytest.mark.parametrize(
    "body",
    [
        "Sent from my desk, is much easier than my mobile phone.",
        "this is an email with a correct -- signature.",
        "Two things:\n\n- the first\n- the second",
        "On your remote host you can run:\n\n    telnet localhost",
        "One outstanding question:\n\nLocally, when I run...",
        "I will come. Thanks!",
        "From: here to there is a long way.",
        "Best of all, it rained.",
    ],
)
def test_words_that_only_look_like_it_are_kept(body: str) -> None:
    assert own_words(body).text == body


def test_a_patch_keeps_the_message_and_drops_the_code() -> None:
    diff = "diff --git a/door.c b/door.c\n-a\n+b\n-- \n2.3"
    reply = own_words(f"Fix the door.\n\nIt hung.\n---\n door.c | 2 +-\n 1 file changed\n\n{diff}")
    assert (reply.text, reply.flags) == ("Fix the door.\n\nIt hung.", ("patch",))


def test_pgp_wrapping_is_dropped() -> None:
    signature = "-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----"
    assert own_words(f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\nHi.\n{signature}").text == "Hi."


def test_a_mail_of_quotes_alone_says_so() -> None:
    assert own_words("> old\n> words").flags == ("quoted-only",)


def test_quotes_can_be_taken_off_without_the_signature() -> None:
    assert without_quotes("Hi\n\nSent from my iPhone\n\nOn 3 Apr 2012, at 4:19 PM, b wrote:\n> Hi") == (
        "Hi\n\nSent from my iPhone"
    )


@pytest.mark.parametrize(
    "line", ["On 1 Jan 2024, a wrote:\n\n", "From: a\nTo: b\n", "> \n", "---\n a | 1\n", "On 1\n"]
)
def test_time_does_not_explode(line: str) -> None:
    """A pass that is quadratic in the length of the mail would need minutes here."""
    start = process_time()
    own_words(line * 20_000)
    assert process_time() - start < 10
