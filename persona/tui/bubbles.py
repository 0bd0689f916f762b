"""Replies that are several short messages in a row, as people write them. Knows nothing of Textual.

A training set keeps the messages of a burst on lines of their own (`persona train prepare --bubbles`), so a
twin that learned from it answers in lines; Markdown would run them together into one paragraph.
"""

import re

MOST = 12
"""Messages in a row. Nobody writes more at once: that is a poem, a log, or a model that does not stop."""

_BLOCK = re.compile(r"(?:[-*+•]|\d+[.)]|#{1,6})(?:\s|$)|[>|]|```|~~~|\t| {4}|[-=*_ ]{3,}$")
"""How a line begins that is no message of its own but a part of a list, a table, code, a heading."""


def is_burst(text: str) -> bool:
    """Whether `text` is several messages in a row: a few plain lines, and no blank one between them."""
    lines = text.strip("\n").split("\n", MOST)
    return 1 < len(lines) <= MOST and all(line.strip() and not _BLOCK.match(line) for line in lines)


def apart(text: str) -> str:
    """The lines of a burst as paragraphs of Markdown."""
    return text.strip("\n").replace("\n", "\n\n")
