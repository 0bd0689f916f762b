"""Choices made blind between two replies to one message, and what they add up to.

A choice names the two replies, which are alternatives of one exchange in the session store; no text is
copied, and a choice goes with its chat, or with either reply.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from persona.chat.drafting import corrections
from persona.chat.store import SessionStore, Turn
from persona.chat.writes import unsummarise
from persona.errors import PersonaError, SessionError
from persona.lab.ab import intervals

Picked = Literal["left", "right", "alike", "neither"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the two replies as it was shown. arm: the name of the settings that gave it."""

    turn_id: str
    arm: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice. left, right: by where they stood, so that a leaning to one side can be seen."""

    left: Shown
    right: Shown
    picked: Picked
    at: datetime

    @property
    def chosen(self) -> Shown | None:
        """The better reply, None where neither was."""
        return {"left": self.left, "right": self.right}.get(self.picked)

    @property
    def rejected(self) -> Shown | None:
        """The other one, None where there is no better one."""
        return {"left": self.right, "right": self.left}.get(self.picked)


class ChoiceBook:
    """The choices in a session store. Raises SessionError as it does."""

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    def record(self, choice: Choice) -> None:
        """Write down a choice; the reply that was chosen becomes the one in force.

        A second choice between the same two replaces the first. Raises SessionError when the two are
        not replies to one message, PersonaError for an unknown pick.
        """
        if choice.picked not in get_args(Picked):
            raise PersonaError(f"`{choice.picked}` is no choice", "one of " + ", ".join(get_args(Picked)))
        left, right = (self._sessions.turn(shown.turn_id) for shown in (choice.left, choice.right))
        same = (left.session_id, left.number) == (right.session_id, right.number)
        if left.id == right.id or not same or {left.role, right.role} != {"assistant"}:
            raise SessionError("those are not two replies to one message", "choose between two of one turn")
        with self._sessions.writing() as db:
            pair, at = (left.id, right.id), choice.at.astimezone(UTC).isoformat()
            db.execute(
                "DELETE FROM choices WHERE left_turn IN (?, ?) AND right_turn IN (?, ?)", (*pair, *pair)
            )
            db.execute(
                "INSERT INTO choices(left_turn, right_turn, left_arm, right_arm, picked, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*pair, choice.left.arm, choice.right.arm, choice.picked, at),
            )
            if choice.chosen and choice.rejected:
                better, worse = choice.chosen.turn_id, choice.rejected.turn_id
                db.execute("UPDATE turns SET active = id = ? WHERE id IN (?, ?)", (better, *pair))
                unsummarise(db, left.session_id, {worse})

    def all(self) -> list[Choice]:
        """Every choice, oldest first."""
        rows = self._sessions.rows("SELECT * FROM choices ORDER BY n")
        return [
            Choice(
                Shown(row["left_turn"], row["left_arm"]),
                Shown(row["right_turn"], row["right_arm"]),
                row["picked"],
                datetime.fromisoformat(row["at"]),
            )
            for row in rows
        ]

    def preference_pairs(self) -> Iterator[dict[str, Any]]:
        """One object for each choice of a better reply, in TRL's conversational preference format:
        prompt (the chat up to the message), chosen, rejected, and the arms that gave them. What the owner
        made of a draft is better than every draft of that message; the arms are then `kept` and `draft`."""
        for choice in self.all():
            if choice.chosen is None or choice.rejected is None:
                continue
            better, worse = (self._sessions.turn(s.turn_id) for s in (choice.chosen, choice.rejected))
            yield self._pair(better, worse, choice.chosen.arm, choice.rejected.arm)
        for correction in corrections(self._sessions):
            for other in correction.others:
                yield self._pair(correction.kept, other, "kept", "draft")

    def _pair(self, better: Turn, worse: Turn, better_arm: str, worse_arm: str) -> dict[str, Any]:
        turns = self._sessions.turns(better.session_id)
        before = [t for t in turns if t.number < better.number and t.text.strip()]
        asked = [t for t in turns if t.number == better.number and t.role == "user"]
        return {
            "prompt": [{"role": t.role, "content": t.text} for t in (*before, *asked)],
            "chosen": [{"role": "assistant", "content": better.text}],
            "rejected": [{"role": "assistant", "content": worse.text}],
            "chosen_arm": better_arm,
            "rejected_arm": worse_arm,
        }


def tally(choices: Sequence[Choice]) -> dict[str, Any]:
    """Counts for each pair of arms, in the form of `ab tally --json`.

    share_a: of the choices that preferred one, how many preferred a; interval: exact, 95 %; p_value: of
    a split at least this uneven by chance. left: how often the left reply was preferred, whoever gave it.
    """
    pairs = sorted({_pair(choice) for choice in choices})
    decided = [c for c in choices if c.chosen]
    return {
        "choices": len(choices),
        "left": {
            "picked": sum(c.picked == "left" for c in decided),
            "of": len(decided),
            "interval": intervals.proportion(sum(c.picked == "left" for c in decided), len(decided)),
        },
        "pairs": [_counts(a, b, [c for c in choices if _pair(c) == (a, b)]) for a, b in pairs],
    }


def _pair(choice: Choice) -> tuple[str, str]:
    a, b = sorted((choice.left.arm, choice.right.arm))
    return a, b


def _counts(a: str, b: str, choices: Sequence[Choice]) -> dict[str, Any]:
    chosen = [c.chosen.arm for c in choices if c.chosen]
    for_a, decided = chosen.count(a), len(chosen)
    return {
        "a": a,
        "b": b,
        "chosen_a": for_a,
        "chosen_b": decided - for_a,
        "ties": sum(c.picked == "alike" for c in choices),
        "neither": sum(c.picked == "neither" for c in choices),
        "share_a": round(for_a / decided, 4) if decided else None,
        "interval": intervals.proportion(for_a, decided),
        "p_value": intervals.sign_test(for_a, decided - for_a),
    }
