"""Rows as token ids: the run-time prompt, then the reply; only the reply is to be learnt.

The prompt is rendered by the run time's own template code and encoded by itself, so that its ids are those
the run time would send. Without thinking the empty think block belongs to the prompt: it is never trained,
and the model does not unlearn to think.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from persona.backends.base import ChatMessage
from persona.backends.thinking import CLOSE, OPEN
from trainer.dataset.rows import Row
from trainer.models import folder_chat, folder_template

_REPLY = "what-was-replied"


@dataclass(frozen=True, slots=True)
class Encoded:
    """ids: of prompt and reply. prompt: how many of them are the prompt's."""

    ids: tuple[int, ...]
    prompt: int


class Encoder:
    """Encodes rows for the model in `folder` (Hugging Face form)."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._template = folder_chat(folder)
        self._end = self._end_of_reply()
        self._thinks = OPEN in folder_template(folder)

    def row(self, row: Row) -> Encoded:
        """One row."""
        prompt = self.prompt(row)
        return Encoded((*prompt, *self._ids(self.said(row))), len(prompt))

    def prompt(self, row: Row) -> list[int]:
        """The ids up to where the reply begins."""
        return self._ids(self._template.prompt(row.prompt.messages, row.thinking))

    def said(self, row: Row) -> str:
        """What the model is to say, its thinking before it where the row has some and the template knows of
        thinking."""
        thinks = row.thinking and self._thinks
        thought = f"{OPEN}\n{row.reasoning.strip()}\n{CLOSE}\n\n" if thinks else ""
        return f"{thought}{row.reply.strip()}{self._end}"

    def rows(self, rows: Iterable[Row], longest: int) -> tuple[list[Encoded], int]:
        """The rows of at most `longest` tokens, and how many were longer."""
        encoded = [self.row(row) for row in rows]
        fitting = [row for row in encoded if len(row.ids) <= longest]
        return fitting, len(encoded) - len(fitting)

    def _end_of_reply(self) -> str:
        """The special token that the template writes after a reply: not every model's is its eos."""
        talk = (ChatMessage("user", "?"), ChatMessage("assistant", _REPLY))
        after = self._template.history(talk, False).rpartition(_REPLY)[2]
        special = [t.content for t in self._tokenizer.get_added_tokens_decoder().values() if t.special]
        return min((text for text in special if text in after), key=after.index, default=self._template.eos)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
