"""The road from a teacher to a data set: ask, check, note, leave out what is there already, write.

Every answer is noted as it comes (`notes.jsonl`), so that a killed run goes on and pays for nothing twice.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jsonschema import exceptions, validators

from knowledge.privacy import Redactor
from knowledge.progress import Progress
from persona import whole_file
from trainer.dataset import rows as files
from trainer.dataset.dedupe import Seen
from trainer.dataset.rows import DatasetError, Row, row_id
from trainer.synthesis import texts
from trainer.synthesis.teacher import Answer, Teacher
from trainer.synthesis.texts import Piece

NOTES = "notes.jsonl"

_ASK_ABOUT = (
    "Write {n} questions that the text answers, each with its answer in the text's own words, as one JSON"
    " object under this schema. Ask about what only this text says; name what you ask about."
)
_INVENT = (
    "Invent {n} examples of this task as one JSON object under this schema. The task: {about}"
    " Vary wording, length, names and subjects; no two alike."
)
_REASON = (
    "Below is a talk and a reply that decides something. Say why in one short sentence in the first person,"
    " as one JSON object under this schema: only a reason that the text gives, empty where it gives none."
)
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_AT_ONCE = 5
_TRIES = 3
_FRUITLESS = 5
"""So many answers in a row that bring nothing new end an invention."""


@dataclass(slots=True)
class Tally:
    """What a generation took and brought. cost: dollars; None where neither API nor prices tell."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer, prices: tuple[float, float] | None) -> None:
        """Count one answer. prices: dollars for a million tokens in and out."""
        self.requests += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens
        cost = answer.cost
        if cost is None and prices:
            cost = (answer.prompt_tokens * prices[0] + answer.completion_tokens * prices[1]) / 1e6
        self.cost = None if cost is None or self.cost is None else self.cost + cost


