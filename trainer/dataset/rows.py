"""Rows of a data set, and the JSON Lines files they are kept in.

    {"id": …, "category": "fact", "thinking": true, "messages": [system, user, …, assistant],
     "sources": [message ids], "at": ISO, "conversation": …, "source": "slack", "expect": […], …}

The messages are those of the run-time prompt, then the reply; its thinking is `reasoning_content`.
A `schema.json` beside the files makes a task of them: `input` is laid out as `/api/convert` does.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from jsonschema import exceptions, validators

from knowledge.privacy import Redactor
from persona.backends.base import ChatMessage, Prompt
from persona.chat.layout import conversion
from persona.errors import PersonaError
from persona.whole_file import replacing

Category = Literal["style", "fact", "decision", "task", "canary"]
CATEGORIES: tuple[Category, ...] = ("style", "fact", "decision", "task", "canary")
TRAIN, TEST, SCHEMA = "train.jsonl", "test.jsonl", "schema.json"

_MEMORIES = re.compile(r"<memories>\n.*?\n</memories>\n", re.DOTALL)


class DatasetError(PersonaError):
    """A data set is missing, unreadable, or holds too little."""


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and the reply to learn.

    messages: the run-time prompt's, as (role, content). reply, reasoning: what is to be said; reasoning is
    empty unless `thinking`. sources: archive ids of every message in it. at: when it was, ISO 8601. expect:
    words of which the reply to a question of fact must hold one. answerable: False where only "I don't
    know" is right. shows_memories: whether the prompt has a memory block.
    """

    id: str
    category: Category
    thinking: bool
    messages: tuple[tuple[str, str], ...]
    reply: str
    reasoning: str = ""
    sources: tuple[str, ...] = ()
    at: str = ""
    conversation: str = ""
    episode: str = ""
    source: str = ""
    partner: str = ""
    expect: tuple[str, ...] = ()
    answerable: bool = True

    @property
    def prompt(self) -> Prompt:
        """What the model is asked to continue."""
        return Prompt(tuple(ChatMessage(role, text) for role, text in self.messages), self.thinking)  # type: ignore[arg-type]

    @property
    def is_talk(self) -> bool:
        """Whether the reply is the owner's own in a talk, rather than an answer to a question made for it."""
        return self.category in ("style", "decision") and not self.expect and self.answerable

    @property
    def shows_memories(self) -> bool:
        """Whether the prompt has a memory block."""
        return bool(_MEMORIES.search(self.messages[-1][1]))

    def without_memories(self) -> "Row":
        """The same row as the run time lays it out with memory off."""
        role, text = self.messages[-1]
        return replace(self, messages=(*self.messages[:-1], (role, _MEMORIES.sub("", text, count=1))))

    def redacted(self, redact: Redactor) -> "Row":
        """The same row without what must not be written."""
        return replace(
            self,
            messages=tuple((role, redact(text)) for role, text in self.messages),
            reply=redact(self.reply),
            reasoning=redact(self.reasoning),
            expect=tuple(redact(word) for word in self.expect),
            partner=redact(self.partner),
            conversation=redact(self.conversation),
        )

    def as_json(self) -> dict[str, Any]:
        """The object of one line."""
        data = asdict(self)
        said = {"role": "assistant", "content": data.pop("reply")}
        if reasoning := data.pop("reasoning"):
            said["reasoning_content"] = reasoning
        data["messages"] = [{"role": role, "content": text} for role, text in self.messages] + [said]
        return data


def row_id(*parts: str) -> str:
    """A short name for a row, the same whenever it is made from the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def write(file: Path, rows: Iterable[Row]) -> None:
    """Write rows, replacing the file in one step."""
    with replacing(file) as out:
        for row in rows:
            out.write(json.dumps(row.as_json(), ensure_ascii=False) + "\n")


def read(file: Path) -> list[Row]:
    """The rows of a file: this program's own, plain `messages`, or `input`/`output` for task models.

    Secrets in them are replaced, whoever wrote the file: nothing that reads rows may learn or show one.
    Raises DatasetError naming file and line.
    """
    if not file.is_file():
        raise DatasetError(f"there is no data set at {file}", "make one with `persona train prepare`")
    rows, redact = [], Redactor()
    schema = schema_of(file.parent)
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(_parse(json.loads(line), schema).redacted(redact))
        except (ValueError, LookupError, TypeError, AttributeError, exceptions.ValidationError) as error:
            raise DatasetError(
                f"{file.name}, line {number} is no training row: {_line(error)}",
                'a row is {"messages": [{"role": …, "content": …}, …]} that ends with the assistant,'
                ' or {"input": …, "output": …}',
            ) from None
    return rows


def schema_of(folder: Path) -> str:
    """The JSON schema of a folder's task, as the prompt shows it; "" where it has none.

    Raises DatasetError when the file is no JSON schema.
    """
    file = folder / SCHEMA
    return json.dumps(schema_in(file), ensure_ascii=False) if file.is_file() else ""


def schema_in(file: Path) -> dict[str, Any]:
    """The JSON schema in a file. Raises DatasetError when it is none."""
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        validators.validator_for(schema).check_schema(schema)
    except (OSError, ValueError, exceptions.SchemaError) as error:
        raise DatasetError(f"{file} is no JSON schema: {_line(error)}", "mend it") from None
    if not isinstance(schema, dict):
        raise DatasetError(f"{file} is no JSON schema", "it must be an object")
    return schema


def fingerprint(folder: Path) -> str:
    """A hash of a data set's rows: what a run was trained on, in one word."""
    digest = hashlib.sha256()
    for name in (TRAIN, TEST, SCHEMA):
        if (folder / name).exists():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _parse(data: dict[str, Any], schema: str) -> Row:
    if "messages" not in data:
        return _task(data, schema)
    messages = [dict(m) for m in data.pop("messages")]
    said = messages.pop()
    if said["role"] != "assistant" or not messages or messages[-1]["role"] != "user":
        raise ValueError("the last two messages must be the user's and the assistant's")
    prompt = tuple((_role(m["role"]), _text(m["content"])) for m in messages)
    reasoning = _text(said.get("reasoning_content") or "")
    known: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in _FIELDS
    }
    known.setdefault("id", row_id(*(text for _, text in prompt), _text(said["content"])))
    known.setdefault("category", "style")
    known.setdefault("thinking", bool(reasoning))
    return Row(messages=prompt, reply=_text(said["content"]), reasoning=reasoning, **known)


def _task(data: dict[str, Any], schema: str) -> Row:
    """`{"input", "output"}`, with an `instruction` or `system` where the task has one and no schema."""
    said, asked = data["output"], _text(data["input"])
    output = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    if schema:
        validators.validator_for(json.loads(schema))(json.loads(schema)).validate(json.loads(output))
        messages = tuple((m.role, m.content) for m in conversion(asked, schema))
    else:
        system = data.get("instruction") or data.get("system")
        messages = (*((("system", _text(system)),) if system else ()), ("user", asked))
    return Row(row_id(asked, output), "task", False, messages, output)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _role(role: str) -> str:
    if role not in ("system", "user", "assistant"):
        raise ValueError(f"unknown role {role!r}")
    return role


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("content must be text")
    return value


_FIELDS = set(Row.__dataclass_fields__) - {"messages", "reply", "reasoning"}
