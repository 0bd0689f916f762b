"""Whether a mail was written by a person to people, or sent by a machine."""

import re
from collections.abc import Callable
from email.message import Message

from knowledge.records import Kind

Header = Callable[[str], str]
"""Gives a header decoded, "" when missing."""

SKIPPED_LABELS = ("spam", "trash", "drafts", "chat")
"""Gmail's labels of what its owner did not send or keep."""

_MACHINE = re.compile(
    r"^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|notifications?|newsletter|news|mailer|updates?|alerts?|digest"
    r"|bounces?|auto-?confirm|info-?noreply)(?:[-+_.][^@]*)?@|[-+](?:owner|request|bounces?|no-?reply)@",
    re.IGNORECASE,
)
_BOUNCER = re.compile(r"^(?:mailer-daemon|postmaster)@", re.IGNORECASE)
_AWAY = re.compile(
    r"\bauto-?reply:|^(?:automatic reply|auto(?:matic)?[- ]?re(?:ply|sponse)|out of (?:the )?office"
    r"|abwesenheits\w*|automatische antwort|réponse automatique|respuesta automática|risposta automatica"
    r"|automatisch antwoord|autosvar|automatiskt svar|odpowiedź automatyczna|автоответ)(?:[^:]{0,20}:|\s*$)",
    re.IGNORECASE,
)
_CAMPAIGN = (
    "x-campaign",
    "x-campaignid",
    "x-mc-user",
    "x-mailgun-tag-campaign",
    "x-csa-complaints",
    "feedback-id",
)


def mail_kind(message: Message, header: Header, address: str) -> Kind:
    """Speech for a person's own mail, lists included; system for bounces, automatic replies and
    calendar mail; bot for newsletters and notifications.
    """
    if _is_automatic(message, header, address) or _is_calendar(message, header):
        return Kind.SYSTEM
    return Kind.BOT if _is_bulk(header, address) else Kind.SPEECH


def is_machine(address: str) -> bool:
    """Whether programs send from this address, for whomever."""
    return bool(_MACHINE.search(address) or _BOUNCER.match(address))


def skipped_label(labels: str) -> str | None:
    """The Takeout label because of which a mail is left out, or None. `labels` are decoded."""
    found = {label.strip().strip('"').casefold() for label in labels.split(",")}
    return next((label for label in SKIPPED_LABELS if label in found), None)


def _is_automatic(message: Message, header: Header, address: str) -> bool:
    submitted = header("Auto-Submitted").casefold()
    return bool(
        (submitted and not submitted.startswith("no"))
        or header("X-Autoreply")
        or header("X-Autorespond")
        or header("Precedence").casefold() in ("auto_reply", "auto-reply")
        or _BOUNCER.match(address)
        or message.get_content_type() == "multipart/report"
        or _AWAY.search(header("Subject"))
    )


def _is_calendar(message: Message, header: Header) -> bool:
    if header("Content-Class").casefold().endswith("calendarmessage"):
        return True
    parts = (part for part in message.walk() if part.get_content_type() == "text/calendar")
    return any(part.get_content_disposition() != "attachment" for part in parts)


def _is_bulk(header: Header, address: str) -> bool:
    """A newsletter: sent to many, by no discussion list, and no answer to anybody."""
    if _MACHINE.search(address) or any(header(name) for name in _CAMPAIGN):
        return True
    discussed = _is_discussion(header)
    if header("Precedence").casefold() in ("bulk", "junk") and not discussed:
        return True
    answers = header("In-Reply-To") or header("References")
    listed = header("List-Unsubscribe") or header("List-Id")
    return bool(listed) and not discussed and not answers


def _is_discussion(header: Header) -> bool:
    """Whether it came through a list whose members can post."""
    post = header("List-Post")
    if post:
        return post.strip().casefold() != "no"
    marks = ("X-Mailman-Version", "X-BeenThere", "Mailing-List", "X-Mailing-List")
    return any(header(name) for name in marks) or header("Precedence").casefold() == "list"
