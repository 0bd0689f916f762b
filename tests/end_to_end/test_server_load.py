"""`persona serve` under many clients at once, and when they leave."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from tiny_model import write_scripted_qwen3

from persona.chat.opening import open_engine
from persona.config import MemorySettings, ModelSettings, ServerSettings, Settings
from persona.server import run

TOKEN = "a-long-enough-token"
CLIENTS = 50
HELLO: Any = [{"role": "user", "content": "Where do you live?"}]
HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never stops of its own."""
    path = tmp_path_factory.mktemp("scripted") / "endless.gguf"
    return write_scripted_qwen3(path, [" on", " and", " so"], endless=True)


@pytest.fixture
def port(endless: Path) -> Iterator[int]:
    """The port of a server that lets twenty wait."""
    limits = ServerSettings(queue=20, wait_seconds=30)
    model = ModelSettings(name=str(endless), threads=1, context=4096)
    settings = Settings(model=model, memory=MemorySettings(enabled=False), server=limits)
    engine = open_engine(settings)
    bound = run.listen("127.0.0.1", 0)
    held: list[Any] = []
    options = {"bound": bound, "token": TOKEN, "started": held.append}
    thread = threading.Thread(target=run.serve, args=(engine, "tiny", limits), kwargs=options)
    thread.start()
    listening = bound.getsockname()[1]
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", listening, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                break
        time.sleep(0.02)
    yield listening
    held[0].should_exit = True
    thread.join(30)
    assert not thread.is_alive(), "the server did not end"


def client(port: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0, timeout=60)


def test_fifty_clients_at_once_are_answered_or_clearly_refused(port: int) -> None:
    gate = threading.Barrier(CLIENTS)

    def ask(number: int) -> str:
        with client(port) as asking:
            gate.wait(30)
            try:
                if number % 2:
                    whole = asking.chat.completions.create(model="tiny", messages=HELLO, max_tokens=8)
                    return "answered" if whole.choices[0].message.content else "empty"
                stream = asking.chat.completions.create(
                    model="tiny", messages=HELLO, max_tokens=8, stream=True
                )
                said = [c.choices[0].delta.content or "" for c in stream if c.choices]
                return "answered" if "".join(said) else "empty"
            except openai.APIStatusError as error:
                told = "retry-after" in error.response.headers and error.body
                return str(error.status_code) if told else "not told why"

    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = Counter(pool.map(ask, range(CLIENTS)))
    assert sum(ends.values()) == CLIENTS
    assert set(ends) <= {"answered", "429", "503"}, ends
    assert ends["answered"] >= 21, "the one that is served and the twenty that wait"
    with client(port) as asking:
        assert asking.chat.completions.create(model="tiny", messages=HELLO, max_tokens=2).choices


@pytest.mark.parametrize("stream", [True, False])
def test_generation_stops_within_half_a_second_of_its_client_leaving(port: int, stream: bool) -> None:
    """The next request is answered only when the one before it has ended."""
    body = {"messages": HELLO, "max_tokens": 4000, "ignore_eos": True, "stream": stream}
    took = []
    for _ in range(5):
        talking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        talking.request("POST", "/v1/chat/completions", json.dumps(body), HEADERS)
        if stream:
            answer = talking.getresponse()
            assert answer.readline().startswith(b"data: ")
            answer.close()
        else:
            time.sleep(0.3)
        left = time.monotonic()
        talking.close()
        with client(port) as asking:
            asking.chat.completions.create(model="tiny:bare", messages=HELLO, max_tokens=1)
        took.append(time.monotonic() - left)
    assert min(took) < 0.5, took


def test_an_oversized_body_and_a_wrong_token_cost_the_others_nothing(port: int) -> None:
    def status(token: str, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {**HEADERS, "authorization": f"Bearer {token}"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        return connection.getresponse().status

    big = json.dumps({"messages": [{"role": "user", "content": "x" * 2_000_000}]}).encode()
    fine = json.dumps({"messages": HELLO, "max_tokens": 2}).encode()
    asked = [("wrong", fine, 401), (TOKEN, big, 413), (TOKEN, fine, 200)] * 5
    with ThreadPoolExecutor(15) as pool:
        got = list(pool.map(lambda one: status(*one[:2]), asked))
    assert got == [wanted for *_, wanted in asked]
