"""The OpenAI dialect: what requests may say, and how replies are written.

After https://platform.openai.com/docs/api-reference/chat; `reasoning_content`, `chat_template_kwargs`,
`top_k`, `min_p` and `ignore_eos` as vLLM and SGLang have them.
"""

import json
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from persona.backends.base import ChatMessage, Reason, Role, Usage
from persona.chat.events import SamplingChanges

_MOST_SEED = 2**32 - 1


class Part(BaseModel):
    """A piece of a message; only text is taken."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """`include_usage`: end the stream with a chunk of figures."""

    include_usage: bool = False


class NamedSchema(BaseModel):
    """A JSON schema with its name."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = ""
    body: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(BaseModel):
    """Text, any JSON object, or JSON under a schema."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: NamedSchema | None = None

    @property
    def schema_text(self) -> str:
        """The schema as JSON text, "" for plain text."""
        if self.type == "text":
            return ""
        held = self.json_schema.body if self.type == "json_schema" and self.json_schema else {}
        return json.dumps(held or {"type": "object"})


class TemplateOptions(BaseModel):
    """`enable_thinking`: let the model think first; None as the settings say."""

    enable_thinking: bool | None = None


class ChatRequest(BaseModel):
    """`POST /v1/chat/completions`. What is not named here is ignored."""

    model: str = ""
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=0, le=_MOST_SEED)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    response_format: ResponseFormat | None = None
    chat_template_kwargs: TemplateOptions | None = None
    ignore_eos: bool = False

    @property
    def limit(self) -> int | None:
        """Most tokens of the reply."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def thinking(self) -> bool | None:
        """Whether the model may think first; None as the settings say."""
        return self.chat_template_kwargs.enable_thinking if self.chat_template_kwargs else None

    @property
    def sampling(self) -> SamplingChanges:
        """What it asks for in place of the model's own sampling."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        changes = SamplingChanges(
            stop=tuple(stop for stop in stops if stop),
            schema=self.response_format.schema_text if self.response_format else "",
        )
        if self.temperature is not None:
            changes["temperature"] = self.temperature
        if self.top_p is not None:
            changes["top_p"] = self.top_p
        if self.top_k is not None:
            changes["top_k"] = self.top_k
        if self.min_p is not None:
            changes["min_p"] = self.min_p
        if self.presence_penalty is not None:
            changes["presence_penalty"] = self.presence_penalty
        return changes

    @property
    def instructions(self) -> str:
        """The system messages, joined."""
        return "\n\n".join(m.text for m in self.messages if m.role in ("system", "developer"))

    def spoken(self) -> list[ChatMessage]:
        """The other messages, turn about: what one side said in a row is one message."""
        turns: list[ChatMessage] = []
        for message in self.messages:
            role: Role = "assistant" if message.role == "assistant" else "user"
            if message.role in ("system", "developer") or not message.text.strip():
                continue
            if turns and turns[-1].role == role:
                turns[-1] = ChatMessage(role, f"{turns[-1].content}\n\n{message.text}")
            else:
                turns.append(ChatMessage(role, message.text))
        return turns


class TokenizeRequest(BaseModel):
    """`POST /tokenize`, as vLLM has it: plain text, or messages through the chat template."""

    model: str = ""
    prompt: str | None = None
    messages: list[Message] | None = None
    add_generation_prompt: bool = True
    chat_template_kwargs: TemplateOptions | None = None


class TokenCount(BaseModel):
    """How many tokens; max_model_len: the context window."""

    count: int
    max_model_len: int


class ConvertRequest(BaseModel):
    """`POST /api/convert`: the text to be put into the server's schema."""

    text: str = Field(min_length=1)


class Converted(BaseModel):
    """success: structured_data holds under the schema. error: why not."""

    success: bool
    structured_data: Any = None
    error: str | None = None


class ReplyWriter:
    """Writes one reply as chunks, or whole."""

    def __init__(self, reply_id: str, model: str) -> None:
        self._head = {"id": f"chatcmpl-{reply_id}", "created": int(time.time()), "model": model}

    def chunk(self, delta: dict[str, str], reason: Reason | None = None) -> dict[str, Any]:
        """One piece."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": _finish(reason)}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def figures(self, usage: Usage | None) -> dict[str, Any]:
        """The last piece of a stream that was asked for figures."""
        return {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [],
            "usage": usage_row(usage),
        }

    def whole(self, text: str, thinking: str, reason: Reason, usage: Usage | None) -> dict[str, Any]:
        """The reply in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if thinking:
            message["reasoning_content"] = thinking
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reason)}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage_row(usage)}


def usage_row(usage: Usage | None) -> dict[str, Any]:
    """Figures of a reply; beside OpenAI's: `stable_tokens`, `ttft_ms`, `tokens_per_second`."""
    used = usage or Usage(0, 0, 0, 0.0, 0.0)
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
        "stable_tokens": used.stable_tokens,
        "ttft_ms": round(used.ttft_ms, 1),
        "tokens_per_second": round(used.tokens_per_second, 1),
    }


def error_row(status: int, message: str, hint: str = "") -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    said = f"{message} ({hint})" if hint else message
    return {"error": {"message": said, "type": kind, "param": None, "code": status}}


def models_row(names: Sequence[str], context: int | None) -> dict[str, Any]:
    """The list of models; max_model_len as vLLM has it."""
    rows = [
        {"id": name, "object": "model", "created": 0, "owned_by": "persona", "max_model_len": context}
        for name in names
    ]
    return {"object": "list", "data": rows}


def _finish(reason: Reason | None) -> str | None:
    # a reply that was stopped by a limit of time is as incomplete as one stopped by its length
    return "length" if reason == "cancelled" else reason
