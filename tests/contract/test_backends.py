"""The Backend contract, run over every engine and model there is."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from served import serving
from tiny_model import write_scripted_qwen3

from persona.backends.base import (
    Backend,
    Done,
    Event,
    Prompt,
    Sampling,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from persona.backends.llama_cpp import LlamaCppBackend
from persona.backends.openai_compat import OpenAICompatBackend
from persona.backends.transformers import TransformersBackend
from persona.chat.layout import HistoryTurn, Scene, build
from persona.chat.opening import open_engine
from persona.config import ModelSettings, Settings
from persona.errors import ModelError
from trainer.export.from_gguf import write_folder

NOW = datetime.fromisoformat("2026-11-21T14:03:00+00:00")
CARD = "Name: Mira Sol\nLanguages: English, Portuguese\nStyle: short, warm, lower case\n" * 3
REPLIES = 24


@pytest.fixture(scope="module")
def tiny_backend(tiny_model_path: Path) -> Iterator[Backend]:
    backend = LlamaCppBackend(tiny_model_path, ModelSettings(threads=1))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def served_backend(tiny_model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The tiny model behind this project's own server."""
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(model=ModelSettings(name=str(tiny_model_path), threads=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONA_HOME", str(folder))
        engine = open_engine(settings)
    with serving(engine, "tiny-qwen3", token="") as served:
        held = OpenAICompatBackend(f"{served.address}/v1#tiny-qwen3:bare")
        yield held
        held.close()


@pytest.fixture(scope="module")
def llama_server_backend(tiny_model_path: Path) -> Iterator[Backend]:
    """The tiny model behind llama.cpp's own server, where it is installed."""
    program = os.environ.get("LLAMA_SERVER") or shutil.which("llama-server")
    if program is None:
        pytest.skip("llama-server is not installed (set LLAMA_SERVER to the program)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    model = ["--model", str(tiny_model_path), "--alias", "tiny-qwen3", "--ctx-size", "4096"]
    options = ["--port", str(port), "--threads", "1", "--parallel", "1", "--reasoning-format", "deepseek"]
    with subprocess.Popen(
        [program, *model, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        held: OpenAICompatBackend | None = None
        until = time.monotonic() + 60
        while held is None:
            try:
                held = OpenAICompatBackend(f"http://127.0.0.1:{port}/v1#tiny-qwen3")
            except ModelError:
                assert time.monotonic() < until, "llama-server did not start"
        yield held
        held.close()
        server.terminate()


@pytest.fixture(scope="module")
def folder_backend(tiny_model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The tiny model as a folder under transformers."""
    folder = write_folder(tiny_model_path, tmp_path_factory.mktemp("folder") / "tiny-qwen3")
    backend = TransformersBackend(folder, ModelSettings(threads=1))
    yield backend
    backend.close()


ENGINES = ["tiny_backend", "starter_backend", "served_backend", "llama_server_backend", "folder_backend"]


@pytest.fixture(params=ENGINES)
def backend(request: pytest.FixtureRequest) -> Backend:
    held: Backend = request.getfixturevalue(request.param)
    return held


@pytest.fixture
def reading_ahead(backend: Backend) -> Backend:
    """An engine that can be given a history before it is asked; a server reads ahead for nobody."""
    if isinstance(backend, OpenAICompatBackend):
        assert backend.prefill(scene(None), threading.Event()) == 0
        pytest.skip("a server reads ahead for nobody")
    return backend


@pytest.fixture
def fresh(tiny_model_path: Path) -> Iterator[Callable[[], Backend]]:
    """Opens models with an empty cache."""
    opened: list[Backend] = []

    def open_one() -> Backend:
        opened.append(LlamaCppBackend(tiny_model_path, ModelSettings(threads=1)))
        return opened[-1]

    yield open_one
    for held in opened:
        held.close()


class CancelAfter(threading.Event):
    """An event that sets itself when it has been asked `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def scene(message: str | None, turns: Sequence[HistoryTurn] = ()) -> Prompt:
    return build(Scene(name="Mira Sol", card=CARD, message=message, now=NOW, turns=turns))


def sampling(**changes: object) -> Sampling:
    base = Sampling(temperature=0.7, top_p=0.8, top_k=20, max_tokens=REPLIES, seed=7, ignore_eos=True)
    return replace(base, **changes)  # type: ignore[arg-type]


def run(
    backend: Backend, prompt: Prompt, how: Sampling, cancel: threading.Event | None = None
) -> list[Event]:
    return list(backend.stream(prompt, how, cancel or threading.Event()))


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def usage_of(events: Sequence[Event]) -> Usage:
    (usage,) = [event for event in events if isinstance(event, Usage)]
    return usage


def test_a_stream_ends_with_usage_and_done(backend: Backend) -> None:
    events = run(backend, scene("Where do you live?"), sampling())
    kinds = [type(event) for event in events]
    assert kinds[-2:] == [Usage, Done]
    assert set(kinds[:-2]) <= {TextDelta, ThinkingDelta}
    assert all(event.text for event in events if isinstance(event, TextDelta | ThinkingDelta))


def test_a_reply_is_cut_at_its_length(backend: Backend) -> None:
    events = run(backend, scene("Where do you live?"), sampling(max_tokens=5))
    assert events[-1] == Done("length")
    assert usage_of(events).completion_tokens == 5


def test_the_same_seed_gives_the_same_reply(backend: Backend) -> None:
    prompt = scene("What did you decide about the database?")
    run(backend, prompt, sampling())
    first, again = (run(backend, prompt, sampling(temperature=1.5, top_k=0, top_p=1.0)) for _ in range(2))
    other = run(backend, prompt, sampling(temperature=1.5, top_k=0, top_p=1.0, seed=8))
    assert text_of(first) == text_of(again) != text_of(other)


def test_usage_counts_what_count_prompt_counts(backend: Backend) -> None:
    prompt = scene("Where do you live now?", [HistoryTurn("Hello!", "Hi, how are you?")])
    usage = usage_of(run(backend, prompt, sampling()))
    assert usage.prompt_tokens == backend.count_prompt(prompt)
    assert 0 < usage.stable_tokens < usage.prompt_tokens
    assert usage.ttft_ms > 0
    assert usage.tokens_per_second > 0


def test_counts_grow_with_the_text(backend: Backend) -> None:
    assert backend.count_tokens("") == 0
    assert 0 < backend.count_tokens("Porto") < backend.count_tokens("Porto, since last week")
    longer, shorter = scene("Where do you live now?"), scene("Where?")
    gained = backend.count_prompt(longer) - backend.count_prompt(shorter)
    assert gained == backend.count_tokens("Where do you live now?") - backend.count_tokens("Where?")


def test_the_prompt_after_a_prefilled_history_is_cached(reading_ahead: Backend) -> None:
    turns: list[HistoryTurn] = []
    for n in range(4):
        prompt = scene(f"Question {n}: what happened on day {n}?", turns)
        usage = usage_of(run(reading_ahead, prompt, sampling()))
        if n:
            assert usage.cached_tokens >= usage.stable_tokens
            assert usage.cached_tokens > usage.prompt_tokens / 2
        turns.append(HistoryTurn(f"Question {n}: what happened on day {n}?", f"Nothing on day {n}."))
        history = scene(None, turns)
        assert reading_ahead.prefill(history, threading.Event()) > 0
        assert reading_ahead.prefill(history, threading.Event()) == 0


def test_prefill_shares_the_cache_with_a_thinking_turn(reading_ahead: Backend) -> None:
    turns = [HistoryTurn("Where do you live?", "In Porto.")]
    reading_ahead.prefill(scene(None, turns), threading.Event())
    prompt = replace(scene("And before?", turns), thinking=True)
    usage = usage_of(run(reading_ahead, prompt, sampling()))
    assert usage.cached_tokens >= usage.stable_tokens > 0


def test_a_cancelled_stream_ends_within_one_token(backend: Backend) -> None:
    cancel = threading.Event()
    stream = backend.stream(scene("Tell me everything."), sampling(max_tokens=400), cancel)
    events = [next(stream) for _ in range(3)]
    cancel.set()
    events += list(stream)
    assert events[-1] == Done("cancelled")
    deltas = [event for event in events if isinstance(event, TextDelta | ThinkingDelta)]
    assert len(deltas) <= 4
    assert usage_of(events).completion_tokens < 400


def test_a_stream_cancelled_before_it_starts_says_nothing(backend: Backend) -> None:
    cancel = threading.Event()
    cancel.set()
    events = run(backend, scene("Never mind."), sampling(), cancel)
    assert events[-1] == Done("cancelled")
    assert usage_of(events).completion_tokens == 0
    assert text_of(events) == ""


def test_prefill_is_cancelled_while_it_runs_and_leaves_the_model_usable(reading_ahead: Backend) -> None:
    prompt = scene("Tell me about the release.\n" * 60)
    size = reading_ahead.count_prompt(prompt)
    run(reading_ahead, scene("Something else."), sampling())
    events = run(reading_ahead, prompt, sampling(), CancelAfter(5))
    assert events[-1] == Done("cancelled")
    evaluated = reading_ahead.prefill(prompt, threading.Event())
    assert size / 2 < evaluated < size
    assert usage_of(run(reading_ahead, prompt, sampling())).completion_tokens == REPLIES


def test_a_cancelled_prefill_stops_early(reading_ahead: Backend) -> None:
    prompt = scene("Tell me about the weekend.\n" * 60)
    run(reading_ahead, scene("Something else."), sampling())
    assert reading_ahead.prefill(prompt, CancelAfter(5)) == 0
    assert reading_ahead.prefill(prompt, threading.Event()) > 0


def test_a_closed_stream_frees_the_model(backend: Backend) -> None:
    stream = backend.stream(scene("Tell me everything."), sampling(max_tokens=400), threading.Event())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert run(backend, scene("And now?"), sampling())[-1] == Done("length")


def test_waiting_for_a_busy_model_can_be_cancelled(backend: Backend) -> None:
    stream = backend.stream(scene("Tell me everything."), sampling(max_tokens=400), threading.Event())
    next(stream)
    assert run(backend, scene("Me, too!"), sampling(), CancelAfter(2))[-1] == Done("cancelled")
    assert backend.prefill(scene(None), CancelAfter(2)) == 0
    stream.close()  # type: ignore[attr-defined]


def test_two_threads_take_turns(backend: Backend) -> None:
    prompts = [scene("Where do you live?"), scene("What do you think of Lisbon?")]
    alone = [text_of(run(backend, prompt, sampling(temperature=0))) for prompt in prompts]
    together = ["", ""]

    def ask(n: int) -> None:
        together[n] = text_of(run(backend, prompts[n], sampling(temperature=0)))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_stop_string_ends_the_reply_before_it(backend: Backend) -> None:
    prompt = scene("Where do you live?")
    whole = text_of(run(backend, prompt, sampling()))
    stop = whole[len(whole) // 2 :][:3]
    events = run(backend, prompt, sampling(stop=(stop,)))
    assert text_of(events) == whole[: whole.index(stop)].rstrip()
    assert events[-1] == Done("stop")


LOOSE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "task": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}},
        "kind": {"enum": ["reminder", "other"]},
        "more": {"type": "object"},
    },
    "required": ["task", "steps", "kind", "more"],
    "additionalProperties": False,
}


def test_a_reply_under_a_schema_holds(backend: Backend) -> None:
    if isinstance(backend, TransformersBackend):
        pytest.skip("this engine has no grammars")
    kinds = {"kind": LOOSE["properties"]["kind"], "urgent": {"type": "boolean"}}
    schema = {**LOOSE, "properties": kinds, "required": list(kinds)}
    how = sampling(schema=json.dumps(schema), max_tokens=200, temperature=0, ignore_eos=False)
    events = run(backend, scene("Remind me to call mum."), how)
    held = json.loads(text_of(events))
    assert held["kind"] in ("reminder", "other")
    assert isinstance(held["urgent"], bool)
    assert events[-1] == Done("stop")


@pytest.mark.parametrize("most", [120, 400])
@pytest.mark.parametrize("task", ["Remind me to call mum.", "I have a dog, a cat and two fish."])
def test_json_that_would_be_cut_off_is_closed_and_says_so(
    request: pytest.FixtureRequest, backend: Backend, task: str, most: int
) -> None:
    """Nothing in the schema bounds its texts and lists, and a weak model goes on in them without an end."""
    if request.node.callspec.params["backend"] in ("folder_backend", "llama_server_backend"):
        pytest.skip("this engine has no grammars, or its own")
    how = sampling(schema=json.dumps(LOOSE), max_tokens=most, temperature=0, ignore_eos=False)
    events = run(backend, scene(task), how)
    assert set(json.loads(text_of(events))) == {"task", "steps", "kind", "more"}
    assert events[-1] == Done("length")
    assert usage_of(events).completion_tokens < most


def test_a_prompt_beyond_the_context_is_refused_with_a_hint(backend: Backend) -> None:
    with pytest.raises(ModelError, match="tokens") as refused:
        run(backend, scene("word " * backend.info.context), sampling())
    assert refused.value.hint
    assert run(backend, scene("Short."), sampling())[-1] == Done("length")


def test_info_tells_what_is_open(backend: Backend) -> None:
    info = backend.info
    assert info.architecture == "qwen3"
    assert 0 < info.context <= 8192
    if not isinstance(backend, OpenAICompatBackend):
        assert info.parameters > 100_000
        assert Path(info.path).exists()


def test_qwen_is_never_greedy_while_thinking_and_the_starter_always(backend: Backend) -> None:
    thinking, direct = backend.default_sampling(True), backend.default_sampling(False)
    if backend.info.is_starter:
        assert thinking.temperature == direct.temperature == 0
    else:
        assert (thinking.temperature, thinking.top_p, thinking.top_k, thinking.min_p) == (0.6, 0.95, 20, 0)
        assert (direct.temperature, direct.top_p, direct.top_k, direct.min_p) == (0.7, 0.8, 20, 0)


def test_the_cache_does_not_change_a_reply(fresh: Callable[[], Backend]) -> None:
    turns = [HistoryTurn("Where do you live?", "In Porto.")]
    warm, cold = fresh(), fresh()
    run(warm, scene("Where do you live?"), sampling(temperature=0))
    warm.prefill(scene(None, turns), threading.Event())
    prompt = scene("And before?", turns)
    replies = [run(held, prompt, sampling(temperature=0)) for held in (warm, cold)]
    assert text_of(replies[0]) == text_of(replies[1])
    assert usage_of(replies[0]).cached_tokens > usage_of(replies[1]).cached_tokens == 0


def test_a_closed_model_says_so(fresh: Callable[[], Backend]) -> None:
    held = fresh()
    held.close()
    with pytest.raises(ModelError, match="closed"):
        run(held, scene("Hello?"), sampling())


def test_closing_ends_a_running_stream(fresh: Callable[[], Backend]) -> None:
    held = fresh()
    begun = threading.Event()
    ends: list[Event] = []

    def read() -> None:
        for event in held.stream(scene("Tell me everything."), sampling(max_tokens=4000), threading.Event()):
            begun.set()
            ends[:] = [event]

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(30)
    held.close()
    reader.join(30)
    assert ends == [Done("cancelled")]


SCRIPT = [
    "<think>",
    "The [1] memory",
    " says Porto.",
    "</think>",
    "In",
    " Portó",
    ", 東京",
    "!",
    "<|im_end|>",
]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[[Sequence[str | bytes]], Backend]]:
    opened: list[Backend] = []

    def open_one(script: Sequence[str | bytes]) -> Backend:
        path = write_scripted_qwen3(tmp_path / f"{len(opened)}.gguf", script)
        opened.append(LlamaCppBackend(path, ModelSettings(threads=1)))
        return opened[-1]

    yield open_one
    for held in opened:
        held.close()


Scripted = Callable[[Sequence[str | bytes]], Backend]


def both_channels(held: Backend, thinking: bool, **changes: object) -> tuple[str, str, Event]:
    events = run(held, replace(scene("Where?"), thinking=thinking), sampling(ignore_eos=False, **changes))
    thought = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    return thought, text_of(events), events[-1]


def test_thinking_and_text_come_apart(scripted: Scripted) -> None:
    assert both_channels(scripted(SCRIPT), True) == (
        "The [1] memory says Porto.",
        "In Portó, 東京!",
        Done("stop"),
    )


def test_no_thought_is_opened_where_none_was_asked_for(scripted: Scripted) -> None:
    """Both tokens are heard: none is spent on a thought in hiding."""
    held = scripted(SCRIPT)
    assert both_channels(held, False) == ("", "In Portó, 東京!", Done("stop"))
    assert both_channels(held, False, max_tokens=2) == ("", "In Portó", Done("length"))


def test_a_model_that_does_not_think_just_answers(scripted: Scripted) -> None:
    assert both_channels(scripted(["In", " Porto.", "<|im_end|>"]), True) == ("", "In Porto.", Done("stop"))


def test_a_reply_that_ends_while_thinking_has_no_text(scripted: Scripted) -> None:
    assert both_channels(scripted(SCRIPT), True, max_tokens=2) == ("The [1] memory", "", Done("length"))


def test_tags_spelled_letter_by_letter_do_not_leak(scripted: Scripted) -> None:
    held = scripted(
        ["<", "thi", "nk>", "hm", "</", "th", "ink", ">", "In", " Porto", "<|im_", "st", "art", "|>"]
    )
    thought, text, _ = both_channels(held, True, max_tokens=14)
    assert (thought, text) == ("hm", "In Porto")


def test_a_letter_cut_over_two_tokens_arrives_whole(scripted: Scripted) -> None:
    held = scripted([" Port", b"\xc3", b"\xb3", " Santo", "<|im_end|>"])
    prompt = scene("Where?")
    deltas = [
        event for event in run(held, prompt, sampling(ignore_eos=False)) if isinstance(event, TextDelta)
    ]
    assert deltas == [TextDelta("Port"), TextDelta("ó"), TextDelta(" Santo")]


def test_a_letter_cut_off_by_the_end_does_not_break_the_reply(scripted: Scripted) -> None:
    held = scripted([" Port", b"\xc3", "<|im_end|>"])
    assert both_channels(held, False)[1] == "Port\N{REPLACEMENT CHARACTER}"


def test_both_engines_say_the_same_of_one_model(tiny_backend: Backend, folder_backend: Backend) -> None:
    prompt = scene("Where do you live, and since when? São Paulo — 東京 👩‍👩‍👧")
    assert folder_backend.count_prompt(prompt) == tiny_backend.count_prompt(prompt)
    for text in ("<|im_end|> is a word here", "I've  moved\r\n\n in 2024"):
        assert folder_backend.count_tokens(text) == tiny_backend.count_tokens(text)
    replies = [text_of(run(held, prompt, sampling(temperature=0))) for held in (tiny_backend, folder_backend)]
    assert replies[0]
    assert replies[0] == replies[1]


def test_an_adapter_changes_what_a_folder_says(folder_backend: Backend, tmp_path: Path) -> None:
    peft, torch = pytest.importorskip("peft"), pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder_backend.info.path)
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    tuned.save_pretrained(tmp_path / "adapter")
    adapted = TransformersBackend(
        Path(folder_backend.info.path), ModelSettings(threads=1, adapter=str(tmp_path / "adapter"))
    )
    prompt = scene("Where do you live?")
    replies = [text_of(run(held, prompt, sampling(temperature=0))) for held in (folder_backend, adapted)]
    adapted.close()
    assert replies[0] != replies[1]


def test_a_folder_that_cannot_be_opened_is_named(folder_backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}', encoding="utf-8")
    with pytest.raises(ModelError, match="cannot open") as refused:
        TransformersBackend(tmp_path, ModelSettings())
    assert refused.value.hint
    with pytest.raises(ModelError, match="CUDA"):
        TransformersBackend(Path(folder_backend.info.path), ModelSettings(four_bit=True, gpu_layers=0))
    with pytest.raises(ModelError, match="JSON schema"):
        run(folder_backend, scene("Where?"), sampling(schema='{"type": "object"}'))


def test_a_packed_cache_is_read_again_as_it_was_written(tiny_model_path: Path) -> None:
    held = LlamaCppBackend(tiny_model_path, ModelSettings(threads=1, kv_cache="q8_0"))
    prompt = scene("Where do you live?")
    first, second = (run(held, prompt, sampling(temperature=0)) for _ in range(2))
    held.close()
    assert text_of(first) == text_of(second) != ""
    assert usage_of(second).cached_tokens == usage_of(second).prompt_tokens - 1
