"""A model behind an OpenAI-compatible server: vLLM, SGLang, llama-server, `persona serve` and others.

Named by its address, with the model (or the adapter, as vLLM's multi-LoRA has it) after `#`:
`http://127.0.0.1:8000/v1#qwen3-4b`. Only this machine's own addresses are taken: what a prompt holds must
not leave it. Tokens are counted by the server where it can (`dialects.py`), by an estimate elsewhere.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from persona.backends.base import (
    ChatMessage,
    Done,
    Event,
    ModelInfo,
    Prompt,
    Reason,
    Sampling,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from persona.backends.dialects import Counter, dialect
from persona.backends.openai_wire import Wire
from persona.backends.sampling import family, recommended
from persona.errors import ModelError

KEY = "PERSONA_REMOTE_KEY"
"""The environment variable with the key that the server wants, if any."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OpenAICompatBackend:
    """A server's model; keeps the `Backend` contract, but for `prefill`, which such servers do not offer.

    Raises ModelError when the address is not this machine's, or nothing answers there.
    """

    def __init__(self, name: str) -> None:
        address, _, model = name.partition("#")
        if urlsplit(address).hostname not in _LOOPBACK:
            raise ModelError(
                f"{urlsplit(address).hostname} is another machine, and prompts hold your messages",
                "forward its port to this one: ssh -L 8000:127.0.0.1:8000 HOST",
            )
        self._wire = Wire(address.rstrip("/"), os.environ.get(KEY, ""))
        self._lock = threading.Lock()
        row = self._listed(model)
        told = dialect(self._wire, row)
        self._counter = Counter(told)
        name = row["id"]
        # an adapter is listed with the model it lies over
        kind = "qwen3" if "qwen3" in f"{name} {row.get('parent')}".lower() else ""
        self._info = ModelInfo(name, kind, 0, told.window, path=self._wire.base)

    @property
    def info(self) -> ModelInfo:
        """The model held; its size is not told."""
        return self._info

    def default_sampling(self, thinking: bool) -> Sampling:
        """The sampling recommended for models of this name."""
        return recommended(family(self._info.architecture, is_starter=False), thinking=thinking)

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text."""
        return self._counter.count_tokens(text) if text else 0

    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt."""
        asks = bool(prompt.messages) and prompt.messages[-1].role == "user"
        body = {"messages": _rows(prompt.messages), "add_generation_prompt": asks, **_thinks(prompt)}
        return self._counter.count_prompt(body)

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """Nothing: the server keeps what it has read, and reads ahead for nobody."""
        return 0

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """Generate. Closing the iterator closes the connection, which ends the generation there."""
        started = time.perf_counter()
        reason: Reason | None = None
        usage: dict[str, Any] = {}
        ttft, pieces = 0.0, 0
        mine = self._take(cancel)
        try:
            body = self._body(prompt, sampling)
            for row in self._wire.rows("/chat/completions", body, cancel) if mine else ():
                usage = row.get("usage") or usage
                for choice in _choices(row):
                    for event in _deltas(choice.get("delta") or {}):
                        ttft = ttft or (time.perf_counter() - started) * 1000
                        pieces += 1
                        yield event
                    if choice.get("finish_reason"):
                        reason = "length" if choice["finish_reason"] == "length" else "stop"
        finally:
            if mine:
                self._lock.release()
        if reason is None and mine and not (cancel.is_set() or self._wire.closing.is_set()):
            raise ModelError("the server broke its reply off", "see the server's log")
        took = time.perf_counter() - started - ttft / 1000
        # a server that was cut off does not tell its figures
        said = int(usage.get("completion_tokens", pieces))
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        prompt_tokens = int(usage.get("prompt_tokens") or 0)
        speed = (said - 1) / took if said > 1 and took > 0 else 0.0
        yield Usage(prompt_tokens, cached, said, ttft, speed, self._stable_tokens(prompt, prompt_tokens))
        yield Done(reason or "cancelled")

    def close(self) -> None:
        """Close the connections; a running stream ends."""
        self._wire.close()

    def _listed(self, model: str) -> dict[str, Any]:
        """The row of `model`, or the first, in the server's list. Raises ModelError."""
        listed = self._wire.look("GET", "/models").get("data")
        rows = [row for row in listed or () if isinstance(row, dict) and isinstance(row.get("id"), str)]
        found = next((row for row in rows if row["id"] == model or not model), None)
        if found is None:
            self._wire.close()
            here = ", ".join(row["id"] for row in rows)
            raise ModelError(f"{self._wire.base} has no model {model!r}", f"it has: {here or 'none'}")
        return found

    def _stable_tokens(self, prompt: Prompt, most: int) -> int:
        if not (prompt.stable and most and self._counter.exact):
            return 0
        return min(most, self.count_prompt(Prompt(prompt.messages[: prompt.stable], prompt.thinking)))

    def _take(self, cancel: threading.Event) -> bool:
        while not self._lock.acquire(timeout=0.05):
            if cancel.is_set() or self._wire.closing.is_set():
                return False
        return True

    def _body(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._info.name,
            "messages": _rows(prompt.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "presence_penalty": sampling.presence_penalty,
            "ignore_eos": sampling.ignore_eos,
            **_thinks(prompt),
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.schema:
            schema = {"name": "reply", "schema": json.loads(sampling.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


def _rows(messages: tuple[ChatMessage, ...]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _thinks(prompt: Prompt) -> dict[str, Any]:
    return {"chat_template_kwargs": {"enable_thinking": prompt.thinking}}


def _choices(row: dict[str, Any]) -> list[dict[str, Any]]:
    told = row.get("choices")
    return [choice for choice in told if isinstance(choice, dict)] if isinstance(told, list) else []


def _deltas(delta: dict[str, Any]) -> Iterator[ThinkingDelta | TextDelta]:
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    if thought:
        yield ThinkingDelta(thought)
    if delta.get("content"):
        yield TextDelta(delta["content"])
