"""Which part of a Markdown comment its author wrote: no quotes, code, templates or reply mails."""

import re

_FENCE = re.compile(
    r"^ {0,3}(`{3,}|~{3,})[^\n]*\n(?:.*?^ {0,3}\1[`~]*[ \t]*$|.*\Z)", re.DOTALL | re.MULTILINE
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_QUOTE = re.compile(r"^ {0,3}>.*$\n?", re.MULTILINE)
_BY_MAIL = re.compile(
    r"^(?:On .{1,300}wrote:|—\s*(?:You are receiving|Reply to this email)).*", re.DOTALL | re.MULTILINE
)
_GAPS = re.compile(r"\n{3,}")


def own_words(body: str) -> str:
    """The author's words in `body`; "" where there are none."""
    text = body.replace("\r\n", "\n").replace("\r", "\n")
    for other in (_COMMENT, _FENCE, _QUOTE, _BY_MAIL):
        text = other.sub("", text)
    return _GAPS.sub("\n\n", text).strip()
