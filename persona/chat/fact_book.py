"""The facts that users told in their chats, beside the turns that prove them. A reply is never a fact.

They live in the session store, not in the archive: a fact and its proof are written and deleted in one
transaction, and a chat can remember what it was told while the archive is switched off.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from knowledge.facts import UNSURE, Fact, Statement, hashed_id, in_force, statements, tells
from knowledge.reldates import resolved
from knowledge.sentences import sentences
from knowledge.text import one_line, printable
from persona.chat.lines import USER, Line, by_number
from persona.chat.store import SessionStore
from persona.chat.turns import Turn
from persona.chat.writes import FORGOTTEN, unsummarise
from persona.errors import SessionError


class FactBook:
    """Facts in the session store. Raises SessionError as it does."""

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    def learn(self, turns: Iterable[Turn]) -> None:
        """Write down what the users' `turns` state; a turn already read adds nothing."""
        found = [
            (turn, statement)
            for turn in turns
            if turn.role == "user"
            for statement in statements(turn.text, turn.created_at.astimezone())
        ]
        self.add(found)

    def learn_lines(self, lines: Iterable[Line], turns: Sequence[Turn], model: str) -> None:
        """Write down what `model` picked out of the users' `turns`: sentences of theirs, word for word,
        in lines that cite one exchange each. What is known of a sentence already stays as it is."""
        picked = {
            (line.numbers[0], line.text) for line in lines if line.speaker == USER and not line.numbers[1:]
        }
        known = {(fact.sources[0], fact.text) for fact in self.told(turns[0].session_id)} if turns else set()
        self.add(
            [
                (turn, Statement(said, resolved(said, turn.created_at.astimezone()), None, UNSURE, "model"))
                for number, beside in by_number(turns).items()
                for turn in beside
                if turn.role == "user"
                for said in sentences(turn.text)
                if (number, one_line(said)) in picked and (turn.id, said) not in known and tells(said)
            ],
            model,
        )

    def unread(self, session_id: str, model: str) -> list[Turn]:
        """What users said in folded turns of a chat that `model` has not read for facts, oldest first."""
        folded = {t for summary in self._sessions.all_summaries(session_id) for t in summary.turn_ids}
        rows = self._sessions.rows("SELECT turn FROM readings WHERE reader = ?", (model,))
        wanted = folded - {row["turn"] for row in rows}
        return [t for t in self._sessions.turns(session_id) if t.role == "user" and t.id in wanted]

    def learn_read(self, turns: Sequence[Turn], found: Sequence[tuple[str, str]], model: str) -> None:
        """Write down what `model` picked out of these turns, as turn ids and sentences of theirs, and that it
        read them. What is known of a sentence already stays as it is."""
        said = {turn.id: turn for turn in turns}
        known = {(fact.sources[0], fact.text) for fact in self.told(turns[0].session_id)}
        picked = [
            (
                said[id],
                Statement(text, resolved(text, said[id].created_at.astimezone()), None, UNSURE, "model"),
            )
            for id, text in found
            if (id, text) not in known
        ]
        with self._sessions.writing() as db:
            self._insert(db, picked, model)
            db.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?)", [(id, model) for id in said])

    def add(self, found: Sequence[tuple[Turn, Statement]], model: str = "") -> None:
        """Write down statements, each with the turn that proves it. model: which one found them."""
        if found:
            with self._sessions.writing() as db:
                self._insert(db, found, model)

    def _insert(self, db: sqlite3.Connection, found: Sequence[tuple[Turn, Statement]], model: str) -> None:
        rows = [
            (
                _id(turn, s),
                turn.id,
                turn.correspondent,
                s.attribute,
                s.text,
                s.dated,
                s.confidence,
                s.origin,
                model,
            )
            for turn, s in found
        ]
        db.executemany(
            "INSERT OR IGNORE INTO facts(id, turn, subject, attribute, text, dated, confidence, origin,"
            " model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def correct(self, fact_id: str, text: str) -> Fact:
        """Write down what holds in place of a fact, which stays and is superseded. Summaries of its turn
        are made anew at the next fold. Raises SessionError when there is no such fact, or no text."""
        fact = self.get(fact_id)
        if not (said := one_line(printable(text)).strip()):
            raise SessionError("a correction needs words", "to take the fact away, forget its turn's chat")
        [turn_id] = fact.sources
        dated = resolved(said, fact.told_at.astimezone())
        new_id = hashed_id(fact.id, said)
        with self._sessions.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO facts(id, turn, subject, attribute, text, dated, confidence, origin,"
                " corrects) VALUES (?, ?, ?, ?, ?, ?, 1.0, 'user', ?)",
                (new_id, turn_id, fact.subject, fact.attribute, said, dated, fact.id),
            )
            unsummarise(db, fact.session_id, {turn_id})
        return self.get(new_id)

    def forget(self, fact_id: str) -> int:
        """Take a fact away with its corrections, and its sentence out of the turn that proves it; returns
        how many summaries went, to be made anew. Raises SessionError when there is no such fact."""
        told = {fact.id: fact for fact in self.told()}
        fact = told.get(fact_id) or self.get(fact_id)
        while fact.corrects in told:
            fact = told[fact.corrects]
        [turn_id] = fact.sources
        with self._sessions.writing() as db:
            gone = unsummarise(db, fact.session_id, {turn_id})
            db.execute(
                "UPDATE turns SET text = REPLACE(text, ?, ?) WHERE id = ?", (fact.text, FORGOTTEN, turn_id)
            )
            # a chat is named by its first message, cut to length
            db.execute(
                "UPDATE sessions SET title = '' WHERE id = ?"
                " AND (instr(?, rtrim(title, '…')) OR instr(title, ?))",
                (fact.session_id, fact.text, fact.text),
            )
            db.execute(
                "WITH RECURSIVE line(id) AS (SELECT id FROM facts WHERE turn = ? AND text = ?"
                " UNION SELECT facts.id FROM facts JOIN line ON facts.corrects = line.id)"
                " DELETE FROM facts WHERE id IN (SELECT id FROM line)",
                (turn_id, fact.text),
            )
        return gone

    def pin(self, fact_id: str, *, pinned: bool = True) -> Fact:
        """Have a fact shown in every chat, or no more. Raises SessionError when there is no such fact."""
        self.get(fact_id)
        with self._sessions.writing() as db:
            db.execute("UPDATE facts SET pinned = ? WHERE id = ?", (pinned, fact_id))
        return self.get(fact_id)

    def get(self, fact_id: str) -> Fact:
        """One fact. Raises SessionError when there is none of that id."""
        for fact in self.told():
            if fact.id == fact_id:
                return fact
        raise SessionError(f"there is no fact `{fact_id}`", "`persona memory facts` shows the ids")

    def corrected(self, turns: Sequence[Turn]) -> list[Turn]:
        """`turns` as they read with the corrections made since: what a summary is to be made of."""
        told = {fact.id: fact for fact in self.told(turns[0].session_id)} if turns else {}
        said = {turn.id: turn.text for turn in turns}
        for fact in told.values():
            [turn_id] = fact.sources
            if fact.corrects in told and turn_id in said:
                said[turn_id] = said[turn_id].replace(told[fact.corrects].text, fact.text)
        return [turn if said[turn.id] == turn.text else replace(turn, text=said[turn.id]) for turn in turns]

    def told(self, session_id: str | None = None) -> list[Fact]:
        """Every fact of one chat, or of all, oldest first, each with what superseded it there."""
        rows = self._sessions.rows(
            "SELECT f.*, t.session, t.number, t.created_at FROM facts f JOIN turns t ON t.id = f.turn"
            " WHERE ? IS NULL OR t.session = ? ORDER BY t.created_at, t.n, f.n",
            (session_id, session_id),
        )
        return in_force(
            [
                Fact(
                    id=row["id"],
                    subject=row["subject"],
                    attribute=row["attribute"],
                    text=row["text"],
                    dated=row["dated"],
                    sources=(row["turn"],),
                    session_id=row["session"],
                    number=row["number"],
                    told_at=datetime.fromisoformat(row["created_at"]),
                    confidence=row["confidence"],
                    origin=row["origin"],
                    corrects=row["corrects"],
                    pinned=bool(row["pinned"]),
                    model=row["model"],
                )
                for row in rows
            ]
        )


def copy_facts(db: sqlite3.Connection, turns: Mapping[str, str]) -> None:
    """Give copied turns (new ids by old ones) the facts of the first, under the ids they would be learned by.

    None of them is pinned: the fact it was copied from is shown in every chat already.
    """
    marks = ", ".join("?" * len(turns))
    found = db.execute(f"SELECT * FROM facts WHERE turn IN ({marks}) ORDER BY n", tuple(turns)).fetchall()
    ids: dict[str, str] = {}
    for row in found:
        turn, corrects = turns[row["turn"]], ids.get(row["corrects"])
        ids[row["id"]] = (
            hashed_id(corrects, row["text"]) if corrects else hashed_id(turn, row["attribute"], row["text"])
        )
        values = {key: row[key] for key in row.keys() if key != "n"} | {  # noqa: SIM118
            "id": ids[row["id"]],
            "turn": turn,
            "corrects": corrects,
            "pinned": 0,
        }
        db.execute(
            f"INSERT OR IGNORE INTO facts({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def _id(turn: Turn, statement: Statement) -> str:
    return hashed_id(turn.id, statement.attribute, statement.text)
