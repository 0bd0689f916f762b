"""A hub on this machine: answers what huggingface_hub asks of huggingface.co, and misbehaves on request.

As the real one does, `resolve` only redirects, to another host name, with the file's SHA-256, size and commit
in headers; the bytes come from there, by ranges.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHUNK = 64 * 1024


@dataclass
class Hub:
    """What it holds, how it misbehaves, and what it was asked.

    files: content by `repo/file`. stated: a SHA-256 to claim in place of the true one. cuts: after so many
    bytes the connection of the first, second … request for content breaks. ranges: False ignores them.
    stall_at: send nothing from that byte on, and keep the line open. refuse: a status in place of any answer.
    pace: seconds to wait after each piece.
    served: bytes of content sent. busy: requests for content being answered. starts: where each began.
    requests, headers: of every request, in order.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    stated: str = ""
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    stall_at: int | None = None
    refuse: int = 0
    pace: float = 0.0
    served: int = 0
    busy: int = 0
    starts: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        self.hub.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.hub.refuse:
            self._empty(self.hub.refuse)
        elif self.path.startswith("/content/"):
            self.hub.busy += 1
            self._content(self.hub.files[self.path.removeprefix("/content/")])
            self.hub.busy -= 1
        else:
            self._redirect(*self.path.strip("/").partition("/resolve/")[::2])

    def _redirect(self, repo: str, revision_and_file: str) -> None:
        revision, _, file = revision_and_file.partition("/")
        content = self.hub.files.get(f"{repo}/{file}")
        if content is None or revision not in ("main", COMMIT):
            self._empty(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            return
        port = self.server.server_address[1]
        self._empty(
            302,
            {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Size": str(len(content)),
                "X-Linked-ETag": f'"{self.hub.stated or hashlib.sha256(content).hexdigest()}"',
                "Location": f"http://localhost:{port}/content/{repo}/{file}",
            },
        )

    def _empty(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _content(self, content: bytes) -> None:
        start = 0
        if self.hub.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.hub.starts.append(start)
        self.send_response(206 if self.hub.ranges and "Range" in self.headers else 200)
        if self.hub.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stall_at = self.hub.stall_at
        limit = len(content) if stall_at is None else stall_at
        cut = self.hub.cuts.pop(0) if self.hub.cuts else None
        end = limit if cut is None else min(start + cut, limit)
        for at in range(start, end, CHUNK):
            piece = content[at : min(at + CHUNK, end)]
            try:
                self.wfile.write(piece)
            except OSError:  # the other side went away
                return
            self.hub.served += len(piece)
            time.sleep(self.hub.pace)
        if stall_at is not None:
            self.hub.ended.wait(60)
        if end < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Silent: tests print what they need."""


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub()
    handler = type("Answer", (_Answer,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # small, so that what is on its way when a connection ends is little
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ended.set()
        server.shutdown()
        server.server_close()
