"""`persona serve` as its clients see it: a real server, a real engine, the official client."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import TOKEN, Served, serving
from tiny_model import write_scripted_qwen3

from persona.chat.opening import open_engine
from persona.config import MemorySettings, ModelSettings, ServerSettings, Settings
from persona.errors import SettingsError
from persona.server import run

SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["reminder", "other"]}, "urgent": {"type": "boolean"}},
    "required": ["intent", "urgent"],
    "additionalProperties": False,
}
SAID = ["<think>", "The [1] memory", " says Porto.", "</think>", "In", " Porto", "<|im_end|>"]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scripted")
    return {
        "short": write_scripted_qwen3(folder / "short.gguf", SAID),
        "endless": write_scripted_qwen3(folder / "endless.gguf", [" on", " and", " so"], endless=True),
    }


@pytest.fixture
def server(request: pytest.FixtureRequest, scripts: dict[str, Path]) -> Iterator[Served]:
    """A server of the model the test is parametrised with, on its own home."""
    kind, limits = getattr(request, "param", ("short", ServerSettings()))
    model = ModelSettings(name=str(scripts[kind]), threads=1)
    settings = Settings(model=model, memory=MemorySettings(enabled=False), server=limits)
    with serving(open_engine(settings), limits=limits, schema=SCHEMA) as running:
        yield running


def hello(text: str = "Where do you live?") -> Any:
    return [{"role": "user", "content": text}]


def test_the_official_client_talks_and_streams(server: Served) -> None:
    with server.client() as client:
        assert [model.id for model in client.models.list()] == ["tiny", "tiny:bare"]
        reply = client.chat.completions.create(model="tiny", messages=hello())
        assert reply.choices[0].message.content == "In Porto"
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage is not None
        assert reply.usage.prompt_tokens > 20
        again = client.chat.completions.create(model="tiny", messages=hello())
        assert again.usage is not None
        assert again.usage.prompt_tokens_details is not None
        assert again.usage.prompt_tokens_details.cached_tokens

        options = {"include_usage": True}
        thinking = {"chat_template_kwargs": {"enable_thinking": True}}
        chunks = list(
            client.chat.completions.create(
                model="tiny",
                messages=hello(),
                stream=True,
                stream_options=options,  # type: ignore[arg-type]
                extra_body=thinking,
            )
        )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "In Porto"
    thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert thought == "The [1] memory says Porto."
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_length_stop_and_schema_are_kept(server: Served) -> None:
    with server.client() as client:
        cut = client.chat.completions.create(model="tiny", messages=hello(), max_tokens=2)
        assert cut.choices[0].finish_reason == "length"
        stopped = client.chat.completions.create(model="tiny", messages=hello(), stop=[" Porto"])
        assert stopped.choices[0].message.content == "In"
        wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
        held = client.chat.completions.create(model="tiny", messages=hello(), response_format=wanted)
        assert set(json.loads(held.choices[0].message.content or "")) == {"intent", "urgent"}
    status, _, body = server.ask("POST", "/api/convert", b'{"text": "remind me to call mum"}')
    answer = json.loads(body)
    assert status == 200
    assert answer["success"]
    assert answer["structured_data"]["intent"] in ("reminder", "other")


def test_a_stored_chat_takes_the_last_message_only_and_a_stateless_one_leaves_nothing(
    server: Served,
) -> None:
    with server.client() as client:
        client.chat.completions.create(model="tiny", messages=hello())
        assert not server.engine.sessions.list()
        history: Any = [*hello("first"), {"role": "assistant", "content": "x"}, *hello("second")]
        made = client.chat.completions.with_raw_response.create(
            model="tiny", messages=history, extra_headers={"X-Persona-Session": "new"}
        )
        session = made.headers["x-persona-session"]
        turns = server.engine.sessions.turns(session)
        assert [turn.text for turn in turns] == ["second", "In Porto"]
        client.chat.completions.create(
            model="tiny", messages=hello("third"), extra_headers={"X-Persona-Session": session}
        )
        assert len(server.engine.sessions.turns(session)) == 4
        with pytest.raises(openai.NotFoundError, match="begins one"):
            client.chat.completions.create(
                model="tiny", messages=hello(), extra_headers={"X-Persona-Session": "s-none"}
            )


def test_wrong_requests_get_clear_errors(server: Served) -> None:
    with server.client(api_key="wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    assert server.ask("GET", "/health", authorization="")[0] == 200
    assert server.ask("GET", "/openapi.json", authorization="")[0] == 401
    assert json.loads(server.ask("GET", "/openapi.json")[2])["paths"]["/v1/chat/completions"]
    path = "/v1/chat/completions"
    big = json.dumps({"messages": hello("x" * 3_000_000)}).encode()
    assert server.ask("POST", path, big)[0] == 413
    for body, status in (
        (b"{", 422),
        (b"[]", 422),
        (b'{"messages": []}', 422),
        (b'{"messages": [{"role": "user", "content": " "}]}', 400),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 200),
        (json.dumps({"messages": hello("word " * 40_000)}).encode(), 400),
        (json.dumps({"model": "tiny:bare", "messages": hello("word " * 40_000)}).encode(), 400),
    ):
        got, _, answer = server.ask("POST", path, body)
        assert got == status, (body[:40], answer)
        assert status == 200 or json.loads(answer)["error"]["message"]


ENDLESS = {"max_tokens": 4000, "ignore_eos": True, "messages": hello()}


@pytest.mark.parametrize("server", [("endless", ServerSettings(queue=1, wait_seconds=0.3))], indirect=True)
def test_a_full_queue_refuses_and_a_client_that_is_gone_frees_the_model(server: Served) -> None:
    talking, answer = server.streaming(**ENDLESS)

    with server.client() as client, ThreadPoolExecutor(4) as pool:

        def refused(_: int) -> int:
            try:
                client.chat.completions.create(model="tiny", messages=hello(), max_tokens=4)
            except openai.APIStatusError as error:
                return error.status_code if "retry-after" in error.response.headers else 0
            return 200

        assert set(pool.map(refused, range(4))) == {429, 503}
        shown = figures(server)
        assert shown["persona_replies_running"] == 1
        assert shown["persona_refused_total 429"] + shown["persona_refused_total 503"] == 4

        answer.close()
        talking.close()
        started = time.monotonic()
        while refused(0) != 200 and time.monotonic() < started + 20:
            pass
        assert time.monotonic() < started + 20


def test_the_log_holds_no_words(server: Served, persona_home: Path) -> None:
    from persona import logs, paths

    logs.start()
    with server.client() as client:
        client.chat.completions.create(model="tiny", messages=hello("my secret is xylophone"))
    server.ask("GET", "/xylophone?xylophone")
    said = paths.log_file().read_text(encoding="utf-8")
    assert "POST /v1/chat/completions: 200" in said
    assert "xylophone" not in said


def figures(server: Served) -> dict[str, float]:
    """What `GET /metrics` shows, by name and labels."""
    status, headers, body = server.ask("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_metrics_count_requests_tokens_and_seconds_and_hold_no_words(server: Served) -> None:
    assert server.ask("GET", "/metrics", authorization="")[0] == 401
    before = figures(server)
    with server.client() as client:
        usage = [
            client.chat.completions.create(model="tiny", messages=hello("my secret is xylophone")).usage
            for _ in range(2)
        ]
    streamed = json.dumps({"messages": hello(), "stream": True}).encode()
    stored = server.ask("POST", "/v1/chat/completions", streamed, **{"x-persona-session": "new"})
    server.ask("POST", "/api/convert", b'{"text": "remind me to call mum"}')
    server.ask("GET", "/xylophone")
    shown = figures(server)

    def more(name: str) -> float:
        return shown[name] - before.get(name, 0)

    assert more("persona_requests_total /v1/chat/completions 200") == 3
    assert more("persona_requests_total /api/convert 200") == 1
    assert more("persona_requests_total none 404") == 1
    assert more("persona_generation_seconds_count") == 4
    assert more("persona_first_token_seconds_count") == 4
    assert more("persona_queue_seconds_count") == 4
    assert (
        0
        < more("persona_first_token_seconds_sum")
        < more("persona_generation_seconds_sum") + more("persona_queue_seconds_sum")
    )
    assert more("persona_tokens_total in") > sum(u.prompt_tokens for u in usage if u)
    assert more("persona_tokens_total out") > sum(u.completion_tokens for u in usage if u)
    assert 0 < more("persona_tokens_total cached") < more("persona_tokens_total in")
    assert shown["persona_queue_length"] == shown["persona_replies_running"] == 0
    assert shown["process_resident_memory_bytes"] > 1e6
    session = stored[1]["x-persona-session"]
    page = server.ask("GET", "/metrics")[2].decode()
    assert session not in page
    assert "xylophone" not in page


def test_another_address_wants_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(run.TOKEN, raising=False)
    assert run.token_for("127.0.0.1") == run.token_for("::1") == run.token_for("localhost") == ""
    with pytest.raises(SettingsError, match="no token"):
        run.token_for("0.0.0.0")
    monkeypatch.setenv(run.TOKEN, TOKEN)
    assert run.token_for("0.0.0.0") == TOKEN


def test_a_port_in_use_is_named() -> None:
    with run.listen("127.0.0.1", 0) as bound, pytest.raises(SettingsError, match="cannot listen"):
        run.listen("127.0.0.1", bound.getsockname()[1])


def test_who_connects_before_the_server_runs_waits_for_it() -> None:
    with run.listen("127.0.0.1", 0) as bound:
        socket.create_connection(bound.getsockname(), timeout=5).close()
