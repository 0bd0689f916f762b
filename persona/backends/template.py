"""Renders a model's own chat template, as transformers does, in a sandbox.

Also knows where a conversation's history ends in the rendered text: templates treat the last reply
differently from earlier ones (Qwen3 puts an empty think block before it), so the history is rendered
as the next turn will see it, under a stand-in for the next user message, and cut there.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from persona.backends.base import ChatMessage
from persona.errors import ModelError

_NEXT_MESSAGE = "next-user-message"


class ChatTemplate:
    """A compiled template. bos, eos: the texts of these tokens, which some templates write."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
        try:
            self._template: Template = environment.from_string(source)
        except TemplateError as error:
            raise ModelError(
                f"the model's chat template cannot be read: {error}", "choose another GGUF of this model"
            ) from None
        self.eos = eos
        self._tokens = {"bos_token": bos, "eos_token": eos}

    def prompt(self, messages: Sequence[ChatMessage], thinking: bool) -> str:
        """The text a model continues with its reply. Raises ModelError when the template refuses."""
        return self._render(messages, thinking, generate=True)

    def history(self, messages: Sequence[ChatMessage], thinking: bool) -> str:
        """The text of `messages` as every later turn's prompt begins with it.

        A trailing user message stays open: it is rendered as it is, without a reply begun.
        """
        if not messages:
            return ""
        if messages[-1].role == "user":
            return self._render(messages, thinking, generate=False)
        stand_in = ChatMessage("user", _NEXT_MESSAGE)
        text = self._render([*messages, stand_in], thinking, generate=False)
        return text[: text.rindex(_NEXT_MESSAGE)]

    def _render(self, messages: Sequence[ChatMessage], thinking: bool, *, generate: bool) -> str:
        try:
            return self._template.render(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                add_generation_prompt=generate,
                enable_thinking=thinking,
                **self._tokens,
            )
        except TemplateError as error:
            raise ModelError(
                f"the model's chat template refused this conversation: {error}",
                "choose a chat model whose template takes system, user and assistant messages",
            ) from None


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)
