"""The server in a thread of its own, for tests that speak with it as its clients do."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai

from persona.chat.converting import Converter
from persona.chat.engine import Engine
from persona.config import ServerSettings
from persona.server import run

TOKEN = "a-long-enough-token"
HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


@dataclass(frozen=True)
class Served:
    """A server under test. stop: as a signal does it. thread: ends with the server."""

    engine: Engine
    port: int
    stop: Callable[[], None]
    thread: threading.Thread

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> openai.OpenAI:
        """The official client, which is to ask once."""
        options = {"api_key": TOKEN, "max_retries": 0, "timeout": 60, **options}
        return openai.OpenAI(base_url=f"{self.address}/v1", **options)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; status, headers and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {**HEADERS, **headers})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def streaming(self, **asked: Any) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A reply that has begun: its connection, and the answer after its first line."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps({"stream": True, **asked}), HEADERS)
        answer = connection.getresponse()
        assert answer.readline().startswith(b"data: ")
        return connection, answer

    def healthy(self) -> bool:
        """Whether it has its model."""
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False


@contextmanager
def serving(
    engine: Engine,
    name: str = "tiny",
    limits: ServerSettings | None = None,
    *,
    token: str = TOKEN,
    schema: Any = None,
    wait: bool = True,
) -> Iterator[Served]:
    """A server of `engine`, which it closes at the end. wait: until it is healthy."""
    bound = run.listen("127.0.0.1", 0)
    held: list[Any] = []
    thread = threading.Thread(
        target=run.serve,
        args=(engine, name, limits or ServerSettings()),
        kwargs={
            "bound": bound,
            "token": token,
            "converter": Converter(schema) if schema else None,
            "started": held.append,
        },
    )
    thread.start()

    def stop() -> None:
        held[0].should_exit = True

    served = Served(engine, bound.getsockname()[1], stop, thread)
    until = time.monotonic() + 60
    while wait and not served.healthy():
        assert time.monotonic() < until, "the server did not get healthy"
        time.sleep(0.02)
    try:
        yield served
    finally:
        stop()
        thread.join(30)
        assert not thread.is_alive(), "the server did not end"
