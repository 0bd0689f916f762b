"""Fixtures for every test: a temporary home, and the measuring data where it is present."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import write_tiny_qwen3

from knowledge.memory import MemoryStore
from persona import paths
from persona.backends.base import Backend
from persona.config import ModelSettings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def persona_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test; nothing of the developer's environment leaks in."""
    for name in list(os.environ):
        if name.startswith("PERSONA_") and name != "PERSONA_SHARED_DATA":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("PERSONA_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports and benchmarks that are measured against but never shipped."""
    folder = Path(os.environ.get("PERSONA_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no measuring data at {folder} (set PERSONA_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weight Qwen3 GGUF: the real engine and template, noise for text."""
    return write_tiny_qwen3(tmp_path_factory.mktemp("models") / "tiny-qwen3.gguf")


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample twin, imported and embedded once for the whole run. Read it, don't write."""
    from persona import demo

    home = tmp_path_factory.mktemp("sample") / "home"
    before = os.environ.get("PERSONA_HOME")
    demo.prepare(home)
    if before is None:
        del os.environ["PERSONA_HOME"]
    else:
        os.environ["PERSONA_HOME"] = before
    return home


@pytest.fixture(scope="session")
def sample_memory(sample_home: Path) -> Iterator[MemoryStore]:
    """What the sample twin knows, with all vectors. Read it, don't write."""
    store = MemoryStore(sample_home / "data" / "knowledge")
    yield store
    store.close()


@pytest.fixture(scope="session")
def starter_backend() -> Iterator[Backend]:
    """The bundled starter model, opened once for the whole run."""
    from persona.backends.llama_cpp import LlamaCppBackend

    path = paths.starter_model()
    if not path.is_file():
        pytest.skip(f"no starter model at {path} (build it: python -m trainer.starter)")
    backend = LlamaCppBackend(path, ModelSettings(threads=1))
    yield backend
    backend.close()
