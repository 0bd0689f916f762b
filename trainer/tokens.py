"""Token ids of a model's own tokenizer, without its weights: from a GGUF's header or a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knowledge.records import Memory
from persona.backends.base import Prompt
from persona.backends.gguf_header import read_header
from persona.backends.template import ChatTemplate
from persona.backends.thinking import OPEN
from persona.backends.tokens import build_vocabulary, token_text
from persona.chat.layout import memory_lines
from persona.errors import ModelError
from trainer.models import folder_chat, folder_template


class PromptTokens:
    """Renders and counts as the run time does.

    Raises ModelError for a model without template or with a tokenizer of another kind.
    """

    def __init__(self, model: Path) -> None:
        self.memory_tokens: int | None = None
        self.window: int | None = None
        self.parameters = 0
        self.vocabulary = 0
        if model.is_dir():
            source = folder_template(model)
            self._encode, self.template, self.vocabulary = _of_folder(model)
        else:
            header = read_header(model)
            vocabulary = build_vocabulary(header)
            source = header.text("tokenizer.chat_template")
            if vocabulary is None or not source:
                raise ModelError(
                    f"{model.name} is of a kind that cannot be trained from its GGUF",
                    "give the folder of the model in Hugging Face form",
                )
            self.template = ChatTemplate(
                source,
                bos=token_text(header, "tokenizer.ggml.bos_token_id"),
                eos=token_text(header, "tokenizer.ggml.eos_token_id"),
            )
            self._encode = lambda text, template: vocabulary.encode(text, template=template)
            self.memory_tokens = header.number("persona.memory_tokens")
            self.window = header.number("persona.trained_context")
            self.parameters = header.parameters
            self.vocabulary = len(header.values["tokenizer.ggml.tokens"])
        self.thinks = OPEN in source
        """Whether the template knows of thinking."""

    def prompt(self, prompt: Prompt) -> list[int]:
        """Ids of the rendered prompt, up to where the reply begins."""
        ids: list[int] = self._encode(self.template.prompt(prompt.messages, prompt.thinking), True)
        return ids

    def text(self, text: str) -> int:
        """Tokens of plain text."""
        return len(self._encode(text, False))

    def memories(self, memories: Sequence[Memory]) -> int:
        """Tokens of memories as the prompt shows them, their fence included."""
        if not memories:
            return 0
        return self.text("\n".join(("<memories>", *memory_lines(memories), "</memories>\n")))


def _of_folder(folder: Path) -> tuple[Any, ChatTemplate, int]:
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelError(f"{folder} holds no tokenizer.json", "give the whole folder of the model")
    tokenizer = Tokenizer.from_file(str(file))
    return (
        lambda text, template: tokenizer.encode(text, add_special_tokens=False).ids,
        folder_chat(folder),
        tokenizer.get_vocab_size(),
    )
