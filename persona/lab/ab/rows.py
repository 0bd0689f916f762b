"""What one step of an arm gave; a run is a list of these, written down as they come."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn. step: its place in the script, from 0. turn: its number in the conversation, from 1.

    stable_tokens: of the prompt, before its volatile tail. summary_calls, summary_tokens: what folding
    asked of the model during this turn and the idle time after it. last_summary: the newest in the store.
    """

    step: int
    turn: int
    user: str
    reply: str
    prompt_tokens: int
    cached_tokens: int
    stable_tokens: int
    completion_tokens: int
    ttft_ms: float
    summary_calls: int
    summary_tokens: int
    last_summary: int

    @property
    def cached_share(self) -> float:
        """Of the tokens before the tail, those that the engine had evaluated already: 0 to 1."""
        return min(1.0, self.cached_tokens / self.stable_tokens) if self.stable_tokens else 0.0


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe. after: turns said before it. age: turns since the oldest that proves it, None where
    the script does not say. in_prompt: whether an answer stood in what the model was shown."""

    step: int
    question: str
    expect: tuple[str, ...]
    after: int
    age: int | None
    reply: str
    recalled: bool
    in_prompt: bool
    prompt_tokens: int
    ttft_ms: float


Row = TurnRow | ProbeRow


class Journal:
    """Rows of one arm on disk, so that a run that was stopped goes on where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self) -> list[Row]:
        """What was written; a last line that a kill cut short is dropped."""
        found: list[Row] = []
        whole = 0
        if not self._file.exists():
            return []
        for line in self._file.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            fields = json.loads(line)
            found.append(
                ProbeRow(**{**fields, "expect": tuple(fields["expect"])})
                if "question" in fields
                else TurnRow(**fields)
            )
        os.truncate(self._file, whole)
        return found

    @contextmanager
    def writing(self) -> Iterator["Journal"]:
        """Rows are appended until the block ends."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as self._out:
            yield self

    def add(self, row: Row) -> None:
        """Write one row, whole, before this returns."""
        self._out.write(json.dumps(asdict(row)) + "\n")
        self._out.flush()
