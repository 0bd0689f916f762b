"""Jira's two ways of writing text: wiki markup, and the Atlassian Document Format (a tree in JSON)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_OTHERS = re.compile(r"\{(quote|code|noformat)(?::[^}\n]*)?\}.*?(?:\{\1\}|\Z)", re.DOTALL)
_QUOTED_LINE = re.compile(r"^bq\. .*$\n?", re.MULTILINE)
_LINK = re.compile(r"\[([^\[\]|\n]+)\|([^\[\]|\n]+)(?:\|[^\[\]\n]*)?\]")
_MENTION = re.compile(r"\[~(?:accountid:)?([^\]\n]+)\]")
_COLOUR = re.compile(r"\{color(?::[^}\n]*)?\}")
_HEADING = re.compile(r"^h[1-6]\. ", re.MULTILINE)
_GAPS = re.compile(r"\n{3,}")
_NOT_OWN = {"blockquote", "codeBlock"}
_BLOCKS = {"paragraph", "heading", "listItem", "tableRow", "codeBlock", "blockquote", "panel", "rule"}
_DEEPEST = 200


def own_words(body: Any) -> tuple[str, str]:
    """The author's words in a text of either form, and all of it. Raises ValueError for a tree too deep."""
    if isinstance(body, Mapping):
        return _tidy("".join(_walk(body, own=True))), _tidy("".join(_walk(body, own=False)))
    original = str(body or "").replace("\r\n", "\n").replace("\r", "\n")
    text = _QUOTED_LINE.sub("", _OTHERS.sub("", original))
    for markup, words in ((_MENTION, r"@\1"), (_LINK, r"\1 (\2)"), (_COLOUR, ""), (_HEADING, "")):
        text = markup.sub(words, text)
    return _tidy(text), original.strip()


def _tidy(text: str) -> str:
    return _GAPS.sub("\n\n", text).strip()


def _walk(node: Any, *, own: bool, depth: int = 0) -> Iterator[str]:
    """The words of a node and of those below it; own: without quotes and code."""
    if depth > _DEEPEST:
        raise ValueError("a document too deep")
    kind, attributes = node.get("type"), node.get("attrs") or {}
    if own and kind in _NOT_OWN:
        return
    if kind == "hardBreak":
        yield "\n"
    elif kind in ("mention", "emoji", "status", "date", "inlineCard", "blockCard"):
        shown = ("text", "shortName", "url", "timestamp")
        yield next((str(attributes[key]) for key in shown if attributes.get(key)), "")
    else:
        yield str(node.get("text") or "")
    for child in node.get("content") or ():
        yield from _walk(child, own=own, depth=depth + 1)
    if kind in _BLOCKS:
        yield "\n"
