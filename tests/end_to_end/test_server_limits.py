"""What `persona serve` does at its limits: while it loads, when it is to end, too slow, too many."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import HEADERS, TOKEN, Served, serving
from tiny_model import write_scripted_qwen3

from persona.chat.engine import Engine
from persona.chat.opening import open_engine
from persona.config import ChatSettings, MemorySettings, ModelSettings, ServerSettings, Settings
from persona.server import guard, run

CHAT = "/v1/chat/completions"
HELLO: Any = [{"role": "user", "content": "Where do you live?"}]
LONG = {"messages": HELLO, "ignore_eos": True}


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never stops of its own."""
    path = tmp_path_factory.mktemp("scripted") / "endless.gguf"
    return write_scripted_qwen3(path, [" on", " and", " so"], endless=True)


@pytest.fixture
def engine(endless: Path) -> Callable[..., Engine]:
    def opened(**sections: Any) -> Engine:
        model = ModelSettings(name=str(endless), threads=1, context=4096)
        return open_engine(Settings(model=model, memory=MemorySettings(enabled=False), **sections))

    return opened


def body(**asked: Any) -> bytes:
    return json.dumps({"messages": HELLO, **asked}).encode()


def test_while_the_model_loads_everyone_is_told_so(
    engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go = engine(), threading.Event()
    load = held.load
    monkeypatch.setattr(held, "load", lambda: (go.wait(30), load()))
    with serving(held, wait=False) as server:
        status, _, said = server.ask("GET", "/health", authorization="")
        assert (status, json.loads(said)["status"]) == (503, "loading")
        for path, asked in ((CHAT, body()), ("/tokenize", b'{"prompt": "x"}')):
            status, headers, said = server.ask("POST", path, asked)
            assert status == 503
            assert headers["retry-after"]
            assert "loading" in json.loads(said)["error"]["message"]
        assert server.ask("GET", "/v1/models")[0] == 200
        go.set()
        until = time.monotonic() + 30
        while not server.healthy() and time.monotonic() < until:
            time.sleep(0.02)
        assert server.ask("POST", CHAT, body(max_tokens=2))[0] == 200


def test_a_request_that_takes_too_long_to_arrive_is_let_go(
    engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    with serving(engine()) as server, socket.create_connection(("127.0.0.1", server.port), 10) as slow:
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        slow.sendall(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\n{head}content-length: 50\r\n\r\n{{".encode())
        started = time.monotonic()
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() < started + 5


def test_a_reply_is_cut_at_its_time_and_says_so(engine: Callable[..., Engine]) -> None:
    limits = ServerSettings(reply_seconds=0.5)
    with serving(engine(server=limits), limits=limits) as server, server.client() as client:
        started = time.monotonic()
        reply = client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=4000, extra_body={"ignore_eos": True}
        )
        assert 0.5 <= time.monotonic() - started < 5
        assert reply.choices[0].finish_reason == "length"
        assert reply.choices[0].message.content


def connections(server: Served, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(count)]


def test_more_connections_than_it_bears_are_refused_until_some_are_gone(
    engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run._CONNECTIONS == 512
    monkeypatch.setattr(run, "_CONNECTIONS", 8)
    with serving(engine()) as server:
        idle = connections(server, 8)
        until = time.monotonic() + 10
        while server.healthy() and time.monotonic() < until:
            time.sleep(0.05)
        assert server.ask("POST", CHAT, body(max_tokens=2))[0] == 503
        for one in idle:
            one.close()
        while not server.healthy() and time.monotonic() < until:
            time.sleep(0.05)
        assert server.ask("POST", CHAT, body(max_tokens=2))[0] == 200


def test_a_reply_that_runs_at_the_end_is_finished(endless: Path, persona_home: Path) -> None:
    """SIGTERM in the middle of it: the client hears all of it, and the server ends well."""
    env = {
        **os.environ,
        "PERSONA_SERVE_TOKEN": TOKEN,
        "PERSONA_MODEL__THREADS": "1",
        "PERSONA_MEMORY__ENABLED": "false",
    }
    command = [sys.executable, "-m", "persona", "serve", "--port", "0", "--model", str(endless)]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        heard = process.stderr.readline()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", heard)
        assert found, heard
        server = Served(None, int(found[1]), process.terminate, threading.Thread())  # type: ignore[arg-type]
        until = time.monotonic() + 60
        while not server.healthy() and time.monotonic() < until:
            time.sleep(0.05)
        _, answer = server.streaming(**LONG, max_tokens=400)
        process.send_signal(signal.SIGTERM)
        said = answer.read().decode()
        assert said.endswith("data: [DONE]\n\n")
        assert len(re.findall(r'"content": "[^"]', said)) > 100
        assert process.wait(30) == 0


def test_a_reply_without_an_end_does_not_keep_the_server_from_ending(
    engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_GRACE_SECONDS", 1)
    with serving(engine()) as server:
        server.streaming(**LONG, max_tokens=3900)
        started = time.monotonic()
        server.stop()
        server.thread.join(20)
        assert not server.thread.is_alive()
        assert time.monotonic() < started + 15


def test_a_stored_chat_is_folded_between_its_turns(engine: Callable[..., Engine]) -> None:
    """Only what is new is sent; the server keeps the history, and makes it shorter when nobody waits."""
    held = engine(chat=ChatSettings(history_tokens=300, compression="extractive"))
    with serving(held) as server, server.client() as client:
        session = "new"
        for number in range(16):
            said = [{"role": "user", "content": f"My friend number {number} is called Person{number}."}]
            answer = client.chat.completions.with_raw_response.create(
                model="tiny",
                messages=said,  # type: ignore[arg-type]
                max_tokens=12,
                extra_headers={"X-Persona-Session": session},
            )
            session = answer.headers["x-persona-session"]
        until = time.monotonic() + 10
        while not held.sessions.summaries(session, "extractive") and time.monotonic() < until:
            time.sleep(0.05)
        summaries = held.sessions.summaries(session, "extractive")
    assert "Person0" in summaries[0].text
