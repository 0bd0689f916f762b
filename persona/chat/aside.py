"""A chat that its caller keeps: run by the same engine on a store that lives in memory only."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from persona.backends.base import ChatMessage
from persona.chat.engine import Engine
from persona.chat.store import SessionStore

_IN_MEMORY = Path(":memory:")


@contextmanager
def aside(engine: Engine, history: Sequence[ChatMessage]) -> Iterator[tuple[Engine, str]]:
    """An engine with the model and memory of `engine`, and the id of a chat that holds `history`.

    Both are gone with the block, and nothing of them is on disk. The engine must not be closed.
    """
    with closing(SessionStore(_IN_MEMORY)) as sessions:
        beside = Engine(
            memory=engine.memory,
            sessions=sessions,
            backend=engine.backend,
            settings=engine.settings,
            card=engine.card,
        )
        session = sessions.create()
        number = 0
        for message in history:
            if message.role == "user":
                asked = sessions.add_user(session.id, message.content)
                beside.facts.learn([asked])
                number = asked.number
            elif message.role == "assistant" and number:
                sessions.add_reply(session.id, number, text=message.content, status="complete")
        yield beside, session.id