@dataclass(slots=True)
class Generator:
    """teacher: who writes. folder: where notes and rows go. redact: takes out what must not be written, or
    leave the machine. prices: dollars for a million tokens in and out."""

    teacher: Teacher
    folder: Path
    redact: Redactor
    prices: tuple[float, float] | None = None
    progress: Callable[[Progress], object] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _noted: dict[str, list[dict[str, Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self._noted = dict(_read(self.folder / NOTES))

    def questions(self, found: Sequence[Piece], each: int, name: str) -> list[Row]:
        """`each` questions on every piece. name: the twin's, who is asked."""
        pair = {"question": {**_TEXT, "maxLength": 300}, "answer": {**_TEXT, "maxLength": 600}}
        schema = _rows_schema(pair, each)
        rng, seen = random.Random(0), Seen()
        made: list[Row] = []
        for n, piece in enumerate(found, 1):
            task = _ASK_ABOUT.format(n=each)
            for row in self._ask(row_id(self.teacher.name, piece.id, task), task, piece.text, schema):
                question, answer = row["question"].strip(), row["answer"].strip()
                if not _grounded(answer, piece.text):
                    self.tally.dropped["answer not in the text"] += 1
                elif not seen.add(f"{question}\n{answer}"):
                    self.tally.dropped["near-duplicate"] += 1
                else:
                    others = [p for p in found if p.id != piece.id]
                    made.append(texts.row(piece, question, answer, others, name, rng))
            self.progress(Progress("pieces asked about", n, len(found)))
        return made

    def examples(self, about: str, output: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """`count` inputs with outputs of a task. output: the JSON schema of its outputs."""
        schema = _rows_schema({"input": {**_TEXT, "maxLength": 2000}, "output": output}, _AT_ONCE)
        seen, fruitless, asked = Seen(), 0, 0
        made: list[dict[str, Any]] = []
        while len(made) < count and fruitless < _FRUITLESS:
            asked += 1
            task = _INVENT.format(n=_AT_ONCE, about=about.strip().rstrip(".") + ".")
            known = "; ".join(row["input"] for row in made[-_AT_ONCE:])
            told = f"Part {asked}." + (f" Unlike these: {known}" if known else "")
            before = len(made)
            for row in self._ask(row_id(self.teacher.name, about, str(asked)), task, told, schema):
                if seen.add(row["input"]):
                    made.append({**row, "input": row["input"].strip()})
                else:
                    self.tally.dropped["near-duplicate"] += 1
            fruitless = 0 if len(made) > before else fruitless + 1
            self.progress(Progress("examples", min(len(made), count), count))
        return made[:count]

    def reasons(self, rows: Sequence[Row]) -> list[Row]:
        """`rows` with reasons for what was decided, in the thinking of those that think: only what the talk
        itself gives, so that none is made up."""
        schema = _rows_schema({"reason": {"type": "string", "maxLength": 300}}, 1)
        deciding = sum(map(_decides, rows))
        found: list[Row] = []
        for row in rows:
            reason = self._reason(row, schema) if _decides(row) else ""
            found.append(replace(row, reasoning=f"{row.reasoning} {reason}".strip()))
            self.progress(Progress("reasons", sum(map(_decides, found)), deciding))
        return found

    def _reason(self, row: Row, schema: dict[str, Any]) -> str:
        text = self.redact(decided(row))
        answer = self._ask(row_id(self.teacher.name, row.id), _REASON, text, schema)
        reason: str = answer[0]["reason"].strip() if answer else ""
        if reason and not _grounded(reason, text):
            self.tally.dropped["reason not in the talk"] += 1
            return ""
        return reason

    def _ask(self, key: str, task: str, text: str, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows that keep to the schema; from the notes where they were written before."""
        if key in self._noted:
            return self._noted[key]
        validator = validators.validator_for(schema)(schema)
        rows: list[dict[str, Any]] = []
        for _ in range(_TRIES):
            answer = self.teacher.ask(task, text, json.dumps(schema, ensure_ascii=False))
            self.tally.add(answer, self.prices)
            try:
                data = json.loads(_bare(answer.text))
                validator.validate(data)
            except (ValueError, exceptions.ValidationError):
                self.tally.dropped["answer that breaks the schema"] += 1
                continue
            rows = [_redacted(row, self.redact) for row in data["rows"]]
            break
        self._note(key, rows)
        return rows

    def _note(self, key: str, rows: list[dict[str, Any]]) -> None:
        self._noted[key] = rows
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / NOTES).open("a", encoding="utf-8") as out:
            # A line end first: the last line may have been cut off by a kill.
            out.write("\n" + json.dumps({"key": key, "rows": rows}, ensure_ascii=False))


def decided(row: Row) -> str:
    """A decision as a teacher is shown it: what was said before, and the reply."""
    said = [f"{role}: {text}" for role, text in row.messages if role != "system"]
    return "\n".join([*said, f"reply: {row.reply}"])


def to_be_reasoned(rows: Sequence[Row], redact: Redactor) -> list[str]:
    """What `Generator.reasons` would send for `rows`."""
    return [redact(decided(row)) for row in rows if _decides(row)]


def write(
    folder: Path, made: Sequence[Row | dict[str, Any]], test: float, schema: Any = None
) -> dict[str, int]:
    """Write train and test rows, apart by file for texts and by chance for tasks; how many of each.

    Raises DatasetError when there is nothing to write.
    """
    if not made:
        raise DatasetError("the teacher wrote nothing that could be used", "take a larger one")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in made:
        group = row.conversation if isinstance(row, Row) else row["input"]
        groups.setdefault(group, []).append(row.as_json() if isinstance(row, Row) else row)
    names = sorted(groups)
    random.Random(0).shuffle(names)
    sides: dict[str, list[dict[str, Any]]] = {files.TEST: [], files.TRAIN: []}
    wanted, kept = round(test * len(made)), 0
    for name in names:
        side = files.TEST if kept + len(groups[name]) <= wanted else files.TRAIN
        kept += len(groups[name]) if side == files.TEST else 0
        sides[side] += groups[name]
    folder.mkdir(parents=True, exist_ok=True)
    if schema is not None:
        whole_file.replace(folder / files.SCHEMA, json.dumps(schema, ensure_ascii=False, indent=2) + "\n")
    for name, lines in sides.items():
        whole_file.replace(folder / name, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in lines))
    return {"train": len(sides[files.TRAIN]), "test": len(sides[files.TEST])}


def report(generator: Generator, counts: dict[str, int]) -> dict[str, Any]:
    """What `persona train generate --json` prints."""
    tally = asdict(generator.tally)
    return {
        "rows": sum(counts.values()),
        **counts,
        "teacher": generator.teacher.name,
        **tally,
        "dropped": dict(generator.tally.dropped),
        "redactions": dict(generator.redact.counts),
        "folder": str(generator.folder),
    }


def _rows_schema(row: dict[str, Any], most: int) -> dict[str, Any]:
    one = {"type": "object", "properties": row, "required": list(row), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": one, "minItems": 1, "maxItems": most}},
        "required": ["rows"],
        "additionalProperties": False,
    }


def _decides(row: Row) -> bool:
    return row.category == "decision" and row.thinking


def _grounded(answer: str, text: str) -> bool:
    """Whether most words of an answer stand in the text: a teacher makes things up, too."""
    there = {w.strip(".,;:!?'\"()").casefold() for w in text.split()}
    words = [w.strip(".,;:!?'\"()").casefold() for w in answer.split()]
    return sum(w in there for w in words) >= 0.6 * len(words)


def _bare(text: str) -> str:
    """JSON out of what a chat model wraps it in."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1]


def _redacted(value: Any, redact: Redactor) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(part, redact) for key, part in value.items()}
    return [_redacted(part, redact) for part in value] if isinstance(value, list) else value


def _read(file: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What was noted; a line cut off by a kill is asked again."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            note = json.loads(line)
            yield note["key"], note["rows"]
        except (ValueError, KeyError, TypeError):
            continue
