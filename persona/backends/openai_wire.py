"""What is said to an OpenAI-compatible server, and what it says: tries, time-outs, rows of a stream.

Whatever a server does wrong ends in a ModelError that says what.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx

from persona.errors import ModelError

_BUSY = (429, 502, 503)
_PAUSE, _LONGEST_PAUSE = 0.3, 5.0
"""Seconds before the second try, and the most that a server's `Retry-After` is followed."""
_TRIES = 3
_LOOK = httpx.Timeout(10)
"""For what a server knows at once."""
_REPLY = httpx.Timeout(10, read=300)
"""For a reply, whose first word may wait for a long prompt."""


class Wire:
    """A server at `base`, the address up to `/v1`. key: what it wants as API key, "" for nothing."""

    def __init__(self, base: str, key: str) -> None:
        self.base = base
        self.closing = threading.Event()
        self._client = httpx.Client(
            timeout=_LOOK, trust_env=False, headers={"Authorization": f"Bearer {key}"} if key else None
        )

    def close(self) -> None:
        """Close the connections; running streams end."""
        self.closing.set()
        self._client.close()

    def look(self, method: str, path: str, body: Any = None, *, root: bool = False) -> dict[str, Any]:
        """One small answer. root: `path` is beside `/v1`, not below it. Raises ModelError."""
        tried = 0
        while True:
            try:
                return self._look(method, (self.base.removesuffix("/v1") if root else self.base) + path, body)
            except _AgainError as error:
                tried += 1
                self._pause(tried, error, self.closing)

    def rows(self, path: str, body: Any, cancel: threading.Event) -> Iterator[dict[str, Any]]:
        """The rows of a stream, until it ends or `cancel` is set. Raises ModelError."""
        tried, begun = 0, False
        while True:
            try:
                for row in self._stream(path, body, cancel):
                    begun = True
                    yield row
                return
            except _AgainError as error:
                tried = _TRIES if begun else tried + 1
                self._pause(tried, error, cancel)

    def _pause(self, tried: int, error: "_AgainError", cancel: threading.Event) -> None:
        """Wait for the next try, longer each time; raises `error` where there is none."""
        if tried >= _TRIES or self.closing.is_set():
            raise error
        cancel.wait(error.seconds or _PAUSE * 2 ** (tried - 1))

    def _look(self, method: str, address: str, body: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, address, json=body)
        except (httpx.HTTPError, RuntimeError) as error:
            raise self._lost(error) from None
        if answer.is_error:
            raise _refusal(answer)
        return _read(answer.text)

    def _stream(self, path: str, body: Any, cancel: threading.Event) -> Iterator[dict[str, Any]]:
        if cancel.is_set() or self.closing.is_set():
            return
        try:
            with self._client.stream("POST", self.base + path, json=body, timeout=_REPLY) as answer:
                # a reader that waits for a line does not see `cancel`: closing the connection wakes it
                watcher = _Closer(answer, cancel, self.closing)
                try:
                    if answer.is_error:
                        answer.read()
                        raise _refusal(answer)
                    for line in answer.iter_lines():
                        said = line.removeprefix("data:").strip()
                        if cancel.is_set() or said == "[DONE]":
                            return
                        if line.startswith("data:") and said:
                            yield _read(said)
                finally:
                    watcher.done.set()
        except (httpx.HTTPError, httpx.StreamError, RuntimeError, OSError) as error:
            if not (cancel.is_set() or self.closing.is_set()):
                raise self._lost(error) from None

    def _lost(self, error: Exception) -> ModelError:
        if self.closing.is_set():
            return ModelError("the model was closed", "open it again")
        kind = (
            _AgainError if isinstance(error, httpx.ConnectError | httpx.RemoteProtocolError) else ModelError
        )
        return kind(f"{self.base} does not answer ({type(error).__name__})", "is the server running?")


class _AgainError(ModelError):
    """The server takes no more for now, or was not reached. seconds: to wait, as it asks for, or 0."""

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


def _read(text: str) -> dict[str, Any]:
    """A JSON object. Raises ModelError for anything else, and for one that tells of an error."""
    try:
        row = json.loads(text)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise ModelError("the server said something that is no JSON object", "is it OpenAI-compatible?")
    if row.get("error"):
        raise ModelError(f"the server failed: {_reason(row)}", "see the server's log")
    return row


def _reason(said: Any) -> str:
    """Why, in the words of an error: `{"error": {"message": …}}`, `{"error": "…"}`, `{"message": "…"}`."""
    while isinstance(said, dict):
        said = said.get("error") or said.get("message") or said.get("detail")
    return str(said) if said else "no reason given"


def _refusal(answer: httpx.Response) -> ModelError:
    try:
        said = _reason(answer.json())
    except ValueError:
        said = "no reason given"
    message = f"the server refused with {answer.status_code}: {said}"
    if answer.status_code not in _BUSY:
        return ModelError(message, "see the server's log")
    busy = _AgainError(message, "it is busy: try again in a moment")
    with suppress(ValueError):
        busy.seconds = min(_LONGEST_PAUSE, float(answer.headers.get("retry-after", 0)))
    return busy
