"""Adapters on this machine: found, chosen by name or path, refused where they do not fit."""

from pathlib import Path

import gguf
import pytest
from tiny_adapter import write_adapter

from persona import config, paths
from persona.config import ModelSettings
from persona.errors import ModelError, SettingsError
from persona.models.adapters import NONE, adapters, lay_on, named


@pytest.fixture
def mine() -> Path:
    run = paths.data_dir() / "training" / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "mine-f16-lora-merged.gguf").write_bytes(b"GGUF, but no more of it")
    return write_adapter(run / "mine-lora.gguf", 1.0)


def test_adapters_of_runs_are_found_and_the_one_in_force(mine: Path, tmp_path: Path) -> None:
    (found,) = adapters(ModelSettings())
    assert (found.name, found.path, found.base) == ("mine", mine, "qwen3")
    elsewhere = tmp_path / "theirs.gguf"
    assert [a.name for a in adapters(ModelSettings(adapter=str(elsewhere)))] == ["mine", "theirs"]


def test_a_models_folder_takes_folders(mine: Path, tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", mine.parent / "adapter"
    for file in (base / "config.json", adapter / "adapter_config.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}", encoding="utf-8")
    model = ModelSettings(name=str(base))
    assert [(a.name, a.path) for a in adapters(model)] == [("mine", adapter)]
    assert named(model, "mine") == str(adapter)
    with pytest.raises(ModelError, match=r"mine-lora\.gguf is no PEFT adapter"):
        named(model, str(mine))


def test_one_is_laid_on_by_name_by_path_and_taken_off(mine: Path) -> None:
    assert lay_on("mine") == config.load().model.adapter == str(mine)
    assert lay_on(NONE) == config.load().model.adapter == ""
    assert lay_on(str(mine)) == str(mine)


def test_what_does_not_fit_is_refused_and_nothing_changes(
    mine: Path, tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_on("mine")
    other = tmp_path / "llama-lora.gguf"
    writer = gguf.GGUFWriter(str(other), "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    for what, said in (
        ("nosuch", "there is no adapter `nosuch`"),
        (str(other), "was made for llama, and starter is qwen3"),
        (str(tiny_model_path), "is no adapter but a model"),
    ):
        with pytest.raises(ModelError, match=said):
            lay_on(what)
    with pytest.raises(ModelError, match="not over a server's model"):
        named(ModelSettings(name="http://127.0.0.1:9/v1#x"), str(mine))
    assert config.load().model.adapter == str(mine)
    monkeypatch.setenv("PERSONA_MODEL__ADAPTER", "")
    with pytest.raises(SettingsError, match="PERSONA_MODEL__ADAPTER says which"):
        lay_on("mine")
