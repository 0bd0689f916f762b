"""The text a reader of a mail would see: which part, which encoding, HTML or plain."""

import re
from collections.abc import Iterator
from email.message import Message
from itertools import islice
from typing import Any

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

_QUOTES = (
    "//*[contains(concat(' ', @class, ' '), ' gmail_quote ')]",
    "//blockquote[@type='cite' or contains(@class, 'gmail_quote') or contains(@class, 'protonmail_quote')]",
    "//*[contains(concat(' ', @class, ' '), ' moz-cite-prefix ')]",
    "//*[contains(concat(' ', @class, ' '), ' yahoo_quoted ')]",
    "//*[@id='OLK_SRC_BODY_SECTION' or @id='mail-editor-reference-message-container']",
)
_REST = "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='zwchr']"
_LARGEST = 2 << 20
_DEPTH = 30
_MOST_PARTS = 200
"""Bytes of a text, levels of nesting and texts in one mail, beyond which it is not looked into."""


def body_text(message: Message) -> str:
    """The decoded body: plain text where there is some, else the HTML as text; "" when neither."""
    texts = (_shown(part) for part in islice(_parts(message, _DEPTH), _MOST_PARTS))
    return "\n\n".join(text for text in texts if text.strip()).strip("\n")


def body_source(message: Message) -> str:
    """The body as it was sent, decoded only: what identifies it, whatever is made of it later."""
    return "\n\n".join(_decoded(part) for part in islice(_parts(message, _DEPTH), _MOST_PARTS))


def _shown(part: Message) -> str:
    text = _decoded(part)
    if part.get_content_type() == "text/html":
        return html_text(text)
    return _unflowed(text, part) if _parameter(part, "format") == "flowed" else text


def _parts(part: Message, depth: int) -> Iterator[Message]:
    """The text parts that a reader is shown, in order."""
    kind = part.get_content_type()
    if depth == 0 or part.get_content_disposition() == "attachment" or kind == "message/rfc822":
        return
    children = _children(part)
    if kind == "multipart/alternative":
        yield from _best(children, depth)
    elif kind in ("multipart/related", "multipart/signed", "multipart/report"):
        for child in children[:1]:
            yield from _parts(child, depth - 1)
    elif children:
        for child in children:
            yield from _parts(child, depth - 1)
    elif kind in ("text/html", "text/plain"):
        yield part


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _best(children: list[Message], depth: int) -> list[Message]:
    """Of the alternatives the plain one, unless it is empty."""
    for child in sorted(children, key=lambda child: child.get_content_type() != "text/plain"):
        parts = [part for part in _parts(child, depth - 1) if _decoded(part).strip()]
        if parts:
            return parts
    return []


def _decoded(part: Message) -> str:
    """The payload as text, whatever charset it claims; never raises."""
    payload = part.get_payload(decode=True)
    data = payload[:_LARGEST] if isinstance(payload, bytes) else b""
    claimed = _parameter(part, "charset") or "utf-8"
    for charset in (claimed, "utf-8", "cp1252"):
        try:
            return data.decode(charset).replace("\r\n", "\n").replace("\r", "\n")
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1").replace("\r\n", "\n")


def _parameter(part: Message, name: str) -> str:
    """A Content-Type parameter in lower case; "" when missing or malformed."""
    try:
        value = part.get_param(name)
    except Exception:  # the standard library raises all kinds of errors on malformed parameters
        return ""
    return (value[2] if isinstance(value, tuple) else value or "").strip("\"' ").lower()


def _unflowed(text: str, part: Message) -> str:
    """format=flowed (RFC 3676): soft line ends joined within one quote depth, stuffing removed."""
    delete = _parameter(part, "delsp") == "yes"
    lines: list[str] = []
    depths: list[int] = []
    soft = False
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        if soft and depth == depths[-1] and bare != "-- ":
            lines[-1] = (lines[-1][:-1] if delete else lines[-1]) + bare
        else:
            lines.append(bare)
            depths.append(depth)
        soft = flows
    pairs = zip(lines, depths, strict=True)
    return "\n".join(">" * depth + (" " if depth else "") + line for line, depth in pairs)


def html_text(html: str) -> str:
    """HTML as plain text, without what mail programs mark as quoted."""
    from lxml import etree  # type: ignore[import-untyped, unused-ignore]
    from lxml.html import fromstring, tostring  # type: ignore[import-untyped, unused-ignore]

    html = re.sub(r"<\?xml[^>]*\?>", "", html).replace("\x00", "")
    if not html.strip():
        return ""
    try:
        tree = fromstring(html)
        for query in _QUOTES:
            for element in tree.xpath(query):
                _remove(element)
        for element in tree.xpath(_REST):
            _remove_rest(element)
        text = get_text(tostring(tree, encoding="unicode"), ParserConfig(css=CSS_PROFILES["strict"]))
    except (etree.LxmlError, ValueError, AssertionError, RecursionError, IndexError, KeyError):
        text = re.sub(r"<[^>]*>", " ", html)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in str(text).split("\n"))).strip("\n")


def _remove(element: Any) -> None:
    """Take an element out, keeping the text behind it."""
    if element.getparent() is not None:
        element.drop_tree()


def _remove_rest(element: Any) -> None:
    """Take out an element and all that follows it: there the quoted mail is not wrapped."""
    for sibling in list(element.itersiblings()):
        _remove(sibling)
    _remove(element)
