"""Cutting text into sentences, each a verbatim piece of it."""

import re

_SENTENCE = re.compile(r"[^\n.!?…]+(?:[.!?…]+(?=\S)[^\n.!?…]*)*[.!?…]*")
_ABBREVIATED = re.compile(
    r"\b(?:dr|mr|mrs|ms|prof|st|sr|sra|jr|vs|ca|approx|nr|e\.g|i\.e|z\.b|d\.h|bzw)\.$", re.IGNORECASE
)
_QUESTION = re.compile(r"[^\n.!?…]+\?(?!\w)")


def sentences(text: str) -> list[str]:
    """The sentences of `text`, each a verbatim piece of it; a line end always ends one."""
    found: list[str] = []
    start: int | None = None
    for match in _SENTENCE.finditer(text):
        start = match.start() if start is None else start
        if _ABBREVIATED.search(match.group()) and text[match.end() : match.end() + 1] == " ":
            continue
        found.append(text[start : match.end()].strip())
        start = None
    if start is not None:
        found.append(text[start:].strip())
    return [s for s in found if s]


def asked(text: str) -> int:
    """How many words of `text` stand in questions."""
    return sum(len(question.split()) for question in _QUESTION.findall(text))
