"""A LoRA adapter laid over a model by `model.adapter`, and as a setting of an A/B arm."""

import threading
from pathlib import Path

import pytest
from tiny_adapter import HIDDEN, write_adapter

from persona.backends.base import ChatMessage, Prompt, Sampling, TextDelta
from persona.backends.llama_cpp import LlamaCppBackend
from persona.config import ModelSettings, Settings
from persona.errors import ModelError
from persona.lab.ab import arms
from persona.models import open_backend


def says(model: Path, adapter: str = "") -> str:
    """The first words of a greedy reply."""
    backend = LlamaCppBackend(model, ModelSettings(threads=1, context=256, adapter=adapter))
    sampling = Sampling(temperature=0.0, top_p=1.0, top_k=1, max_tokens=12, ignore_eos=True)
    prompt = Prompt((ChatMessage("user", "Where do you live now?"),))
    said = backend.stream(prompt, sampling, threading.Event())
    text = "".join(e.text for e in said if isinstance(e, TextDelta))
    backend.close()
    return text


def test_an_adapter_changes_what_the_model_says(tiny_model_path: Path, tmp_path: Path) -> None:
    plain = says(tiny_model_path)
    assert says(tiny_model_path, str(write_adapter(tmp_path / "none.gguf", 0.0))) == plain
    assert says(tiny_model_path, str(write_adapter(tmp_path / "strong.gguf", 9.0))) != plain


def test_an_adapter_that_is_missing_or_of_another_model_is_an_error(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="there is no adapter at"):
        says(tiny_model_path, str(tmp_path / "none.gguf"))
    wide = write_adapter(tmp_path / "wide.gguf", 1.0, hidden=2 * HIDDEN)
    with pytest.raises(ModelError, match=r"cannot lay the adapter wide\.gguf over"):
        says(tiny_model_path, str(wide))
    with pytest.raises(ModelError, match="not over a server's model"):
        open_backend(ModelSettings(name="http://127.0.0.1:9/v1#x", adapter=str(wide)))


def test_an_adapter_is_a_setting_of_an_arm(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    file.write_text('[plain]\n[mine]\nmodel.adapter = "me-lora.gguf"\n', encoding="utf-8")
    plain, mine = arms.chosen(str(file))
    base = Settings()
    assert (plain.settings(base).model.adapter, mine.settings(base).model.adapter) == ("", "me-lora.gguf")
