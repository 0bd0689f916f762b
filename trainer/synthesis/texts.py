"""A folder of texts, cut into pieces, and questions on a piece laid out as memories are at run time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from knowledge.records import Memory
from knowledge.sentences import sentences
from knowledge.text import one_line
from persona.chat.layout import Scene, build
from trainer.dataset.rows import DatasetError, Row, row_id

LONGEST_PIECE = 400
"""Characters of a piece, about 100 tokens: as much as a memory shows."""

_SHORTEST_PIECE = 40
_DISTRACTORS = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file, whole sentences. written: when the file was last changed."""

    id: str
    file: str
    text: str
    written: datetime


def pieces(folder: Path) -> list[Piece]:
    """The pieces of all `.txt` and `.md` files under `folder`, in the order of their names.

    Raises DatasetError when there is nothing to read.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".txt", ".md") and f.is_file())
    found = [piece for file in files for piece in _cut(file, folder)]
    if not found:
        raise DatasetError(f"{folder} holds no text to ask about", "give a folder of .txt or .md files")
    return found


def row(
    piece: Piece, question: str, answer: str, others: Sequence[Piece], name: str, rng: random.Random
) -> Row:
    """A question with the piece that answers it among others, as the chat would show them."""
    beside = rng.sample(others, min(_DISTRACTORS, len(others)))
    shown = [piece, *beside]
    rng.shuffle(shown)
    memories = [_memory(p, rank) for rank, p in enumerate(shown, 1)]
    scene = Scene(name=name, card="", message=question, now=piece.written, memories=memories)
    return Row(
        id=row_id("text", piece.id, question),
        category="fact",
        thinking=False,
        messages=tuple((m.role, m.content) for m in build(scene).messages),
        reply=answer,
        at=piece.written.isoformat(),
        conversation=piece.file,
        episode=piece.file,
        source="text",
        expect=_proof(question, answer),
    )


def _proof(question: str, answer: str) -> tuple[str, ...]:
    """Words of the answer that the question does not give away."""
    given = {w.strip(".,;:!?'\"()").casefold() for w in question.split()}
    words = [w.strip(".,;:!?'\"()") for w in answer.split()]
    return tuple(w for w in words if (len(w) > 3 or w.isdigit()) and w.casefold() not in given)[:3]


def _memory(piece: Piece, rank: int) -> Memory:
    return Memory(
        id=piece.id,
        text=piece.text,
        author=piece.file,
        is_self=False,
        sent_at=piece.written,
        source="text",
        conversation=piece.file,
        conversation_id=piece.file,
        rank=rank,
        score=0.0,
        why="",
    )


def _cut(file: Path, folder: Path) -> Iterator[Piece]:
    """Whole sentences up to the longest piece; a longer sentence is cut at a word."""
    text = file.read_text(encoding="utf-8", errors="replace")
    written = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    name, held = file.relative_to(folder).as_posix(), ""
    for sentence in [*(s for line in sentences(text) for s in _bounded(one_line(line))), None]:
        if sentence is not None and len(held) + len(sentence) < LONGEST_PIECE:
            held = f"{held} {sentence}".strip()
            continue
        if len(held) >= _SHORTEST_PIECE:
            yield Piece(row_id(name, held), name, held, written)
        held = sentence or ""


def _bounded(sentence: str) -> Iterator[str]:
    while len(sentence) >= LONGEST_PIECE:
        at = sentence.rfind(" ", 0, LONGEST_PIECE - 1)
        at = at if at > 0 else LONGEST_PIECE - 1
        yield sentence[:at]
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence
