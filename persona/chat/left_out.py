"""Messages of the archive that one chat is not to be shown; every other chat still is."""

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
