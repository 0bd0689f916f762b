"""Drafts of a reply: a message somebody sent, several answers in the owner's voice, and the one they keep.

The message is a turn of its sender's, the drafts are the replies to it; what the owner makes of one is one
more. So everything that holds for turns (forgetting, export, search) holds for drafts.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from persona.chat.branching import alternatives, put_in_force
from persona.chat.events import SamplingChanges, TurnEvent, TurnFinished, TurnRequest
from persona.chat.store import SessionStore, Turn

DRAFTS = 3

WARMER = 0.3
"""By how much the temperature rises from draft to draft: three that say the same are no choice."""


class Answers(Protocol):
    """What drafting asks of an engine."""

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        """Run one turn."""
        ...

    def regenerate(
        self, session_id: str, request: TurnRequest | None = None, cancel: threading.Event | None = None
    ) -> Iterator[TurnEvent]:
        """Answer the last user message again."""
        ...


def drafts(
    engine: Answers,
    request: TurnRequest,
    cancel: threading.Event,
    *,
    temperature: float = 0.7,
    count: int = DRAFTS,
) -> Iterator[TurnEvent]:
    """The events of `count` replies to one message, one after the other, each with a seed of its own.

    temperature: of the first, unless the request names one. Ends early when `cancel` is set. Raises as
    the engine does.
    """
    start = request.sampling.get("temperature", temperature)
    first = request.seed or 1
    session_id = None
    for number in range(count):
        if cancel.is_set():
            return
        sampling: SamplingChanges = {**request.sampling, "temperature": start + number * WARMER}
        asked = replace(request, seed=first + number, sampling=sampling)
        events = (
            engine.turn(asked, cancel)
            if session_id is None
            else engine.regenerate(session_id, replace(asked, session_id=session_id), cancel)
        )
        for event in events:
            if isinstance(event, TurnFinished):
                session_id = event.session_id
            yield event


@dataclass(frozen=True, slots=True)
class Correction:
    """What the owner kept: a turn, and the draft it was made of: the same one where nothing was changed."""

    kept: Turn
    draft: Turn
    others: tuple[Turn, ...]


def keep(sessions: SessionStore, draft_id: str, text: str) -> Turn:
    """Store `text` as what the owner makes of a draft; it is the reply from then on.

    Raises SessionError when there is no such draft.
    """
    draft = sessions.turn(draft_id)
    if text.strip() == draft.text.strip():
        kept = put_in_force(sessions, draft_id)
    else:
        kept = sessions.add_reply(draft.session_id, draft.number, text=text, status="complete")
    with sessions.writing() as db:
        db.execute(
            "DELETE FROM corrections WHERE draft IN (SELECT id FROM turns WHERE session = ? AND number = ?)",
            (draft.session_id, draft.number),
        )
        db.execute(
            "INSERT INTO corrections(turn, draft, at) VALUES (?, ?, ?)",
            (kept.id, draft.id, datetime.now(UTC).isoformat()),
        )
    return kept


def corrections(sessions: SessionStore) -> list[Correction]:
    """Everything kept, oldest first, with the drafts that were not."""
    found = []
    rows = sessions.rows(
        "SELECT c.turn, c.draft FROM corrections c JOIN turns t ON t.id = c.turn"
        " WHERE t.session NOT IN (SELECT session FROM discarded) ORDER BY c.at, c.turn"
    )
    for row in rows:
        kept, draft = sessions.turn(row["turn"]), sessions.turn(row["draft"])
        others = [t for t in alternatives(sessions, kept.id) if t.id != kept.id and t.text.strip()]
        found.append(Correction(kept, draft, tuple(others)))
    return found
