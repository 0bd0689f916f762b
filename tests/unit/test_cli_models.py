"""`persona models` from the command line, against a hub on this machine that has a real (tiny) model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_hub import Hub, running_hub

from persona import config, models, paths
from persona.cli.root import run

NAME = "qwen3-0.6b"


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with running_hub() as running:
        entry = models.known(NAME)
        running.files[f"{entry.repo}/{entry.file}"] = tiny_model_path.read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_first_model_pulled_talks_and_the_next_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "pull", NAME, "--json"]) == 0
    pulled = told(capsys)
    assert (pulled["name"], pulled["downloaded"], pulled["in_use"]) == (NAME, True, True)
    assert pulled["bytes"] == Path(pulled["path"]).stat().st_size
    assert config.load().model.name == NAME

    config.set_value("model.name", "starter")
    models.known(NAME).own_path.unlink()
    assert run(["models", "pull", NAME]) == 0
    assert f"now `persona models use {NAME}`" in capsys.readouterr().out
    assert config.load().model.name == "starter"

    assert run(["models", "pull", NAME]) == 0
    assert "here already" in capsys.readouterr().out


def test_a_pull_without_a_network_is_one_error_with_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert run(["models", "pull", NAME]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[:11] for line in err.splitlines()] == ["persona: 12", "  → check t"]
    assert config.load().model.name == "starter"


def test_the_list_has_known_and_found_models(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_model_path: Path
) -> None:
    mine = tmp_path / ".lmstudio/models/me/Mine-GGUF/mine.gguf"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(tiny_model_path.read_bytes())
    assert run(["models", "use", "me/Mine-GGUF/mine.gguf"]) == 0
    capsys.readouterr()
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in told(capsys)}
    assert rows["starter"]["available"]
    assert rows["qwen3-4b"]["size_gb"] == 2.5
    assert not rows["qwen3-4b"]["available"]
    assert rows["me/Mine-GGUF/mine.gguf"]["about"] == "found in LM Studio"
    assert [name for name, row in rows.items() if row["in_use"]] == ["me/Mine-GGUF/mine.gguf"]
    assert run(["models", "list"]) == 0
    assert "suggested here: " in capsys.readouterr().out


def test_info_of_a_model_that_is_not_here_and_of_one_that_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "info", "qwen3-8b", "--json"]) == 0
    assert (told(capsys)["available"], paths.models_dir().exists()) == (False, False)
    assert run(["models", "info", "starter", "--json"]) == 0
    starter = told(capsys)
    assert (starter["available"], starter["architecture"], starter["is_starter"]) == (True, "qwen3", True)
    assert run(["models", "info", "no-such-model"]) == 1


def test_remove(capsys: pytest.CaptureFixture[str]) -> None:
    own = models.known(NAME).own_path
    own.parent.mkdir(parents=True)
    own.write_bytes(b"GGUF")
    assert run(["models", "remove", NAME, "--json"]) == 0
    assert told(capsys) == [{"removed": str(own)}]
    assert run(["models", "remove", NAME]) == 1
