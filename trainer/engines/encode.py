"""Rows as token ids: the run-time prompt, then the reply; only the reply is to be learnt.

The prompt is rendered by the run time's own template code and encoded by itself, so that its ids are those
the run time would send. Without thinking the empty think block belongs to the prompt: it is never trained,
and the model does not unlearn to think.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from persona.backends.template import ChatTemplate
from trainer.dataset.rows import Row
from trainer.models import folder_template


@dataclass(frozen=True, slots=True)
class Encoded:
    """ids: of prompt and reply. prompt: how many of them are the prompt's."""

    ids: tuple[int, ...]
    prompt: int


class Encoder:
    """Encodes rows for the model in `folder` (Hugging Face form)."""

    def __init__(self, folder: Path) -> None:
        import json

        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        eos = settings["eos_token"]
        self._end: str = eos if isinstance(eos, str) else eos["content"]
        self._template = ChatTemplate(folder_template(folder), eos=self._end)

    def row(self, row: Row) -> Encoded:
        """One row."""
        prompt = self.prompt(row)
        return Encoded((*prompt, *self._ids(self.said(row))), len(prompt))

    def prompt(self, row: Row) -> list[int]:
        """The ids up to where the reply begins."""
        return self._ids(self._template.prompt(row.prompt.messages, row.thinking))

    def said(self, row: Row) -> str:
        """What the model is to say, its thinking before it where the row has some."""
        thought = f"<think>\n{row.reasoning.strip()}\n</think>\n\n" if row.thinking else ""
        return f"{thought}{row.reply.strip()}{self._end}"

    def rows(self, rows: Iterable[Row], longest: int) -> tuple[list[Encoded], int]:
        """The rows of at most `longest` tokens, and how many were longer."""
        encoded = [self.row(row) for row in rows]
        fitting = [row for row in encoded if len(row.ids) <= longest]
        return fitting, len(encoded) - len(fitting)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
