"""A chat as a file to keep or to show: Markdown, HTML or JSON, by the name it is given."""

import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from knowledge.text import one_line, printable
from persona import whole_file
from persona.chat.store import Session, SessionStore, Turn
from persona.errors import SessionError

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }}
article {{ border-left: 4px solid #22707a; padding: 0 0 0 1rem; margin: 1.5rem 0; white-space: pre-wrap; }}
article.twin {{ border-color: #e0a458; }}
header, details {{ color: #666; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #15161b; color: #e4e0d8; }} }}
</style>
<h1>{title}</h1>
{turns}
</html>
"""


def export(sessions: SessionStore, session_id: str, file: Path) -> Path:
    """Write a chat into `file`, whose ending says how: .md, .html or .json; an old file is replaced.

    Raises SessionError when there is no such chat, for another ending, and when it cannot be written.
    """
    render = FORMATS.get(file.suffix.casefold())
    if render is None:
        raise SessionError(f"`{file.name}` does not say how", f"end it in one of {', '.join(FORMATS)}")
    text = render(sessions.get(session_id), sessions.turns(session_id))
    try:
        whole_file.replace(file, text)
    except OSError as error:
        raise SessionError(f"{file} cannot be written: {error.strerror}", "choose another folder") from None
    return file


def as_markdown(session: Session, turns: Sequence[Turn]) -> str:
    """Headings for who and when; what was said below, as it was written."""
    parts = [f"# {_title(session)}"]
    for turn in turns:
        parts.append(f"## {_who(turn)}, {turn.created_at.astimezone():%Y-%m-%d %H:%M}{_mark(turn)}")
        if turn.thinking:
            quoted = "\n".join(f"> {line}" for line in printable(turn.thinking).splitlines())
            parts.append(f"{quoted}\n")
        parts.append(printable(turn.text))
    return "\n\n".join(parts) + "\n"


def as_html(session: Session, turns: Sequence[Turn]) -> str:
    """One page that needs nothing beside it; what was said is text, never markup."""
    articles = []
    for turn in turns:
        role = "you" if turn.role == "user" else "twin"
        head = f"{_who(turn)}, {turn.created_at.astimezone():%Y-%m-%d %H:%M}{_mark(turn)}"
        thought = (
            f"<details><summary>thinking</summary>{html.escape(printable(turn.thinking))}</details>"
            if turn.thinking
            else ""
        )
        said = html.escape(printable(turn.text))
        articles.append(
            f'<article class="{role}"><header>{html.escape(head)}</header>{thought}{said}</article>'
        )
    return _PAGE.format(title=html.escape(_title(session)), turns="\n".join(articles))


def as_json(session: Session, turns: Sequence[Turn]) -> str:
    """The document of `persona sessions show --json`."""
    document = {"id": session.id, "title": session.title, "turns": [t.as_json() for t in turns]}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


FORMATS: dict[str, Callable[[Session, Sequence[Turn]], str]] = {
    ".md": as_markdown,
    ".html": as_html,
    ".json": as_json,
}


def _title(session: Session) -> str:
    return one_line(printable(session.title)) or session.id


def _who(turn: Turn) -> str:
    if turn.role == "assistant":
        return "twin"
    return one_line(printable(turn.correspondent)) if turn.correspondent else "you"


def _mark(turn: Turn) -> str:
    return "" if turn.status == "complete" else f" [{turn.status}]"
