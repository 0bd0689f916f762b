"""What is mended around llama-cpp-python, checked on the real thing."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tiny_model import write_tiny_qwen3

from persona import paths
from persona.backends import lookup
from persona.backends.base import ChatMessage, Prompt, Sampling, TextDelta
from persona.backends.llama_cpp import LlamaCppBackend
from persona.backends.llama_engine import LlamaEngine
from persona.config import ModelSettings
from persona.errors import ModelError


@pytest.fixture(scope="module")
def engine(tiny_model_path: Path) -> LlamaEngine:
    return LlamaEngine(str(tiny_model_path), n_ctx=512, n_threads=1, verbose=False)


def test_weights_are_never_repacked(engine: LlamaEngine) -> None:
    """Repacked buffers choose AMX kernels, which die with SIGILL in some virtual machines."""
    assert engine.model_params.use_extra_bufts is False
    assert engine._model.params.use_extra_bufts is False


def test_advance_evaluates_only_what_is_new(engine: LlamaEngine) -> None:
    engine.reset()
    for tokens, new in (([1, 2, 3], 3), ([1, 2, 3, 4], 1), ([1, 2], 0), ([1, 9, 3], 2)):
        before = engine.evaluated
        engine.advance(tokens)
        assert engine.evaluated - before == new


def test_a_piece_longer_than_32_bytes_arrives_whole(tmp_path: Path) -> None:
    from tiny_model import write_scripted_qwen3

    phrase = "a phrase of rather more than thirty-two bytes, and then some: é" * 2
    engine = LlamaEngine(str(write_scripted_qwen3(tmp_path / "m.gguf", [phrase])), n_ctx=64, verbose=False)
    (token,) = engine.encode(phrase, template=True)
    assert engine.piece(token) == phrase.encode()


def test_loading_is_silent_and_leaves_standard_output_alone(tiny_model_path: Path) -> None:
    program = f"""
import os, threading, time
from pathlib import Path
from persona.backends.llama_cpp import LlamaCppBackend
from persona.config import ModelSettings
before = os.fstat(1).st_ino, os.fstat(2).st_ino
seen = set()
done = threading.Event()
def watch():
    while not done.is_set():
        seen.add((os.fstat(1).st_ino, os.fstat(2).st_ino))
watcher = threading.Thread(target=watch)
watcher.start()
LlamaCppBackend(Path({str(tiny_model_path)!r}), ModelSettings(threads=1)).close()
done.set()
watcher.join()
print(seen == {{before}})
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert ran.stdout == "True\n"
    assert ran.stderr == ""


def test_importing_the_backend_does_not_import_the_engine() -> None:
    program = "import sys, persona.models, persona.backends.llama_cpp; print('llama_cpp' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "False\n"


def test_a_damaged_model_is_an_error_with_the_engine_s_reason(tmp_path: Path, tiny_model_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny_model_path.read_bytes()[:-200_000])
    with pytest.raises(ModelError, match=r"damaged\.gguf") as refused:
        LlamaCppBackend(damaged, ModelSettings(threads=1))
    assert "tensor" in refused.value.message
    assert refused.value.hint


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    for content in (b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 64, b"hello, this is no model at all"):
        file = tmp_path / "no.gguf"
        file.write_bytes(content)
        with pytest.raises(ModelError, match="not a readable GGUF"):
            LlamaCppBackend(file, ModelSettings())


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_name("a base model")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelError, match="chat template"):
        LlamaCppBackend(path, ModelSettings())


def test_the_context_is_the_one_asked_for_or_8192(tmp_path: Path) -> None:
    path = write_tiny_qwen3(tmp_path / "tiny.gguf")
    for asked, opened in ((0, 8192), (2048, 2048), (100_000, 32_768)):
        backend = LlamaCppBackend(path, ModelSettings(context=asked, threads=1))
        assert backend.info.context == opened
        backend.close()


LEASE = "The lease of the flat in Porto ends on 14 March 2027, and the key is with Jonas."


def said_by(path: Path, speculative: str, **how: Any) -> tuple[list[str], int, int]:
    """What a model answers to prompts that repeat themselves, evaluations made, bytes of scores kept."""
    backend = LlamaCppBackend(path, ModelSettings(threads=1, speculative=speculative))  # type: ignore[arg-type]
    engine: Any = backend._engine
    calls, decode = [], engine._ctx.decode
    engine._ctx.decode = lambda batch: (calls.append(batch), decode(batch))
    sampling = replace(Sampling(0, top_p=0.9, top_k=20, max_tokens=60, seed=3, ignore_eos=True), **how)
    replies = []
    # a batch rounds otherwise than one token does: past the end of a reply two tokens may tie
    for question in (f"Say it again: {LEASE} {LEASE} The lease", "Who are you?", f"{LEASE} {LEASE} {LEASE}"):
        events = backend.stream(Prompt((ChatMessage("user", question),)), sampling, threading.Event())
        replies.append("".join(event.text for event in events if isinstance(event, TextDelta)))
    size = engine.scores.nbytes
    backend.close()
    return replies, len(calls), size


@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.7}, {"presence_penalty": 1.0}, {"schema": '{"type": "string", "minLength": 30}'}],
    ids=["likeliest", "drawn", "penalised", "schema"],
)
def test_guessed_tokens_change_nothing_and_save_evaluations(how: dict[str, Any]) -> None:
    starter = paths.starter_model()
    plain, evaluations, size = said_by(starter, "off", **how)
    guessed, fewer, as_much = said_by(starter, "prompt_lookup", **how)
    assert plain == guessed
    assert all(plain)
    assert as_much == size, "scores of a batch, not of the whole context"
    if not how:
        assert fewer < 0.8 * evaluations


@pytest.mark.parametrize(
    ("ids", "guess"),
    [
        ([1, 2, 3, 4, 5, 6, 1, 2, 3], [4, 5, 6, 1, 2, 3]),
        ([1, 2, 3, 9, 1, 2, 3, 4, 1, 2, 3], [4, 1, 2, 3]),
        ([7, 7, 7, 7], [7]),
        ([1, 2, 3, 4, 5, 2, 3], []),
        ([1, 2, 3], []),
        ([], []),
    ],
)
def test_a_guess_is_what_stood_after_the_last_same_words(ids: list[int], guess: list[int]) -> None:
    assert lookup.guess(np.array(ids, dtype=np.intc)).tolist() == guess


def test_a_reply_cut_within_a_guess_leaves_the_cache_as_it_says() -> None:
    prompt = Prompt((ChatMessage("user", f"{LEASE} {LEASE} The lease"),))
    sampling = Sampling(0, top_p=1, top_k=0, max_tokens=40, seed=1, ignore_eos=True)

    def all_of(backend: LlamaCppBackend) -> list[Any]:
        return [e for e in backend.stream(prompt, sampling, threading.Event()) if isinstance(e, TextDelta)]

    backend = LlamaCppBackend(paths.starter_model(), ModelSettings(threads=1, speculative="prompt_lookup"))
    whole = all_of(backend)
    for cut in range(1, 6):
        stream = backend.stream(prompt, sampling, threading.Event())
        for _ in range(cut):
            next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert all_of(backend) == whole
    backend.close()
