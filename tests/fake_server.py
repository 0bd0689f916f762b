"""A server of OpenAI's dialect that says what a test has it say, and notes what it is asked."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One answer. document: its JSON; text: in place of it. silent: seconds before anything is said."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    silent: float = 0
    hangs_up: bool = False


def events(*rows: Any) -> Answer:
    """A stream of `rows`; those that are text go as they are."""
    lines = [row if isinstance(row, str) else f"data: {json.dumps(row)}" for row in rows]
    return Answer(text="".join(f"{line}\n\n" for line in lines))


def delta(**said: str) -> dict[str, Any]:
    """A row of a stream."""
    return {"choices": [{"delta": said, "finish_reason": None}]}


END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


@dataclass
class Fake:
    """answers: by path, used up one by one but for the last. asked: path and body of each request."""

    port: int
    answers: dict[str, list[Answer]]
    asked: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Up to `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def times(self, path: str) -> int:
        """How often `path` was asked."""
        return [asked for asked, _ in self.asked].count(path)


@contextmanager
def fake_server(*replies: Answer, **answers: Answer | list[Answer]) -> Iterator[Fake]:
    """A server of the models `m` and `m-mira`, an adapter.

    replies: to chats, used up one by one. answers: to other paths, with `__` for `/`.
    """
    said = {f"/{path.replace('__', '/')}": a if isinstance(a, list) else [a] for path, a in answers.items()}
    models = [{"id": "m"}, {"id": "m-mira", "parent": "m"}]
    said.setdefault("/v1/models", [Answer({"data": models})])
    said.setdefault("/v1/chat/completions", list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            fake.asked.append((self.path, json.loads(body) if body else None))
            left = said.get(self.path) or [Answer({"error": {"message": "no such path"}}, 404)]
            answer = left.pop(0) if len(left) > 1 else left[0]
            time.sleep(answer.silent)
            if answer.hangs_up:
                self.close_connection = True
                return
            text = (answer.text or json.dumps(answer.document)).encode()
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(text)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = Fake(server.server_port, said)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield fake
        server.shutdown()
