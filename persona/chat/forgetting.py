"""Chats without what was forgotten: memory references, replies that were shown it, summaries made of those.

A reply is no ground truth: one that was shown the forgotten, or says words that only they used, is emptied.
What the user wrote stays unless mentions go too. Doing it again changes nothing.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from knowledge.forgetting import Forgetting, words_of
from knowledge.tombstones import lines
from persona.chat.store import SessionStore
from persona.chat.turns import Turn
from persona.chat.writes import unsummarise

EMPTIED = "[forgotten]"
"""What stands in place of a reply."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many turns were emptied or deleted, and how many facts and summaries went with them."""

    turns: int
    facts: int
    summaries: int


def clear(sessions: SessionStore, plan: Forgetting) -> Cleared:
    """Take `plan` out of every chat, in one transaction."""
    chats = [row["id"] for row in sessions.rows("SELECT id FROM sessions")]
    read = {id: sessions.turns(id, alternatives=True) for id in chats if not _is_discarded(sessions, id)}
    gone = set(plan.messages)
    summaries = turns = 0
    with sessions.writing() as db:
        # a hidden chat is on its way out; it goes now
        db.execute("DELETE FROM sessions WHERE id IN (SELECT session FROM discarded)")
        facts = _count(db)
        db.executemany("DELETE FROM left_out WHERE message = ?", [(id,) for id in gone])
        for session_id, said in read.items():
            deleted, emptied = _stale(said, plan)
            for turn in said:
                left = [asdict(m) for m in turn.memories if m.id not in gone]
                if len(left) < len(turn.memories):
                    db.execute("UPDATE turns SET memories = ? WHERE id = ?", (json.dumps(left), turn.id))
            summaries += unsummarise(db, session_id, {t.id for t in (*deleted, *emptied)})
            empty = "UPDATE turns SET text = ?, thinking = '' WHERE id = ?"
            db.executemany(empty, [(EMPTIED, t.id) for t in emptied])
            db.executemany("DELETE FROM turns WHERE id = ?", [(t.id,) for t in deleted])
            turns += len(deleted) + len(emptied)
        if plan.with_mentions:
            _unname(db, plan)
        return Cleared(turns, facts - _count(db), summaries)


def mentioning(sessions: SessionStore, plan: Forgetting) -> list[Turn]:
    """What the user wrote in chats that names or quotes the forgotten."""
    naming, told = plan.naming(), set(plan.lines)
    chats = sessions.list()
    return [
        turn
        for chat in chats
        for turn in sessions.turns(chat.id)
        if turn.role == "user" and (naming.search(turn.text) or lines(turn.text) & told)
    ]


def _stale(said: Sequence[Turn], plan: Forgetting) -> tuple[list[Turn], list[Turn]]:
    """The turns of one chat to delete, and the replies to empty."""
    naming, told, gone = plan.naming(), set(plan.lines), set(plan.messages)
    own = {word for turn in said if turn.role == "user" for word in words_of(turn.text)}
    words = set(plan.words) - own
    asked = [t for t in said if t.role == "user"]
    numbers = {
        t.number for t in asked if plan.with_mentions and (naming.search(t.text) or lines(t.text) & told)
    }
    emptied = []
    for turn in said:
        spoken = f"{turn.text}\n{turn.thinking}"
        shown = any(m.id in gone for m in turn.memories)
        repeats = bool(turn.memories) and bool(words_of(spoken) & words)
        named = plan.with_mentions and naming.search(spoken)
        if turn.role == "assistant" and (shown or repeats or named or lines(spoken) & told):
            emptied.append(turn)
    return [t for t in said if t.number in numbers], [t for t in emptied if t.number not in numbers]


def _unname(db: sqlite3.Connection, plan: Forgetting) -> None:
    """Titles and drafts that name them."""
    naming = plan.naming()
    titles = db.execute("SELECT id, title FROM sessions").fetchall()
    named = [(row["id"],) for row in titles if naming.search(row["title"])]
    db.executemany("UPDATE sessions SET title = '' WHERE id = ?", named)
    drafts = db.execute("SELECT session, text FROM drafts").fetchall()
    named = [(row["session"],) for row in drafts if naming.search(row["text"])]
    db.executemany("DELETE FROM drafts WHERE session = ?", named)


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM facts").fetchone()[0])


def _is_discarded(sessions: SessionStore, session_id: str) -> bool:
    return bool(sessions.rows("SELECT 1 FROM discarded WHERE session = ?", (session_id,)))
