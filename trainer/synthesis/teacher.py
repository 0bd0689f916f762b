"""Models that write rows: one on this machine, or one behind any OpenAI-compatible API.

OpenRouter https://openrouter.ai/api/v1, Groq https://api.groq.com/openai/v1,
Gemini https://generativelanguage.googleapis.com/v1beta/openai, `persona serve` http://127.0.0.1:8008/v1.
"""

import json
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from persona.backends.base import ChatMessage, Prompt, TextDelta, Usage
from persona.errors import PersonaError

KEY = "PERSONA_TEACHER_KEY"
"""The environment variable (or line of `.env`) with the API's key; there is no other way to give it."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TRIES = 6
_LONGEST_WAIT = 60.0
_LONGEST = 2048
_TIMEOUT = httpx.Timeout(30, read=300)
_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class TeacherError(PersonaError):
    """A teacher cannot be reached, refuses, or may not be asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """text: what it wrote. cost: dollars as the API tells them, None where it does not."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    cost: float | None = None


class Teacher(Protocol):
    """Writes JSON under a schema, as well as it can."""

    name: str

    def ask(self, task: str, text: str, schema: str) -> Answer:
        """One answer. task: what to do; text: what with; schema: a JSON schema as JSON text.

        Raises TeacherError when there is none to be had.
        """
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


def host_of(server: str) -> str:
    """The host of a server's address, "" for this machine's own. Raises TeacherError for a wrong address."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise TeacherError(f"{server} is no address of a server", "such as https://openrouter.ai/api/v1")
    if parts.hostname in _LOOPBACK:
        return ""
    if parts.scheme != "https":
        raise TeacherError(f"{parts.hostname} would be sent your texts unencrypted", "give its https address")
    return parts.hostname


class LocalTeacher:
    """A GGUF under the run time's own backend; nothing leaves the machine."""

    def __init__(self, model: Path) -> None:
        from persona.backends.llama_cpp import LlamaCppBackend
        from persona.config import ModelSettings

        self.name = model.stem
        self._backend = LlamaCppBackend(model, ModelSettings(name=str(model)))

    def ask(self, task: str, text: str, schema: str) -> Answer:
        """One answer, held to the schema."""
        prompt = Prompt((ChatMessage("system", f"{task}\n{schema}"), ChatMessage("user", text)))
        sampling = replace(self._backend.default_sampling(False), max_tokens=_LONGEST, schema=schema)
        said, used = "", None
        for event in self._backend.stream(prompt, sampling, threading.Event()):
            if isinstance(event, TextDelta):
                said += event.text
            elif isinstance(event, Usage):
                used = event
        return Answer(said, used.prompt_tokens if used else 0, used.completion_tokens if used else 0, 0.0)

    def close(self) -> None:
        """Unload the model."""
        self._backend.close()


class ServerTeacher:
    """A model behind an OpenAI-compatible API. sleep: waits between tries, in seconds.

    Raises TeacherError for an address that cannot be one.
    """

    def __init__(self, server: str, model: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        local = not host_of(server)
        self.name = model
        self._url = f"{server.rstrip('/')}/chat/completions"
        key = os.environ.get(KEY, "")
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            trust_env=not local,
            headers={"Authorization": f"Bearer {key}"} if key else None,
        )
        self._sleep = sleep
        self._takes_schema = True

    def ask(self, task: str, text: str, schema: str) -> Answer:
        """One answer; the server is asked to keep to the schema where it can."""
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [
                {"role": "system", "content": f"{task}\n{schema}"},
                {"role": "user", "content": text},
            ],
            "max_tokens": _LONGEST,
        }
        form = {"type": "json_schema", "json_schema": {"name": "rows", "schema": json.loads(schema)}}
        if self._takes_schema:
            reply = self._post({**body, "response_format": form})
            # not every API of this kind knows schemas; the prompt has it in words as well
            if reply.status_code not in (400, 404, 422):
                return _read(reply)
            self._takes_schema = False
        return _read(self._post(body))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        wait, why = 1.0, ""
        for attempt in range(1, _TRIES + 1):
            try:
                reply = self._client.post(self._url, json=body)
            except httpx.TransportError as error:
                why, asked = type(error).__name__, None
            else:
                if reply.status_code not in _BUSY:
                    return reply
                why, asked = f"status {reply.status_code}", reply.headers.get("Retry-After")
            if attempt < _TRIES:
                told = _seconds(asked)
                own = wait * random.uniform(0.75, 1.25)
                self._sleep(min(_LONGEST_WAIT, own if told is None else told))
                wait *= 2
        raise TeacherError(
            f"{urlsplit(self._url).hostname} did not answer in {_TRIES} tries ({why})",
            "run the same command later: what it wrote so far is kept",
        )


def _read(reply: httpx.Response) -> Answer:
    """What a server answered; its own words are not repeated, for they may quote what was sent."""
    host = reply.url.host
    if reply.status_code in (401, 403):
        raise TeacherError(f"{host} does not take the key", f"set {KEY} in the environment or in `.env`")
    if reply.status_code != 200:
        raise TeacherError(
            f"{host} refuses (status {reply.status_code})", "look at the model's name and limits"
        )
    try:
        data = reply.json()
        said = data["choices"][0]["message"]["content"] or ""
        usage = data.get("usage") or {}
        cost = usage.get("cost")
        return Answer(
            str(said),
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            float(cost) if cost is not None else None,
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        raise TeacherError(
            f"{host} answered nothing that can be read", "is it an OpenAI-compatible API?"
        ) from None


def _seconds(value: str | None) -> float | None:
    """`Retry-After` in seconds; None where it is a date or missing."""
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
