"""A model behind a server: what such servers say and leave unsaid, by one that says what it is told to."""

import socket
import threading
import time
from typing import Any

import httpx
import pytest
from fake_server import END, Answer, delta, events, fake_server

from persona.backends import openai_wire
from persona.backends.base import (
    ChatMessage,
    Done,
    Event,
    Prompt,
    Sampling,
    TextDelta,
    ThinkingDelta,
)
from persona.backends.openai_compat import OpenAICompatBackend
from persona.errors import ModelError

HI = Prompt((ChatMessage("user", "Hi"),))
HELLO = events(delta(content="hello"), END, "data: [DONE]")


def said(held: OpenAICompatBackend, prompt: Prompt = HI) -> list[Event]:
    how = Sampling(temperature=0, top_p=1, top_k=0)
    return [e for e in held.stream(prompt, how, threading.Event()) if not hasattr(e, "ttft_ms")]


def test_a_server_on_another_machine_is_refused_unasked() -> None:
    with pytest.raises(ModelError, match="another machine"):
        OpenAICompatBackend("http://192.0.2.1:8000/v1")


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match="does not answer"):
            OpenAICompatBackend(f"http://127.0.0.1:{bound.getsockname()[1]}/v1")


@pytest.mark.parametrize(("refusals", "asked"), [(0, 1), (2, 3), (9, 3)])
def test_a_busy_server_is_asked_again_and_then_named(refusals: int, asked: int) -> None:
    busy = Answer({"error": {"message": "too many wait"}}, 429, {"retry-after": "0.01"})
    with fake_server(*[busy] * refusals, HELLO) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        if refusals < asked:
            assert said(held) == [TextDelta("hello"), Done("stop")]
        else:
            with pytest.raises(ModelError, match="429: too many wait") as refused:
                said(held)
            assert "try again" in refused.value.hint
        assert fake.times("/v1/chat/completions") == asked
        held.close()


def test_a_connection_that_is_hung_up_unheard_is_tried_again_later_and_later() -> None:
    with fake_server(HELLO, v1__models=[Answer(hangs_up=True)]) as fake:
        started = time.monotonic()
        with pytest.raises(ModelError, match="does not answer"):
            OpenAICompatBackend(f"{fake.address}#m")
        assert fake.times("/v1/models") == 3
        assert 0.3 + 0.6 <= time.monotonic() - started < 5
    with fake_server(Answer(hangs_up=True), HELLO) as fake:
        assert said(OpenAICompatBackend(f"{fake.address}#m"))[0] == TextDelta("hello")


def test_a_reply_that_has_begun_is_not_asked_for_twice() -> None:
    """Its first half would stand there twice."""
    half = events(delta(content="hel"))
    half.headers = {"content-length": "1000"}
    with fake_server(half, HELLO) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        with pytest.raises(ModelError, match="does not answer"):
            said(held)
        assert fake.times("/v1/chat/completions") == 1
        held.close()


