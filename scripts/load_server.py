"""Mixed load on `persona serve` for some minutes, with its memory over time.

    python scripts/load_server.py [--model starter] [--minutes 10] [--clients 8] [--html load.html]

Starts a server of its own on a throw-away home, with a token and a schema. Each client asks in turn, by
lot: a whole reply, a stream, one with thinking, one under a JSON schema, a stored chat, a conversion, a
stream it leaves in the middle, a wrong token, a body too large. Prints answers by kind and status, latencies,
how soon the model was free again after a client left, and resident memory after warm-up and at the end. Exit
code 1 where anything was answered with 5xx but 503, hung, or memory grew by more than 5 %.
"""

import argparse
import http.client
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import serving

from persona.lab.plots import Point, Series, line_plot

TOKEN = "a-token-for-load"
WARM_UP = 0.25
"""Share of the run that memory may grow in."""
MOST_GROWTH = 1.05
QUESTIONS = ("Where do you live now?", "What's your dog's name?", "What do you drink nowadays?", "Hello!")
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["reminder", "question", "other"]}, "urgent": {"type": "boolean"}},
    "required": ["intent", "urgent"],
}


class Load:
    """What the clients saw, and the server's memory in MB by the second."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.statuses: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.memory: list[Point] = []
        self.failed: list[str] = []
        self.over = threading.Event()
        self._guard = threading.Lock()

    def ask(self, kind: str, body: Any, *, path: str = "/v1/chat/completions", **headers: str) -> None:
        """One request, read to its end."""
        started = time.perf_counter()
        try:
            connection = self._send(path, body, headers)
            answer = connection.getresponse()
            answer.read()
            status = str(answer.status)
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
        self.note(kind, status, time.perf_counter() - started)

    def leave(self, kind: str, body: Any) -> None:
        """A stream that is left after its first line."""
        connection = self._send("/v1/chat/completions", body, {})
        answer = connection.getresponse()
        answer.readline()
        answer.close()
        connection.close()
        self.note(kind, str(answer.status), 0)

    def note(self, kind: str, status: str, seconds: float) -> None:
        """What became of one request."""
        with self._guard:
            self.statuses[f"{kind} {status}"] += 1
            if status == "200" and seconds:
                self.seconds[kind].append(seconds)
            if not status.isdigit() or (status.startswith("5") and status != "503"):
                self.failed.append(f"{kind}: {status}")

    def watch(self) -> None:
        """Note the server's memory until it is over."""
        started = time.monotonic()
        while not self.over.wait(1):
            self.memory.append(Point(time.monotonic() - started, resident_mb(self.pid)))

    def _send(self, path: str, body: Any, headers: dict[str, str]) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        sent = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", **headers}
        connection.request("POST", path, json.dumps(body), sent)
        return connection


def said(text: str) -> list[dict[str, str]]:
    """A chat of one message."""
    return [{"role": "user", "content": text}]


_THINKS = {"chat_template_kwargs": {"enable_thinking": True}}
_HELD = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
_LONG = {"max_tokens": 3000, "ignore_eos": True, "stream": True}

KINDS: list[Callable[[Load, dict[str, Any]], None]] = [
    lambda load, body: load.ask("whole", body),
    lambda load, body: load.ask("stream", {**body, "stream": True}),
    lambda load, body: load.ask("thinking", {**body, **_THINKS}),
    lambda load, body: load.ask("schema", {**body, **_HELD}),
    lambda load, body: load.ask("stored", body, **{"X-Persona-Session": "new"}),
    lambda load, body: load.ask("convert", {"text": "remind me to call mum"}, path="/api/convert"),
    lambda load, body: load.leave("left", {**body, **_LONG}),
    lambda load, body: load.ask("wrong token", body, authorization="Bearer wrong"),
    lambda load, body: load.ask("too large", {"messages": said("x" * 1_200_000)}),
]


def client(load: Load, number: int) -> None:
    """Ask until it is over."""
    rng = random.Random(number)
    while not load.over.is_set():
        try:
            rng.choice(KINDS)(load, {"messages": said(rng.choice(QUESTIONS)), "max_tokens": 40})
        except (OSError, http.client.HTTPException) as error:
            load.note("left", type(error).__name__, 0)


def seconds_until_free(load: Load, runs: int = 5) -> list[float]:
    """From a client's leaving to the end of the next, shortest request, with nobody else there."""
    took = []
    body = {"messages": said(QUESTIONS[0])}
    for _ in range(runs):
        load.leave("alone, left", {**body, **_LONG})
        started = time.perf_counter()
        load.ask("alone, next", {**body, "model": "x:bare", "max_tokens": 1})
        took.append(round(time.perf_counter() - started, 3))
    return took


def resident_mb(pid: int) -> float:
    """MB of a process in memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found.group(1)) * 1024 / 1e6 if found else 0.0


def main() -> int:
    """Run the load, print what came of it, and say by the exit code whether it went well."""
    parser = argparse.ArgumentParser(description="Mixed load on `persona serve`, with its memory over time.")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--html", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        schema = Path(home) / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        environment = {**os.environ, "PERSONA_HOME": home, "PERSONA_SERVE_TOKEN": TOKEN}
        with serving("--schema", str(schema), "--model", options.model, env=environment) as (server, port):
            load = Load(port, server.pid)
            _run(load, options.minutes, options.clients)
    return _report(load, server.returncode, options.html)


def _run(load: Load, minutes: float, clients: int) -> None:
    print(json.dumps({"seconds until free, alone": seconds_until_free(load)}), flush=True)
    asking = [threading.Thread(target=client, args=(load, n), daemon=True) for n in range(clients)]
    for thread in [*asking, threading.Thread(target=load.watch, daemon=True)]:
        thread.start()
    time.sleep(minutes * 60)
    load.over.set()
    for thread in asking:
        thread.join(200)
        if thread.is_alive():
            load.failed.append("a client hangs")
    print(json.dumps({"seconds until free, at the end": seconds_until_free(load)}), flush=True)


def _report(load: Load, code: int, page: Path | None) -> int:
    for kind, took in sorted(load.seconds.items()):
        took.sort()
        middle, late = took[len(took) // 2], took[len(took) * 95 // 100]
        print(json.dumps({kind: {"n": len(took), "p50": round(middle, 2), "p95": round(late, 2)}}))
    print(json.dumps(dict(sorted(load.statuses.items()))))
    warm = load.memory[int(len(load.memory) * WARM_UP) :]
    tenth = max(1, len(warm) // 10)
    first, last = (statistics.median(p.y for p in part) for part in (warm[:tenth], warm[-tenth:]))
    told = {"mb after warm-up": round(first), "mb at the end": round(last), "ratio": round(last / first, 3)}
    print(json.dumps(told))
    if page:
        svg = line_plot([Series("resident MB", load.memory, 0)], x_label="seconds")
        page.write_text(f"<!doctype html><title>Memory under load, MB</title>{svg}", encoding="utf-8")
    print(json.dumps({"failed": load.failed[:20], "exit code": code}))
    return int(bool(load.failed) or last / first > MOST_GROWTH or code != 0)


if __name__ == "__main__":
    sys.exit(main())
