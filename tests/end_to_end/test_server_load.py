"""`persona serve` under many clients at once, and when they leave."""

import http.client
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from served import HEADERS, TOKEN, Served, serving
from tiny_model import write_scripted_qwen3

from persona.chat.opening import open_engine
from persona.config import MemorySettings, ModelSettings, ServerSettings, Settings

CLIENTS = 50
HELLO: Any = [{"role": "user", "content": "Where do you live?"}]


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never stops of its own."""
    path = tmp_path_factory.mktemp("scripted") / "endless.gguf"
    return write_scripted_qwen3(path, [" on", " and", " so"], endless=True)


@pytest.fixture
def server(endless: Path) -> Iterator[Served]:
    """A server that lets twenty wait."""
    limits = ServerSettings(queue=20, wait_seconds=30)
    model = ModelSettings(name=str(endless), threads=1, context=4096)
    settings = Settings(model=model, memory=MemorySettings(enabled=False), server=limits)
    with serving(open_engine(settings), limits=limits) as running:
        yield running


def test_fifty_clients_at_once_are_answered_or_clearly_refused(server: Served) -> None:
    gate = threading.Barrier(CLIENTS)

    def ask(number: int) -> str:
        with server.client() as asking:
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
    with server.client() as asking:
        assert asking.chat.completions.create(model="tiny", messages=HELLO, max_tokens=2).choices


@pytest.mark.parametrize("stream", [True, False])
def test_generation_stops_within_half_a_second_of_its_client_leaving(server: Served, stream: bool) -> None:
    """The next request is answered only when the one before it has ended."""
    body = {"messages": HELLO, "max_tokens": 4000, "ignore_eos": True}
    took = []
    for _ in range(5):
        if stream:
            talking, answer = server.streaming(**body)
            answer.close()
        else:
            talking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            talking.request("POST", "/v1/chat/completions", json.dumps(body), HEADERS)
            time.sleep(0.3)
        left = time.monotonic()
        talking.close()
        with server.client() as asking:
            asking.chat.completions.create(model="tiny:bare", messages=HELLO, max_tokens=1)
        took.append(time.monotonic() - left)
    assert statistics.median(took) < 0.5, took


def test_an_oversized_body_and_a_wrong_token_cost_the_others_nothing(server: Served) -> None:
    def status(token: str, body: bytes) -> int:
        return server.ask("POST", "/v1/chat/completions", body, authorization=f"Bearer {token}")[0]

    big = json.dumps({"messages": [{"role": "user", "content": "x" * 2_000_000}]}).encode()
    fine = json.dumps({"messages": HELLO, "max_tokens": 2}).encode()
    asked = [("wrong", fine, 401), (TOKEN, big, 413), (TOKEN, fine, 200)] * 5
    with ThreadPoolExecutor(15) as pool:
        got = list(pool.map(lambda one: status(*one[:2]), asked))
    assert got == [wanted for *_, wanted in asked]
