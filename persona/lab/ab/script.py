"""What is said to every arm: turns, and probes that are asked aside.

One JSON object a line, turns counted from 1:

    {"user": "My dog is called Rufus.", "reply": "…", "at": "2026-11-02T09:00:00+00:00"}
    {"probe": "What is my dog called?", "expect": ["Rufus"], "from_turn": 1}

reply: stored in place of what the model says, which is stopped at its first token. at: when it is said.
from_turn: the turn, or turns, that prove the answer. Stored chats and LoCoMo conversations become the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona.errors import PersonaError

if TYPE_CHECKING:
    from persona.chat.turns import Turn

_HINT = 'one JSON object a line: {"user": "…"} or {"probe": "…", "expect": ["…"], "from_turn": 3}'
_KEYS = {"user": {"user", "reply", "at"}, "probe": {"probe", "expect", "from_turn", "at"}}


@dataclass(frozen=True, slots=True)
class Say:
    """One turn. reply: what is stored as the answer, None for the model's own. at: aware, or None."""

    text: str
    reply: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A question asked aside. expect: any of these in the reply is an answer. proof: turn numbers."""

    question: str
    expect: tuple[str, ...]
    proof: tuple[int, ...] = ()
    at: datetime | None = None

    def is_answered_by(self, text: str) -> bool:
        """Whether `text` holds any of what is expected, case folded."""
        folded = text.casefold()
        return any(value.casefold() in folded for value in self.expect)


Step = Say | Probe


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation to run."""

    name: str
    steps: tuple[Step, ...]

    @property
    def turns(self) -> list[Say]:
        """What is said, in order; turn n is at n - 1."""
        return [step for step in self.steps if isinstance(step, Say)]

    @property
    def probes(self) -> list[Probe]:
        """What is asked aside, in order."""
        return [step for step in self.steps if isinstance(step, Probe)]

    def first(self, turns: int | None, probes: int | None) -> "Script":
        """The first `turns` turns with what they prove, and the first `probes` of those questions.

        A probe keeps its place; one that stood after the cut is asked at the end.
        """
        steps: list[Step] = []
        said = asked = 0
        most = len(self.turns) if turns is None else turns
        for step in self.steps:
            if isinstance(step, Say):
                said += 1
                if said <= most:
                    steps.append(step)
            elif max(step.proof, default=0) <= most and (probes is None or asked < probes):
                steps.append(step)
                asked += 1
        return replace(self, steps=tuple(steps))


def read(file: Path, conversation: str | None = None) -> Script:
    """A script, or a conversation of a LoCoMo file: the one of that id, else the first.

    Raises PersonaError naming the line that is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PersonaError(f"{file} cannot be read: {error}", _HINT) from None
    if text.lstrip().startswith("["):
        return _of_locomo(file, conversation)
    steps = tuple(_steps(file, text))
    said = sum(isinstance(step, Say) for step in steps)
    if not said:
        raise PersonaError(f"{file} holds no turn", _HINT)
    return Script(file.stem, steps)


def of_session(name: str, turns: Iterable["Turn"]) -> Script:
    """A stored chat: what its user said, answered anew."""
    said = tuple(Say(t.text, at=t.created_at) for t in turns if t.role == "user")
    if not said:
        raise PersonaError(f"session `{name}` holds no message", "see `persona sessions list`")
    return Script(name, said)


def _steps(file: Path, text: str) -> Iterator[Step]:
    said = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            step = _step(json.loads(line), said)
        except (ValueError, TypeError, KeyError) as error:
            raise PersonaError(f"{file}, line {number}: {error}", _HINT) from None
        said += isinstance(step, Say)
        yield step


def _step(row: Any, said: int) -> Step:
    if not isinstance(row, Mapping) or ("user" in row) == ("probe" in row):
        raise ValueError("neither a turn nor a probe")
    kind = "user" if "user" in row else "probe"
    if unknown := set(row) - _KEYS[kind]:
        raise ValueError(f"unknown key `{min(unknown)}`")
    at = _moment(row["at"]) if row.get("at") else None
    if kind == "user":
        reply = row.get("reply")
        return Say(_text(row["user"]), None if reply is None else _text(reply), at)
    expect = row.get("expect")
    if not isinstance(expect, list) or not expect:
        raise ValueError("`expect` is not a list of answers")
    proof = row.get("from_turn", [])
    proof = [proof] if isinstance(proof, int) else proof
    if not all(isinstance(n, int) and 1 <= n <= said for n in proof):
        raise ValueError(f"`from_turn` names a turn that was not said before ({said} were)")
    return Probe(_text(row["probe"]), tuple(_text(value) for value in expect), tuple(proof), at)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text is missing or empty")
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.astimezone()


def _of_locomo(file: Path, wanted: str | None) -> Script:
    """The first speaker's lines are the user's, the other's are the replies; the questions come last."""
    from knowledge import locomo

    samples = {str(sample.get("sample_id", n)): sample for n, sample in enumerate(locomo.read(file), 1)}
    name = wanted or next(iter(samples))
    if name not in samples:
        raise PersonaError(f"{file} holds no conversation `{name}`", "it holds: " + ", ".join(samples))
    sample = samples[name]
    steps: list[Step] = []
    turn_of: dict[str, int] = {}
    for _, began, lines in locomo.sessions(sample["conversation"]):
        for pair in _exchanges(lines, str(sample["conversation"]["speaker_a"])):
            said, heard = (" ".join(locomo.said(t) for t in side) or "…" for side in pair)
            steps.append(Say(said, heard, began + timedelta(minutes=len(steps) % 60)))
            turn_of |= {t["dia_id"]: len(steps) for side in pair for t in side}
    last = steps[-1].at
    for question in sample["qa"]:
        proof = {turn_of[i] for i in locomo.evidence(question.get("evidence") or [], set(turn_of))}
        if proof and str(question["category"]) != locomo.ADVERSARIAL:
            asked, answer = str(question["question"]), str(question["answer"])
            steps.append(Probe(asked, (answer,), tuple(sorted(proof)), last and last + timedelta(days=1)))
    return Script(name, tuple(steps))


def _exchanges(
    lines: Sequence[dict[str, Any]], first: str
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    said: list[dict[str, Any]] = []
    heard: list[dict[str, Any]] = []
    for line in lines:
        if line["speaker"] == first and heard:
            yield said, heard
            said, heard = [], []
        (said if line["speaker"] == first else heard).append(line)
    if said or heard:
        yield said, heard
