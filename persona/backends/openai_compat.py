"""A model behind an OpenAI-compatible server: vLLM, SGLang, llama-server, `persona serve` and others.

Named by its address, with the model (or the adapter, as vLLM's multi-LoRA has it) after `#`:
`http://127.0.0.1:8000/v1#qwen3-4b`. Only this machine's own addresses are taken: what a prompt holds must
not leave it. Tokens are counted by the server's `/tokenize`, by an estimate where it has none.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

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
from persona.backends.sampling import family, recommended
from persona.errors import ModelError

KEY = "PERSONA_REMOTE_KEY"
"""The environment variable with the key that the server wants, if any."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CHARACTERS_A_TOKEN = 3
_CONTEXT = 8192
_BUSY = (429, 502, 503)
_PAUSE, _LONGEST_PAUSE = 0.3, 5.0
"""Seconds before the second try, and the most that a server's `Retry-After` is followed."""
_TRIES = 3
_TIMEOUT = httpx.Timeout(30, read=300)


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
        self._base = address.rstrip("/")
        key = os.environ.get(KEY, "")
        self._client = httpx.Client(
            timeout=_TIMEOUT, trust_env=False, headers={"Authorization": f"Bearer {key}"} if key else None
        )
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._counts = True
        listed = self._json("GET", "/models")["data"]
        row = next((row for row in listed if row["id"] == model), None) if model else next(iter(listed), None)
        if row is None:
            here = ", ".join(row["id"] for row in listed)
            raise ModelError(f"{self._base} has no model {model!r}", f"it has: {here or 'none'}")
        name, context = str(row["id"]), int(row.get("max_model_len") or _CONTEXT)
        kind = "qwen3" if "qwen3" in name.lower() else ""
        self._info = ModelInfo(name, kind, 0, context, path=self._base)

    @property
    def info(self) -> ModelInfo:
        """The model held; its size is not told."""
        return self._info

    def default_sampling(self, thinking: bool) -> Sampling:
        """The sampling recommended for models of this name."""
        return recommended(family(self._info.architecture, is_starter=False), thinking=thinking)

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text."""
        return self._count({"prompt": text, "add_special_tokens": False}, text) if text else 0

    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt."""
        asks = bool(prompt.messages) and prompt.messages[-1].role == "user"
        body = {"messages": _rows(prompt.messages), "add_generation_prompt": asks, **_thinks(prompt)}
        return self._count(body, "".join(m.content + "|role||end|" for m in prompt.messages))

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """Nothing: the server keeps what it has read, and reads ahead for nobody."""
        return 0

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """Generate. Closing the iterator closes the connection, which ends the generation there."""
        started = time.perf_counter()
        reason: Reason = "cancelled"
        usage: dict[str, Any] = {}
        ttft, pieces = 0.0, 0
        mine = self._take(cancel)
        try:
            for row in self._rows_of(self._body(prompt, sampling), cancel) if mine else ():
                usage = row.get("usage") or usage
                for choice in row.get("choices", ()):
                    delta = choice.get("delta") or {}
                    for event in _deltas(delta):
                        ttft = ttft or (time.perf_counter() - started) * 1000
                        pieces += 1
                        yield event
                    if choice.get("finish_reason"):
                        reason = "length" if choice["finish_reason"] == "length" else "stop"
        finally:
            if mine:
                self._lock.release()
        took = time.perf_counter() - started - ttft / 1000
        # a server that was cut off does not tell its figures
        said = int(usage.get("completion_tokens", pieces))
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        prompt_tokens = int(usage.get("prompt_tokens") or 0)
        speed = (said - 1) / took if said > 1 and took > 0 else 0.0
        yield Usage(prompt_tokens, cached, said, ttft, speed, self._stable_tokens(prompt, prompt_tokens))
        yield Done(reason)

    def close(self) -> None:
        """Close the connections; a running stream ends."""
        self._closing.set()
        self._client.close()

    def _stable_tokens(self, prompt: Prompt, most: int) -> int:
        if not (prompt.stable and most and self._counts):
            return 0
        return min(most, self.count_prompt(Prompt(prompt.messages[: prompt.stable], prompt.thinking)))

    def _take(self, cancel: threading.Event) -> bool:
        while not self._lock.acquire(timeout=0.05):
            if cancel.is_set() or self._closing.is_set():
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

    def _rows_of(self, body: dict[str, Any], cancel: threading.Event) -> Iterator[dict[str, Any]]:
        """What the server says, until it ends or `cancel` is set; while it is too busy it is asked again."""
        for tried in range(1, _TRIES + 1):
            try:
                yield from self._said_to(body, cancel)
                return
            except _BusyError as busy:
                if tried == _TRIES:
                    raise
                cancel.wait(busy.seconds or _PAUSE * tried)

    def _said_to(self, body: dict[str, Any], cancel: threading.Event) -> Iterator[dict[str, Any]]:
        if cancel.is_set() or self._closing.is_set():
            return
        try:
            with self._client.stream("POST", self._base + "/chat/completions", json=body) as answer:
                # a reader that waits for a line does not see `cancel`: closing the connection wakes it
                watcher = _Closer(answer, cancel, self._closing)
                try:
                    if answer.is_error:
                        answer.read()
                        raise _said(answer)
                    for line in answer.iter_lines():
                        if cancel.is_set() or line == "data: [DONE]":
                            return
                        if line.startswith("data: "):
                            row = json.loads(line[6:])
                            if "error" in row:
                                raise ModelError(str(row["error"].get("message")), "see the server's log")
                            yield row
                finally:
                    watcher.done.set()
        except (httpx.HTTPError, httpx.StreamError, RuntimeError, OSError) as error:
            if not (cancel.is_set() or self._closing.is_set()):
                raise self._lost(error) from None

    def _count(self, body: dict[str, Any], text: str) -> int:
        if self._counts:
            address = self._base.removesuffix("/v1")
            try:
                told = self._json("POST", "/tokenize", {"model": self._info.name, **body}, address)
                return int(told["count"])
            except (ModelError, KeyError, ValueError, TypeError):
                self._counts = False
        return -(-len(text) // _CHARACTERS_A_TOKEN)

    def _json(self, method: str, path: str, body: Any = None, base: str | None = None) -> dict[str, Any]:
        """One small answer, asked for again when the connection fails or the server is busy."""
        for left in reversed(range(_TRIES)):
            try:
                answer = self._client.request(method, (base or self._base) + path, json=body)
            except (httpx.HTTPError, RuntimeError) as error:
                if not left or self._closing.is_set():
                    raise self._lost(error) from None
            else:
                if answer.status_code not in _BUSY or not left:
                    break
            time.sleep(_PAUSE * (_TRIES - left))
        if answer.is_error:
            raise _said(answer)
        read: dict[str, Any] = answer.json()
        return read

    def _lost(self, error: Exception) -> ModelError:
        if self._closing.is_set():
            return ModelError("the model was closed", "open it again")
        return ModelError(f"{self._base} does not answer ({type(error).__name__})", "is the server running?")


class _BusyError(ModelError):
    """The server takes no more for now. seconds: to wait, as it asks for; 0 where it does not."""

    seconds: float = 0


class _Closer(threading.Thread):
    """Closes an answer when asked to stop, until it is `done`."""

    def __init__(self, answer: httpx.Response, *asked: threading.Event) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self._answer = answer
        self._asked = asked
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.05):
            if any(event.is_set() for event in self._asked):
                with suppress(Exception):
                    self._answer.close()
                return


def _rows(messages: tuple[ChatMessage, ...]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _thinks(prompt: Prompt) -> dict[str, Any]:
    return {"chat_template_kwargs": {"enable_thinking": prompt.thinking}}


def _deltas(delta: dict[str, Any]) -> Iterator[ThinkingDelta | TextDelta]:
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    if thought:
        yield ThinkingDelta(thought)
    if delta.get("content"):
        yield TextDelta(delta["content"])


def _said(answer: httpx.Response) -> ModelError:
    try:
        said = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = "no reason given"
    message = f"the server refused with {answer.status_code}: {said}"
    if answer.status_code not in _BUSY:
        return ModelError(message, "see the server's log")
    busy = _BusyError(message, "it is busy: try again in a moment")
    with suppress(ValueError):
        busy.seconds = min(_LONGEST_PAUSE, float(answer.headers.get("retry-after", 0)))
    return busy
