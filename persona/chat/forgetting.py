"""Chats without what was forgotten: memory references, replies that were shown it, summaries made of those.

A reply is no ground truth: one that was shown the forgotten, or says words that only they used, is emptied.
What the user spoke as the forgotten goes like their messages; what they wrote as themselves stays unless
mentions go too. Doing it again changes nothing.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from knowledge.forgetting import Forgetting, words_of
from knowledge.tombstones import lines
from persona.chat.store import SessionStore
from persona.chat.turns import MemoryRef, Turn
from persona.chat.writes import FORGOTTEN, as_title, unsummarise

_TELLING_START = 40
"""Letters of a message by which the title that was made of it is known, also that of a fork."""


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
    sought = _Sought(plan)
    summaries = turns = 0
    with sessions.writing() as db:
        # a hidden chat is on its way out; it goes now
        db.execute("DELETE FROM sessions WHERE id IN (SELECT session FROM discarded)")
        facts = _count(db)
        db.executemany("DELETE FROM left_out WHERE message = ?", [(id,) for id in sought.gone])
        for session_id, said in read.items():
            deleted, emptied = sought.stale(said)
            for turn in said:
                left = sought.without(turn.memories)
                if left != turn.memories:
                    held = json.dumps([asdict(m) for m in left])
                    db.execute("UPDATE turns SET memories = ? WHERE id = ?", (held, turn.id))
            summaries += unsummarise(db, session_id, {t.id for t in (*deleted, *emptied)})
            empty = "UPDATE turns SET text = ?, thinking = '' WHERE id = ?"
            db.executemany(empty, [(FORGOTTEN, t.id) for t in emptied])
            db.executemany("DELETE FROM turns WHERE id = ?", [(t.id,) for t in deleted])
            _untitle(db, session_id, deleted)
            turns += len(deleted) + len(emptied)
        _unplace(db, sought)
        if plan.with_mentions:
            summaries += _unname(db, sought)
        return Cleared(turns, facts - _count(db), summaries)


def mentioning(sessions: SessionStore, plan: Forgetting) -> list[Turn]:
    """What the user wrote in chats, as themselves, that names or quotes the forgotten or asks for theirs."""
    sought = _Sought(plan)
    return [
        turn
        for chat in sessions.list()
        for turn in sought.mentioning(sessions.turns(chat.id, alternatives=True))
    ]


class _Sought:
    """What is looked for in chats."""

    def __init__(self, plan: Forgetting) -> None:
        self._plan = plan
        self._told = set(plan.lines)
        self._words = set(plan.words)
        self._called = {*plan.names, *([plan.value.strip().casefold()] if plan.what == "person" else ())}
        self.gone = set(plan.messages)
        self.places = set(plan.places)
        self.naming = plan.naming()

    def stale(self, said: Sequence[Turn]) -> tuple[list[Turn], list[Turn]]:
        """The turns of one chat to delete, and the replies to empty."""
        going = {t.number for t in said if self._is_theirs(t)}
        if self._plan.with_mentions:
            going |= {t.number for t in self.mentioning(said)}
        stay = [t for t in said if t.number not in going]
        own = {word for t in stay if t.role == "user" for word in words_of(t.text)}
        emptied = [t for t in stay if t.role == "assistant" and self._repeats(t, self._words - own)]
        return [t for t in said if t.number in going], emptied

    def mentioning(self, said: Sequence[Turn]) -> list[Turn]:
        """What the user wrote as themselves in one chat that names or quotes them, or asks in words of
        theirs alone for what the reply was then shown."""
        shown = {t.number for t in said if self._was_shown(t)}
        return [
            t
            for t in said
            if t.role == "user"
            and not self._is_theirs(t)
            and (
                self.names_or_quotes(f"{t.correspondent or ''}\n{t.text}")
                or (t.number in shown and words_of(t.text) & self._words)
            )
        ]

    def without(self, memories: Sequence[MemoryRef]) -> tuple[MemoryRef, ...]:
        """References to what is left; why one was chosen may name them, or be a word of theirs alone."""
        return tuple(
            replace(m, why="") if self.naming.search(m.why) or words_of(m.why) & self._words else m
            for m in memories
            if m.id not in self.gone
        )

    def names_or_quotes(self, text: str) -> bool:
        """Whether `text` names them, or holds a telling line of theirs."""
        return bool(self.naming.search(text) or lines(text) & self._told)

    def _is_theirs(self, turn: Turn) -> bool:
        return (turn.correspondent or "").strip().casefold() in self._called

    def _was_shown(self, turn: Turn) -> bool:
        return any(m.id in self.gone for m in turn.memories)

    def _repeats(self, reply: Turn, words: set[str]) -> bool:
        spoken = f"{reply.text}\n{reply.thinking}"
        if self._was_shown(reply) or lines(spoken) & self._told:
            return True
        if self._plan.with_mentions and self.naming.search(spoken):
            return True
        return bool(reply.memories) and bool(words_of(spoken) & words)


def _untitle(db: sqlite3.Connection, session_id: str, deleted: Sequence[Turn]) -> None:
    """A chat is named by its first message; the name goes with it."""
    starts = [as_title(t.text)[:_TELLING_START] for t in deleted if t.role == "user"]
    db.executemany(
        "UPDATE sessions SET title = '' WHERE id = ? AND substr(title, 1, ?) = ?",
        [(session_id, len(start), start) for start in starts],
    )


def _unplace(db: sqlite3.Connection, sought: _Sought) -> None:
    """Channels that are gone, or named after them."""
    places = [place for (place,) in db.execute("SELECT DISTINCT channel FROM turns WHERE channel NOT NULL")]
    gone = [(place,) for place in places if place in sought.places or sought.naming.search(place)]
    db.executemany("UPDATE turns SET channel = NULL WHERE channel = ?", gone)


def _unname(db: sqlite3.Connection, sought: _Sought) -> int:
    """Titles, drafts and corrections of facts that name or quote them; returns how many summaries went with
    the last, which may name them where no turn does."""
    titles = db.execute("SELECT id, title FROM sessions").fetchall()
    named = [(row["id"],) for row in titles if sought.names_or_quotes(row["title"])]
    db.executemany("UPDATE sessions SET title = '' WHERE id = ?", named)
    drafts = db.execute("SELECT session, text FROM drafts").fetchall()
    named = [(row["session"],) for row in drafts if sought.names_or_quotes(row["text"])]
    db.executemany("DELETE FROM drafts WHERE session = ?", named)
    facts = db.execute(
        "SELECT f.id, f.text, f.dated, f.turn, t.session FROM facts f JOIN turns t ON t.id = f.turn"
    )
    told = [row for row in facts.fetchall() if sought.names_or_quotes(f"{row['text']}\n{row['dated']}")]
    db.executemany("DELETE FROM facts WHERE id = ?", [(row["id"],) for row in told])
    return sum(unsummarise(db, row["session"], {row["turn"]}) for row in told)


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT COUNT(*) FROM facts").fetchone()[0])


def _is_discarded(sessions: SessionStore, session_id: str) -> bool:
    return bool(sessions.rows("SELECT 1 FROM discarded WHERE session = ?", (session_id,)))
