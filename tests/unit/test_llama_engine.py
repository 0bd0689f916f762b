"""What is mended around llama-cpp-python, checked on the real thing."""

import subprocess
import sys
from pathlib import Path

import gguf
import pytest
from tiny_model import write_tiny_qwen3

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
