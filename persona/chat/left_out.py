"""Messages of the archive, and of a chat itself, that it is not to be shown; every other chat still is."""

from collections.abc import Sequence
from dataclasses import replace

from knowledge.records import Memory
from persona.chat.store import SessionStore


def leave_out(sessions: SessionStore, session_id: str, message_id: str, *, out: bool = True) -> None:
    """Show the chat this message no more, or again. Raises SessionError when there is no such chat."""
    sessions.get(session_id)
    with sessions.writing() as db:
        db.execute("DELETE FROM left_out WHERE session = ? AND message = ?", (session_id, message_id))
        if out:
            db.execute("INSERT INTO left_out VALUES (?, ?)", (session_id, message_id))


def left_out(sessions: SessionStore, session_id: str) -> frozenset[str]:
    """The ids of the messages that this chat is not shown; "" is the chat that is not begun yet."""
    rows = sessions.rows("SELECT message FROM left_out WHERE session = ?", (session_id,))
    return frozenset(row["message"] for row in rows)


def shown_to(sessions: SessionStore, session_id: str, memories: Sequence[Memory]) -> list[Memory]:
    """Those a chat is shown, ranked anew; what it is not shown is no neighbour of another either."""
    hidden = left_out(sessions, session_id)
    shown = [
        replace(
            memory,
            before=tuple(n for n in memory.before if n.id not in hidden),
            after=tuple(n for n in memory.after if n.id not in hidden),
        )
        if hidden
        else memory
        for memory in memories
        if memory.id not in hidden
    ]
    return [replace(memory, rank=rank) for rank, memory in enumerate(shown, 1)]
