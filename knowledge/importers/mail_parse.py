"""One mail's bytes to plain fields. Hostile and broken headers give fallbacks, never errors."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from functools import lru_cache
from typing import Any, cast

from knowledge.importers.mail_body import body_source, body_text

_LONGEST_HEADER = 16 << 10
"""Characters of a header beyond which it is cut: the standard library's parser takes quadratic time."""


@lru_cache(maxsize=256)
def _parsed(name: str, value: str) -> str:
    """A header's value by the standard library, which asks for a Content-Type anew with every part."""
    return cast(str, policy.default.header_fetch_parse(name, value))


class _Policy(policy.EmailPolicy):
    """The default one, in bounded time."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """As the default. Raises all kinds of errors for malformed values, as the default does."""
        return value if hasattr(value, "name") else _parsed(name, value[:_LONGEST_HEADER])


_PARSER = BytesParser(policy=_Policy())
_HIDDEN_AT = re.compile(r"^\s*(\S+) at (\S+\.\S+)(?:\s+\((.*)\))?\s*$", re.DOTALL)
_MESSAGE_ID = re.compile(r"<([^<>]+)>")
_PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|sv|vs|antw|odp|rif|ynt|fwd?|wg|tr|rv|enc|回复|答复)\s*(?:\[\d+\])?\s*[:：]\s*)+",
    re.IGNORECASE,
)
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Mail:
    """A parsed mail. references: oldest first, the direct parent last. digest: of the body as sent."""

    message: Message
    message_id: str
    references: tuple[str, ...]
    digest: str

    @property
    def body(self) -> str:
        """The body as a reader sees it, quotes and all; worked out anew each time."""
        return body_text(self.message)

    @property
    def parent(self) -> str | None:
        """Message-ID of what this answers."""
        return self.references[-1] if self.references else None

    @property
    def archive_id(self) -> str:
        """One Message-ID may stand over different bodies, so both name the mail."""
        return f"email:{self.message_id}:{self.digest}"

    def header(self, name: str) -> str:
        """A header decoded, on one line, "" when missing."""
        return decoded(self.message, name)


def parse(data: bytes) -> Mail:
    """Parse one mail; one without headers is all body. Raises ValueError when it is blank."""
    if not data.strip():
        raise ValueError("blank")
    message = _PARSER.parsebytes(data)
    digest = hashlib.sha256(_normal(body_source(message)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    ids = _MESSAGE_ID.findall(decoded(message, "Message-ID"))
    references = _MESSAGE_ID.findall(decoded(message, "References"))
    answered = _MESSAGE_ID.findall(decoded(message, "In-Reply-To"))[:1]
    identity = ids[0].strip() if ids else _made_up(message)
    chain = [
        r for r in dict.fromkeys([r for r in references if r not in answered] + answered) if r != identity
    ]
    return Mail(message, identity, tuple(chain), digest)


def decoded(message: Message, name: str) -> str:
    """A header as text on one line; a malformed one as it stands."""
    try:
        value = message[name]
        return " ".join(str(value).split()) if value is not None else ""
    except Exception:  # the standard library's header parser raises all kinds of errors
        return " ".join(_raw(message, name).split())


def _raw(message: Message, name: str) -> str:
    """A header as it was written; bytes that are no ASCII become question marks."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return raw.encode("utf-8", "replace").decode()


def sender(message: Message) -> tuple[str, str]:
    """(name, address) of the author, the address in lower case; ("", "") when nobody is named."""
    for header in ("X-Original-From", "From", "Sender"):
        text = decoded(message, header)
        if not text:
            continue
        name, address = _parsed_address(message, header) or _split_address(_raw(message, header))
        if hidden := _HIDDEN_AT.match(_raw(message, header)):
            name, address = _words(hidden[3] or "") or name, f"{hidden[1]}@{hidden[2]}"
        if address or name or text:
            return name.strip("'\" "), (address or text).strip().lower()
    return "", ""


def _parsed_address(message: Message, header: str) -> tuple[str, str] | None:
    """By the header parser, which knows that an encoded name may hold commas and @."""
    try:
        value: Any = message[header]
        first = value.addresses[0]
    except Exception:  # as in `decoded`
        return None
    if first.username and first.domain and first.display_name:
        return first.display_name, first.addr_spec
    return None


def _split_address(raw: str) -> tuple[str, str]:
    """Name and address where the name stands in a comment, or the header is malformed."""
    name, address = parseaddr(" ".join(raw.split()))
    return _words(name), address


def _words(text: str) -> str:
    """RFC 2047 words decoded."""
    try:
        return str(make_header(decode_header(text)))
    except (ValueError, LookupError):
        return text


def sent(message: Message, fallback: datetime) -> tuple[datetime, bool]:
    """When it was sent, and whether that is a guess: Date, else Received, else `fallback`.

    Dates before 1971 or in the future come from broken clocks and forged headers.
    """
    if date := _date(decoded(message, "Date")):
        return date, False
    for name, value in message.raw_items():
        if name.lower() == "received" and (date := _date(str(value).rpartition(";")[2])):
            return date, False
    return fallback, True


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(" ".join(text.split()))
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        return aware if _EARLIEST < aware < datetime.now(UTC) + timedelta(days=2) else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def subject_root(subject: str) -> str:
    """A subject without its `Re:` and `Fwd:`."""
    return _PREFIX.sub("", subject).strip() or "(no subject)"


def _normal(body: str) -> str:
    """What two copies share that differ in white space at line ends and below the text only."""
    return "\n".join(line.rstrip() for line in body.rstrip().split("\n"))


def _made_up(message: Message) -> str:
    """An id for a mail that has none, from what every copy of it carries."""
    parts = "\n".join(decoded(message, name) for name in ("From", "To", "Date", "Subject"))
    return "none-" + hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]
