"""What is written and not sent yet, on its way to the store, so that a crash takes no word of it.

Knows nothing of Textual.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona.errors import PersonaError

if TYPE_CHECKING:
    from persona.chat.store import SessionStore

WRITE_SECONDS = 0.3
"""The most that a crash can take while the user types."""


class Drafts:
    """Drafts by where they are written: a chat's id, None for the chat that is not begun yet, or the name of
    a field that belongs to no chat.

    They have a connection of their own to the chats, which is there before any model is. `note` never blocks,
    everything else may. failed: hears, from a thread, why a draft could not be stored.
    """

    def __init__(self, open_store: "Callable[[], SessionStore]") -> None:
        self.failed: Callable[[PersonaError], object] = lambda error: None
        self._open_store = open_store
        self._store: SessionStore | None = None
        self._noted: dict[str | None, str] = {}
        self._noting = threading.Lock()
        # an earlier write must not end after a later one
        self._writing = threading.RLock()
        self._timer: threading.Timer | None = None

    def note(self, place: str | None, text: str) -> None:
        """This is what is written there now; it is stored within WRITE_SECONDS."""
        with self._noting:
            self._noted[place] = text
        if self._timer is None:
            self._timer = threading.Timer(WRITE_SECONDS, self._write_in_time)
            self._timer.daemon = True
            self._timer.start()

    def write(self) -> None:
        """Store what was noted since. Raises SessionError; it is then written the next time."""
        with self._writing:
            while self._noted:
                with self._noting:
                    place, text = self._noted.popitem()
                try:
                    self.store.keep_draft(place, text)
                except PersonaError:
                    with self._noting:
                        self._noted.setdefault(place, text)
                    raise

    def read(self, place: str | None) -> str:
        """What is written there, "" where nothing is. Raises SessionError."""
        self.write()
        return self.store.draft(place)

    @property
    def store(self) -> "SessionStore":
        """The chats. Raises SessionError when they cannot be opened."""
        with self._writing:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def close(self) -> None:
        """Store what was noted, and let go of the store; it is opened again when it is needed."""
        if self._timer is not None:
            self._timer.cancel()
        with self._writing:
            self._write_in_time()
            if self._store is not None:
                self._store.close()
                self._store = None

    def _write_in_time(self) -> None:
        self._timer = None
        try:
            self.write()
        except PersonaError as error:
            self.failed(error)


@dataclass(frozen=True, slots=True)
class Edited:
    """A message that is being changed: the turn's id, what it said, and what stood in the prompt before."""

    turn_id: str
    said: str
    aside: str


@dataclass(slots=True)
class Unsent:
    """What the user wrote in the chat at hand and is no message of it yet, beside what stands in the prompt.

    sending: what was sent and is not stored yet. edited: the message that the prompt is about, if any.
    """

    sending: str = ""
    edited: Edited | None = None

    def send(self, text: str) -> None:
        """`text` is on its way, behind what still waits to go."""
        self.sending = joined(self.sending, text)

    def sent(self) -> str:
        """What was on its way, which is somewhere else now."""
        text, self.sending = self.sending, ""
        return text

    def edit(self, turn_id: str, said: str, typed: str) -> None:
        """Change that message instead of what is written so far."""
        self.edited = Edited(turn_id, said, self._beside_the_message(typed))

    def words(self, typed: str) -> str:
        """All of it; `typed` stands in the prompt."""
        return joined(self.sending, self._beside_the_message(typed))

    def _beside_the_message(self, typed: str) -> str:
        if self.edited is None:
            return typed
        return joined(self.edited.aside, typed if typed != self.edited.said else "")


def joined(*texts: str) -> str:
    """What was written in several places, one under the other."""
    return "\n".join(filter(None, texts))
