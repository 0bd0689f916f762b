"""The lines of a summary: each cites the turns it is made of, and is checked against them.

    - (turn 3) user: my dog is called Rufus

The check is the same for every strategy: names, numbers and most other words of a line must be in what
was said in the turns it cites. Knows nothing of stores, prompts or models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.lexical import terms
from knowledge.reldates import resolved
from knowledge.support import supported, words
from knowledge.text import one_line
from persona.chat.turns import Turn

USER, ME = "user", "me"

_LINE = re.compile(
    r"\s*[-*•]?\s*\(turns?\s+(\d+(?:\s*,\s*\d+)*)\)\s*(?:(user|me)\s*:)?\s*([^\s):].*)", re.IGNORECASE
)

Said = Mapping[int, Sequence[Turn]]
"""The turns by the number of their exchange."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. numbers: the exchanges cited. speaker: whose words, None where both or unknown."""

    numbers: tuple[int, ...]
    speaker: str | None
    text: str

    def __str__(self) -> str:
        cited = ", ".join(map(str, self.numbers))
        who = f" {self.speaker}:" if self.speaker else ""
        return f"- (turn{'s' if len(self.numbers) > 1 else ''} {cited}){who} {self.text}"


def speaker_of(turn: Turn) -> str:
    """How a line names who said `turn`."""
    return USER if turn.role == "user" else ME


def by_number(turns: Sequence[Turn]) -> dict[int, list[Turn]]:
    """`turns` by the number of their exchange."""
    said: dict[int, list[Turn]] = {}
    for turn in turns:
        said.setdefault(turn.number, []).append(turn)
    return said


def parse(text: str) -> list[Line]:
    """The cited lines of `text`; whatever has another form is left out."""
    found = []
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            numbers = tuple(dict.fromkeys(int(n) for n in match[1].split(",")))
            found.append(Line(numbers, match[2].lower() if match[2] else None, one_line(match[3])))
    return found


def grounded(line: Line, said: Said) -> bool:
    """Whether every turn that `line` cites exists, and holds its names, its numbers and most of its words."""
    if not all(number in said for number in line.numbers):
        return False
    return bool(terms(line.text)) and supported(line.text, _held(line, said), besides={USER})


def covers(line: Line, sentence: str) -> bool:
    """Whether `line` tells what `sentence` tells: its names, its numbers and most of its words."""
    return supported(sentence, words([line.text]))


def _held(line: Line, said: Said) -> set[str]:
    """The words said in the turns a line cites, by its speaker, relative dates resolved."""
    cited = (t for number in line.numbers for t in said[number])
    spoken = [t for t in cited if line.speaker is None or speaker_of(t) == line.speaker]
    return words(resolved(t.text, t.created_at.astimezone()) for t in spoken)
