"""Deleted chats that can still be brought back, the last one first. Knows nothing of Textual."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persona.chat.store import Session, SessionStore


class Basket:
    """One for the life of the app; what is still in it when the store closes is gone. Calls block."""

    def __init__(self) -> None:
        self._ids: list[str] = []

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._ids

    def put(self, sessions: "SessionStore", session_id: str) -> None:
        """Delete a chat. Raises SessionError when there is none."""
        sessions.discard(session_id)
        self._ids.append(session_id)

    def take_back(self, sessions: "SessionStore") -> "Session | None":
        """Bring the last one back; None when the basket is empty."""
        return sessions.restore(self._ids.pop()) if self._ids else None
