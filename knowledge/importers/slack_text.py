"""Slack's mrkdwn, blocks and attachments to plain text."""

import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

_TOKEN = re.compile(r"<([^<>]+)>")
_ENTITY = re.compile("&(lt|gt|amp);")
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&"}
_DEPTH = 12


class SlackText:
    """Turns what Slack stores into what its readers saw; `user` and `channel` give names for ids."""

    def __init__(self, user: Callable[[str], str | None], channel: Callable[[str], str | None]) -> None:
        self._user = user
        self._channel = channel

    def plain(self, text: str) -> str:
        """Mentions, links and dates spelled out; then `&lt; &gt; &amp;` unescaped, once."""
        spelled = _TOKEN.sub(lambda match: self._token(match[1]), text) if "<" in text else text
        return unescape(spelled)

    def from_blocks(self, blocks: object) -> str:
        """The words of Block Kit blocks, one block a line."""
        lines = (self.plain(_block(block, _DEPTH)) for block in _dicts(blocks))
        return "\n".join(line for line in lines if line.strip())

    def from_attachments(self, attachments: object) -> str:
        """What legacy attachments show: pretext, title and text, else the fallback."""
        lines = []
        for attachment in _dicts(attachments):
            shown = [attachment.get(key) for key in ("pretext", "title", "text")]
            words = [part for part in shown if isinstance(part, str) and part.strip()]
            fallback = attachment.get("fallback")
            if not words and isinstance(fallback, str):
                words = [fallback]
            lines += [self.plain(part) for part in words] or [self.from_blocks(attachment.get("blocks"))]
        return "\n".join(line for line in lines if line.strip())

    def _token(self, inside: str) -> str:
        target, _, label = inside.partition("|")
        kind, rest = target[:1], target[1:]
        if kind == "@":
            return "@" + (self._user(rest) or label.lstrip("@") or rest)
        if kind == "#":
            return "#" + (label.lstrip("#") or self._channel(rest) or rest)
        if kind == "!":
            return _special(rest, label)
        target = target.removeprefix("mailto:")
        return f"{label} ({target})" if label and label != target else target


def unescape(text: str) -> str:
    """Slack's three entities back to characters, in one pass, so that `&amp;lt;` becomes `&lt;`."""
    return _ENTITY.sub(lambda match: _CHARACTERS[match[1]], text) if "&" in text else text


def _special(command: str, label: str) -> str:
    """`<!here>`, `<!subteam^S1|@team>`, `<!date^…|fallback>`."""
    name, *arguments = command.split("^")
    if name == "date":
        return label or " ".join(arguments[1:2])
    if name == "subteam":
        return "@" + (label.lstrip("@") or " ".join(arguments))
    return "@" + (label.lstrip("@") or name)


def _dicts(items: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, list):
        yield from (item for item in items if isinstance(item, dict))


def _block(block: Mapping[str, Any], depth: int) -> str:
    """One block as mrkdwn (still escaped). Unknown blocks give what text they hold."""
    if depth == 0:
        return ""
    kind = block.get("type")
    if kind == "user":
        return f"<@{block.get('user_id', '')}>"
    if kind == "channel":
        return f"<#{block.get('channel_id', '')}>"
    if kind == "usergroup":
        return f"<!subteam^{block.get('usergroup_id', '')}>"
    if kind == "broadcast":
        return f"<!{block.get('range', 'here')}>"
    if kind == "emoji":
        return f":{block.get('name', '')}:"
    if kind == "link":
        label = block.get("text")
        url = block.get("url", "")
        return f"<{url}|{escape(label, quote=False)}>" if isinstance(label, str) and label else f"<{url}>"
    return _holder(block, depth)


def _holder(block: Mapping[str, Any], depth: int) -> str:
    text = block.get("text")
    parts = []
    if isinstance(text, dict):
        parts.append(_block(text, depth - 1))
    elif isinstance(text, str):
        parts.append(text if block.get("type") == "mrkdwn" else escape(text, quote=False))
    for key in ("fields", "elements"):
        items = [_block(item, depth - 1) for item in _dicts(block.get(key))]
        inline = block.get("type") in ("rich_text_section", "rich_text_quote", "rich_text_preformatted")
        parts.append(("" if inline else "\n").join(item for item in items if item))
    return "\n".join(part for part in parts if part)
