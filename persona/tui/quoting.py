"""Quotes at the head of a message, as `q` on another puts them there. Knows nothing of Textual."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from knowledge.text import printable

if TYPE_CHECKING:
    from persona.chat.store import Turn

MARK = "> "


def quote(text: str) -> str:
    """`text` as a quote."""
    return "\n".join(MARK + line for line in text.splitlines())


def split(text: str) -> tuple[str, str]:
    """The quote that `text` begins with, without its marks, "" where there is none; and the rest."""
    lines = text.split("\n")
    marks = [line.startswith(MARK.strip()) for line in lines]
    end = marks.index(False) if False in marks else len(lines)
    quoted = [line[1:].removeprefix(" ") for line in lines[:end]]
    return "\n".join(quoted).strip(), "\n".join(lines[end:]).strip("\n") if end else text


def source(text: str, turns: "Sequence[Turn]") -> "Turn | None":
    """The last of `turns` that holds what `text` quotes, which may be a part of it."""
    quoted, _ = split(text)
    if not quoted:
        return None
    return next((t for t in reversed(turns) if quoted in "\n".join(printable(t.text).splitlines())), None)
