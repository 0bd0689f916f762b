"""Facts by the model, a few messages at a time, held to a JSON schema; `knowledge.extraction` checks them.

Knows nothing of when there is time for it.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from knowledge.extraction import MOST_MESSAGES, Ask, read, worth_reading
from persona.backends.base import Backend, ChatMessage, Prompt
from persona.chat.asking import said
from persona.chat.budget import window_of
from persona.chat.fact_book import FactBook
from persona.errors import ModelError

_log = logging.getLogger(__name__)

_REPLY_TOKENS = 512
_SEED = 0


def asker(backend: Backend, cancel: threading.Event) -> Ask:
    """What puts messages before the model of `backend`, until `cancel` is set. Raises ModelError as it does,
    and where they do not fit its window."""

    def ask(instruction: str, text: str, schema: str) -> str | None:
        prompt = Prompt((ChatMessage("system", instruction), ChatMessage("user", text)))
        room = window_of(backend.info) - backend.count_prompt(prompt)
        tokens = min(_REPLY_TOKENS, room)
        sampling = replace(
            backend.default_sampling(False), temperature=0.0, max_tokens=tokens, seed=_SEED, schema=schema
        )
        return said(backend, prompt, sampling, cancel)

    return ask


class TurnReader:
    """Reads what users said in turns that were folded, once."""

    def __init__(self, facts: FactBook, backend: Backend) -> None:
        self._facts = facts
        self._backend = backend

    def read(self, session_id: str, cancel: threading.Event) -> None:
        """Put the oldest unread turns before the model, in one call at most; nothing is written down when
        `cancel` was set meanwhile. A model that cannot be held to a schema reads nothing."""
        turns = self._facts.unread(session_id, self._backend.info.name)[:MOST_MESSAGES]
        if not turns:
            return
        shown = [_Shown(t.id, t.correspondent or "user", t.created_at.astimezone(), t.text) for t in turns]
        found: Sequence[tuple[str, str]] = ()
        if worth_reading(shown):
            try:
                reading = read(shown, asker(self._backend, cancel))
            except ModelError as error:
                _log.warning("no facts by the model: %s", type(error).__name__)
                return
            if reading is None:
                return
            # a fact of a chat has one turn for its proof: what forgets or corrects it changes that turn
            found = [(f.sources[0], f.sentence) for f in reading.found if len(f.sources) == 1]
        self._facts.learn_read(turns, found, self._backend.info.name)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A turn as `knowledge.extraction.Said` has it."""

    id: str
    author: str
    sent_at: datetime
    text: str
