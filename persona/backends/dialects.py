"""What servers of OpenAI's dialect tell beside it, each in its own way: how large the window is, and how
many tokens a text or a prompt has."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from persona.backends.openai_wire import Wire
from persona.errors import ModelError

_CHARACTERS_A_TOKEN = 3
_CONTEXT = 8192
_OLLAMAS_CONTEXT = 4096
"""What Ollama opens a model with where nothing else is set; what is longer it cuts off unsaid."""


class Dialect(Protocol):
    """window: tokens of the context."""

    window: int

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text. Raises ModelError, KeyError and others where the server does not tell."""
        ...

    def count_prompt(self, body: dict[str, Any]) -> int:
        """Tokens of a rendered prompt. body: as for a reply. Raises as above."""
        ...


class VLLM:
    """vLLM, SGLang, `persona serve`: `/tokenize` with `count`, `max_model_len`."""

    def __init__(self, wire: Wire, row: dict[str, Any]) -> None:
        self._wire = wire
        self._model = row["id"]
        self.window = int(row.get("max_model_len") or _CONTEXT)

    def count_tokens(self, text: str) -> int:
        """As the protocol has it."""
        return self._count({"prompt": text, "add_special_tokens": False})

    def count_prompt(self, body: dict[str, Any]) -> int:
        """As the protocol has it."""
        return self._count(body)

    def _count(self, body: dict[str, Any]) -> int:
        told = self._wire.look("POST", "/tokenize", {"model": self._model, **body}, root=True)
        return int(told["count"])


class LlamaServer:
    """llama.cpp's llama-server: `/tokenize` with `content` and `tokens`, `/apply-template`, `/props`."""

    def __init__(self, wire: Wire, row: dict[str, Any]) -> None:
        self._wire = wire
        told = (row.get("meta") or {}).get("n_ctx")
        if not told:
            with suppress(ModelError, KeyError, TypeError):
                told = wire.look("GET", "/props", root=True)["default_generation_settings"]["n_ctx"]
        self.window = int(told or _CONTEXT)

    def count_tokens(self, text: str) -> int:
        """As the protocol has it."""
        return self._count(text, template=False)

    def count_prompt(self, body: dict[str, Any]) -> int:
        """As the protocol has it."""
        prompt = self._wire.look("POST", "/apply-template", body, root=True)["prompt"]
        return self._count(prompt, template=True)

    def _count(self, text: str, *, template: bool) -> int:
        body = {"content": text, "add_special": template, "parse_special": template}
        tokens: Sequence[int] = self._wire.look("POST", "/tokenize", body, root=True)["tokens"]
        return len(tokens)


class Ollama:
    """Ollama: the window by `/api/show`; it counts for nobody."""

    def __init__(self, wire: Wire, row: dict[str, Any]) -> None:
        self.window = _OLLAMAS_CONTEXT
        with suppress(ModelError):
            told = wire.look("POST", "/api/show", {"model": row["id"]}, root=True).get("parameters")
            if found := re.search(r"^num_ctx\s+(\d+)", str(told), re.MULTILINE):
                self.window = int(found[1])

    def count_tokens(self, text: str) -> int:
        """Never known."""
        raise ModelError("Ollama counts no tokens", "an estimate will do")

    def count_prompt(self, body: dict[str, Any]) -> int:
        """Never known."""
        return self.count_tokens("")


class Counter:
    """Token counts by a dialect; an estimate, from the first time that it does not tell."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.exact = True

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text."""
        if self.exact:
            try:
                return self._dialect.count_tokens(text)
            except (ModelError, KeyError, ValueError, TypeError):
                self.exact = False
        return -(-len(text) // _CHARACTERS_A_TOKEN)

    def count_prompt(self, body: dict[str, Any]) -> int:
        """Tokens of a rendered prompt."""
        if self.exact:
            try:
                return self._dialect.count_prompt(body)
            except (ModelError, KeyError, ValueError, TypeError):
                self.exact = False
        return self.count_tokens("".join(m["content"] + "|role||end|" for m in body["messages"]))


def dialect(wire: Wire, row: dict[str, Any]) -> Dialect:
    """How to ask the server that lists a model as `row`."""
    if row.get("owned_by") == "llamacpp":
        return LlamaServer(wire, row)
    if row.get("owned_by") == "library":
        return Ollama(wire, row)
    return VLLM(wire, row)
