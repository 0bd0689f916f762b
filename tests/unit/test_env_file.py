"""Keys come from the environment or from the user's own `.env`, and from nowhere else."""

import os
from pathlib import Path

import pytest

from persona import config, env_file
from persona.cli.root import run
from persona.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    # set first, so that what the code adds is taken away again
    for name in ("HF_TOKEN", "PERSONA_MODEL__NAME", "PERSONA_CHAT__THINKING"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def write(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / ".env").write_text(text, encoding="utf-8")


def test_what_is_set_already_goes_before_the_file(
    persona_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(persona_home, 'HF_TOKEN="from the file"\nPERSONA_MODEL__NAME=qwen3-4b # comment\nEMPTY=\n')
    monkeypatch.setenv("PERSONA_MODEL__NAME", "starter")
    env_file.load()
    assert os.environ["HF_TOKEN"] == "from the file"
    assert config.load().model.name == "starter"
    assert "EMPTY" not in os.environ


def test_a_command_reads_it_and_no_other(
    persona_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("PERSONA_CHAT__THINKING=true\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write(persona_home, "PERSONA_MODEL__NAME=qwen3-4b\n")
    assert run(["config", "show", "--json"]) == 0
    shown = capsys.readouterr().out
    assert "qwen3-4b" in shown
    assert not config.load().chat.thinking


def test_a_file_that_is_no_text_is_explained(persona_home: Path) -> None:
    write(persona_home, "")
    (persona_home / ".env").write_bytes(b"\xff\xfe\x00KEY")
    with pytest.raises(SettingsError, match=r"\.env"):
        env_file.load()


def test_the_example_names_no_value_that_would_count(tmp_path: Path, persona_home: Path) -> None:
    write(persona_home, (ROOT / ".env.example").read_text(encoding="utf-8"))
    before = dict(os.environ)
    env_file.load()
    assert dict(os.environ) == before
