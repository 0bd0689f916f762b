"""An OpenAI-compatible API for tests of teachers: a real HTTP server that fails as such APIs do."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Api:
    """An OpenAI-compatible API on this machine that does, request by request, what it is told."""

    def __init__(self) -> None:
        self.plan: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.asked.append(body)
                api.keys.append(self.headers.get("Authorization"))
                api.plan.pop(0)(self) if len(api.plan) > 1 else api.plan[0](self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def says(text: str) -> Callable[[BaseHTTPRequestHandler], None]:
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return sends(200, {"choices": [{"message": {"content": text}}], "usage": usage})


def sends(status: int, data: object, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def do(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(data).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return do
