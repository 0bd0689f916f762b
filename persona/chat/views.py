"""How a chat was left: what a reader had open in it, and where they were."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persona.chat.store import SessionStore


@dataclass(frozen=True, slots=True)
class View:
    """thinking_open: whether thinking stays open. at: the turn at the top of what was read, by its id; None
    for the newest line."""

    thinking_open: bool = False
    at: str | None = None


def view(sessions: "SessionStore", session_id: str) -> View:
    """How a chat was left; as a new one where nobody ever did. Raises SessionError."""
    rows = sessions.rows("SELECT thinking_open, at FROM views WHERE session = ?", (session_id,))
    return View(bool(rows[0]["thinking_open"]), rows[0]["at"]) if rows else View()


def keep_view(sessions: "SessionStore", session_id: str, left: View) -> None:
    """Store how a chat is left; nothing where it is gone by now. Raises SessionError."""
    with sessions.writing() as db:
        db.execute(
            "INSERT OR REPLACE INTO views SELECT id, ?, (SELECT id FROM turns WHERE id = ?)"
            " FROM sessions WHERE id = ?",
            (left.thinking_open, left.at, session_id),
        )
