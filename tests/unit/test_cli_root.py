"""The root command: exit codes, what goes where, and a quick start."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from persona import config, paths
from persona.cli.ask import COMPRESSIONS
from persona.cli.root import root, run


def test_help_lists_every_command_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name in root.list_commands(click.Context(root)):
        command = root.get_command(click.Context(root), name)
        assert command is not None
        assert command.get_short_help_str(), f"{name} has no help"
        assert f"\n  {name} " in out


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--version"], 0),
        (["nonsense"], 2),
        (["messages", "--limit", "0"], 2),
        (["messages", "--limit", "many"], 2),
        (["config", "set", "chat.thinking"], 2),
        (["memory", "search", "x", "--now", "yesterday"], 2),
        (["ask", "hello", "--compression", "zip"], 2),
        (["ask", "  "], 2),
        (["config", "set", "chat.nothing", "1"], 1),
        (["sessions", "show", "s-none"], 1),
        (["models", "info", "no-such-model"], 1),
        (["chat"], 1),
    ],
)
def test_exit_codes(args: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    if code:
        assert said.out == "", "an error leaves standard output to whoever reads it"


def test_an_error_is_one_line_what_happened_and_one_line_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["config", "set", "chat.nothing", "1"]) == 1
    happened, remedy = capsys.readouterr().err.splitlines()
    assert "chat.nothing" in happened
    assert str(paths.config_file()) in happened
    assert "thinking" in remedy


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--debug", "config", "set", "chat.nothing", "1"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_locate_names_folders_under_the_home(persona_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["locate", "--json"]) == 0
    places = json.loads(capsys.readouterr().out)
    assert places["home"] == str(persona_home)
    assert all(places[key].startswith(str(persona_home)) for key in ("config", "data", "log", "models"))
    assert not persona_home.exists(), "looking must not write"


def test_config_show_set_and_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["config", "set", "chat.thinking", "yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] is True
    monkeypatch.setenv("PERSONA_CHAT__REPLY_TOKENS", "77")
    assert run(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["chat.thinking"] == {"value": True, "source": "file", "where": str(paths.config_file())}
    assert shown["chat.reply_tokens"]["where"] == "PERSONA_CHAT__REPLY_TOKENS"
    assert shown["model.name"] == {"value": "starter", "source": "default", "where": None}
    assert run(["config", "path"]) == 0
    assert capsys.readouterr().out.strip() == str(paths.config_file())


def test_models_use_and_list(tiny_model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "use", str(tiny_model_path)]) == 0
    assert config.load().model.name == str(tiny_model_path)
    capsys.readouterr()
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[str(tiny_model_path)]["in_use"]
    assert not rows["starter"]["in_use"]
    assert run(["models", "info", str(tiny_model_path), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["architecture"] == "qwen3"
    assert "details" not in info


def test_compressions_offered_are_those_of_the_settings() -> None:
    assert config.Compression.__args__ == COMPRESSIONS


def test_starting_up_loads_nothing_heavy() -> None:
    heavy = {"torch", "chromadb", "sentence_transformers", "transformers", "llama_cpp", "textual", "rich"}
    code = (
        "import sys; from persona.cli.root import run; run(['--help']); "
        f"sys.exit(', '.join(sorted({heavy!r} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
