"""What is written and not sent yet, on its way to the store, so that a crash takes no word of it."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persona.chat.store import SessionStore

WRITE_SECONDS = 0.3
"""The most that a crash can take while the user types."""


class Drafts:
    """Drafts by chat; None is the one that is not begun yet. `note` never blocks, `write` may."""

    def __init__(self) -> None:
        self._noted: dict[str | None, str] = {}
        self._lock = threading.Lock()

    def note(self, session_id: str | None, text: str) -> None:
        """This is what is written in that chat now."""
        self._noted[session_id] = text

    def write(self, sessions: "SessionStore") -> None:
        """Store what was noted since. Raises SessionError; it is then written the next time."""
        with self._lock:  # an earlier call must not write over what a later one wrote
            while self._noted:
                session_id, text = next(iter(self._noted.items()))
                sessions.keep_draft(session_id, text)
                if self._noted.get(session_id) == text:
                    del self._noted[session_id]


def joined(*texts: str) -> str:
    """What was written in several places, one under the other."""
    return "\n".join(filter(None, texts))
