"""`persona serve` with the starter model, as a command of its own, and the official client: the whole set."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from jsonschema import validate
from served import TOKEN

from persona import paths

pytestmark = pytest.mark.slow

QUESTION: Any = [{"role": "user", "content": "Where do you live now?"}]
REMINDER = {
    "type": "object",
    "properties": {
        "intent": {"enum": ["reminder", "question", "other"]},
        "task": {"type": "string"},
        "when": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}},
        "urgent": {"type": "boolean"},
    },
    "required": ["intent", "task", "when", "steps", "urgent"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`persona serve --model starter`, healthy."""
    if not paths.starter_model().is_file():
        pytest.skip("no starter model (build it: python -m trainer.starter)")
    env = {
        **os.environ,
        "PERSONA_HOME": str(tmp_path_factory.mktemp("serving")),
        "PERSONA_SERVE_TOKEN": TOKEN,
        "PERSONA_MODEL__THREADS": "1",
    }
    command = [sys.executable, "-m", "persona", "serve", "--port", "0", "--model", "starter"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        heard = ""
        while not (found := re.search(r"listening on (http://\S+)", heard)):
            line = server.stderr.readline()
            assert line, heard
            heard += line
        until = time.monotonic() + 120
        while httpx.get(f"{found[1]}/health", trust_env=False, timeout=30).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        yield found[1]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0, timeout=300) as held:
        yield held


def thinks(asked: bool) -> dict[str, Any]:
    return {"chat_template_kwargs": {"enable_thinking": asked}}


def test_a_reply_comes_whole_and_as_it_is_said(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["starter", "starter:bare"]
    whole = client.chat.completions.create(model="starter", messages=QUESTION)
    said = whole.choices[0].message.content
    assert said
    assert whole.usage
    assert whole.usage.completion_tokens
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model="starter", messages=QUESTION, stream=True, stream_options=options
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 1
    assert "".join(piece or "" for piece in pieces) == said
    assert chunks[-1].usage
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_thinking_comes_apart_and_only_when_asked_for(client: openai.OpenAI) -> None:
    thoughts = {}
    for asked in (True, False):
        reply = client.chat.completions.create(model="starter", messages=QUESTION, extra_body=thinks(asked))
        message = reply.choices[0].message
        assert message.content
        assert "<think>" not in message.content
        thoughts[asked] = getattr(message, "reasoning_content", None)
    assert thoughts[True]
    assert not thoughts[False]


@pytest.mark.parametrize("model", ["starter", "starter:bare"])
@pytest.mark.parametrize("text", ["Remind me to call mum tomorrow at 5.", "Where do you live now?"])
def test_a_reply_under_a_schema_is_valid_json(client: openai.OpenAI, model: str, text: str) -> None:
    """Cut off within a text it was, before replies were closed in time."""
    form: Any = {"type": "json_schema", "json_schema": {"name": "reminder", "schema": REMINDER}}
    reply = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], response_format=form, max_tokens=300
    )
    validate(json.loads(reply.choices[0].message.content or ""), REMINDER)
    assert reply.choices[0].finish_reason in ("stop", "length")


def test_closing_a_stream_stops_the_server_within_half_a_second(client: openai.OpenAI, address: str) -> None:
    """The gauge says whether a reply is being written, and the reply after it finds the model free."""
    took = []
    with httpx.Client(
        base_url=address, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60
    ) as metrics:

        def busy() -> bool:
            return "persona_replies_running 1.0" in metrics.get("/metrics").text

        for _ in range(5):
            stream = client.chat.completions.create(
                model="starter",
                messages=QUESTION,
                stream=True,
                max_tokens=4000,
                extra_body={"ignore_eos": True},
            )
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
            assert busy()
            left = time.monotonic()
            stream.close()
            while busy():
                assert time.monotonic() < left + 30
            took.append(round(time.monotonic() - left, 3))
    print("seconds until the server stopped:", took)
    assert max(took) < 0.5, took
    assert client.chat.completions.create(model="starter", messages=QUESTION, max_tokens=2).choices


def test_a_wrong_token_and_a_body_too_large_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as wrong:
        client.with_options(api_key="wrong").chat.completions.create(model="starter", messages=QUESTION)
    assert wrong.value.status_code == 401
    big: Any = [{"role": "user", "content": "x" * 2_000_000}]
    with pytest.raises(openai.APIStatusError) as large:
        client.chat.completions.create(model="starter", messages=big)
    assert large.value.status_code == 413