@pytest.mark.parametrize("path", ["v1__models", "v1__chat__completions"])
def test_a_mute_server_is_given_up_in_its_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening one took a quarter of an hour: three tries of five minutes."""
    assert openai_wire._LOOK.read == 10
    monkeypatch.setattr(openai_wire, "_LOOK", httpx.Timeout(0.2))
    monkeypatch.setattr(openai_wire, "_REPLY", httpx.Timeout(0.2))
    answers: dict[str, Any] = {"v1__chat__completions": HELLO, path: Answer(silent=2)}
    with fake_server(**answers) as fake:
        started = time.monotonic()
        with pytest.raises(ModelError, match=r"does not answer \(ReadTimeout\)"):
            said(OpenAICompatBackend(f"{fake.address}#m"))
        assert time.monotonic() < started + 1.5
        assert fake.times(f"/{path.replace('__', '/')}") == 1


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_comes_under_either_name(name: str) -> None:
    thought = [delta(**{name: "hm"}), delta(**{name: "."})]
    with fake_server(events(*thought, delta(content="Porto"), END, "data: [DONE]")) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        asked = Prompt(HI.messages, thinking=True)
        assert said(held, asked) == [
            ThinkingDelta("hm"),
            ThinkingDelta("."),
            TextDelta("Porto"),
            Done("stop"),
        ]
        assert fake.asked[-1][1]["chat_template_kwargs"] == {"enable_thinking": True}
        held.close()


def test_an_adapter_is_chosen_by_its_name() -> None:
    """As vLLM lists what `--lora-modules` loads: beside the base model."""
    with fake_server(HELLO) as fake:
        for wanted, asked in (("#m-mira", "m-mira"), ("#m", "m"), ("", "m")):
            held = OpenAICompatBackend(fake.address + wanted)
            assert said(held)[0] == TextDelta("hello")
            assert held.info.name == fake.asked[-1][1]["model"] == asked
            held.close()
        with pytest.raises(ModelError, match="no model 'm-ana'") as refused:
            OpenAICompatBackend(f"{fake.address}#m-ana")
        assert refused.value.hint == "it has: m, m-mira"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"error": "out of memory"}, "out of memory"),
        ({"error": {"message": "out of memory"}}, "out of memory"),
        ({"error": {"code": 500}}, "no reason given"),
        ("data: {half a row", "no JSON object"),
        ("data: 12", "no JSON object"),
    ],
)
def test_what_goes_wrong_in_a_stream_is_told(row: Any, why: str) -> None:
    with fake_server(events(delta(content="Por"), row)) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        with pytest.raises(ModelError, match=why):
            said(held)
        held.close()


@pytest.mark.parametrize("rows", [[], [delta(content="Por")]])
def test_a_reply_that_is_broken_off_is_no_reply(rows: list[Any]) -> None:
    """It looked like one that somebody had stopped; llama_cpp.server answers a prompt too long so."""
    with fake_server(events(*rows)) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        with pytest.raises(ModelError, match="broke its reply off"):
            said(held)
        held.close()


@pytest.mark.parametrize("error", ["too long", {"message": "too long"}, {"detail": "too long"}])
def test_a_refusal_is_told_however_it_is_written(error: Any) -> None:
    document = {"error": error} if isinstance(error, str) or "message" in error else error
    with fake_server(Answer(document, 400)) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        with pytest.raises(ModelError, match="400: too long"):
            said(held)
        held.close()


def test_a_stream_is_read_as_its_standard_has_it() -> None:
    """`data:` without a blank, comments that keep it alive, rows without choices, null for nothing."""
    odd = events(
        ": ping",
        'data:{"choices": [{"delta": {"content": "hello"}}]}',
        'data: {"choices": null}',
        'data: {"choices": [{"delta": null, "finish_reason": "length"}]}',
        'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}',
        "data:[DONE]",
    )
    with fake_server(odd) as fake:
        held = OpenAICompatBackend(f"{fake.address}#m")
        assert said(held) == [TextDelta("hello"), Done("length")]
        held.close()


@pytest.mark.parametrize("listed", [Answer(text="<html>"), Answer({"models": []}), Answer({"data": [3]})])
def test_an_address_that_is_no_such_server_is_told(listed: Answer) -> None:
    with (
        fake_server(v1__models=listed) as fake,
        pytest.raises(ModelError, match=r"no JSON object|has no model"),
    ):
        OpenAICompatBackend(fake.address)


def test_an_adapter_is_sampled_as_the_model_it_lies_over() -> None:
    rows = [{"id": "Qwen/Qwen3-4B"}, {"id": "mira", "parent": "Qwen/Qwen3-4B"}]
    with fake_server(v1__models=Answer({"data": rows})) as fake:
        base, mira = (OpenAICompatBackend(f"{fake.address}#{name}") for name in ("Qwen/Qwen3-4B", "mira"))
        assert mira.default_sampling(True) == base.default_sampling(True)
        assert mira.info.architecture == "qwen3"


def test_llama_server_counts_in_its_own_way() -> None:
    row = {"id": "qwen3", "owned_by": "llamacpp", "meta": {"n_ctx_train": 40960}}
    with fake_server(
        v1__models=Answer({"data": [row]}),
        props=Answer({"default_generation_settings": {"n_ctx": 2048}}),
        tokenize=Answer({"tokens": [1, 2, 3]}),
        **{"apply-template": Answer({"prompt": "<|im_start|>user"})},
    ) as fake:
        held = OpenAICompatBackend(fake.address)
        assert held.info.context == 2048
        assert held.count_tokens("Hi") == 3
        assert fake.asked[-1][1] == {"content": "Hi", "add_special": False, "parse_special": False}
        assert held.count_prompt(HI) == 3
        assert fake.asked[-1][1]["content"] == "<|im_start|>user"
        assert fake.asked[-1][1]["parse_special"]
        held.close()


@pytest.mark.parametrize(("parameters", "window"), [("num_ctx    16384\nstop x", 16384), ("", 4096)])
def test_ollamas_window_is_asked_for_and_taken_for_small_where_it_is_not_told(
    parameters: str, window: int
) -> None:
    row = {"id": "qwen3:4b", "owned_by": "library"}
    show = Answer({"parameters": parameters})
    with fake_server(v1__models=Answer({"data": [row]}), api__show=show) as fake:
        held = OpenAICompatBackend(fake.address)
        assert held.info.context == window
        assert held.count_tokens("x" * 30) == 10
        held.close()
