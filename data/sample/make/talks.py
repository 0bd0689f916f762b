"""Reads the hand-written talks.

A talk starts with `== PLACE YYYY-MM-DD HH:MM [thread]` (UTC) and has one message a line:
`CODE[#key]: text`, CODE being a user's letter. A text that ends in ` ~` was edited later.
Lines that start with `# ` are comments.
"""

import re
from datetime import UTC, datetime

from data.sample.make.model import CORE, Line, Talk

_HEAD = re.compile(r"== (\S+) (\d{4}-\d\d-\d\d \d\d:\d\d)( thread)?")
_LINE = re.compile(r"([a-z])(?:#(\w+))?: (.+)")


def written_talks() -> list[Talk]:
    """Every hand-written talk, in file order. Raises ValueError for a line that is none."""
    talks: list[Talk] = []
    for path in sorted(CORE.glob("talks_*.txt")):
        for number, row in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not row.strip() or row.startswith("# "):
                continue
            if head := _HEAD.fullmatch(row):
                at = datetime.fromisoformat(head[2]).replace(tzinfo=UTC)
                talks.append(Talk(head[1], at, bool(head[3])))
            elif line := _LINE.fullmatch(row):
                text = line[3].removesuffix(" ~")
                talks[-1].lines.append(Line(line[1], text, line[2] or "", text != line[3]))
            else:
                raise ValueError(f"{path.name}:{number} is neither a head nor a line")
    return talks
