"""Settings: defaults, the file over them, the environment over both, and errors that name the place."""

from pathlib import Path

import pytest

from persona import config, paths
from persona.errors import SettingsError


def write(text: str) -> Path:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_need_no_file() -> None:
    settings = config.load()
    assert settings.model.name == "starter"
    assert settings.memory.budget_tokens == 600
    assert not paths.config_file().exists()


def test_file_overrides_defaults_and_environment_overrides_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[chat]\nthinking = true\nreply_tokens = 64\n")
    monkeypatch.setenv("PERSONA_CHAT__REPLY_TOKENS", "128")
    chat = config.load().chat
    assert (chat.thinking, chat.reply_tokens, chat.compression) == (True, 128, "extractive")


def test_every_setting_says_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("[chat]\nthinking = true\n")
    monkeypatch.setenv("PERSONA_MEMORY__BUDGET_TOKENS", "90")
    shown = {row.key: row for row in config.show()}
    assert (shown["chat.thinking"].source, shown["chat.thinking"].where) == ("file", str(file))
    budget = shown["memory.budget_tokens"]
    assert (budget.value, budget.source, budget.where) == (90, "environment", "PERSONA_MEMORY__BUDGET_TOKENS")
    assert shown["model.name"].source == "default"
    assert all(row.help for row in shown.values())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[chat]\nthinkin = true\n", ["chat.thinkin", "thinking", "compression"]),
        ("[cat]\nthinking = true\n", ["cat", "model, chat, memory"]),
        ("[chat]\ncompression = 'zip'\n", ["chat.compression", "'off'", "'extractive'"]),
        ("[chat]\nlow_mark = 0.9\n", ["chat", "low_mark must be below high_mark"]),
        ("[memory]\nbudget_tokens = 3001\n", ["memory.budget_tokens", "3000"]),
        ("chat = 3\n", ["chat"]),
        ("[chat\n", ["not valid TOML"]),
    ],
)
def test_wrong_file_is_refused_naming_key_file_and_what_is_allowed(text: str, named: list[str]) -> None:
    file = write(text)
    with pytest.raises(SettingsError) as caught:
        config.load()
    said = f"{caught.value.message} | {caught.value.hint}"
    assert [part for part in [*named, str(file)] if part not in said] == []
    assert caught.value.hint


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PERSONA_CHAT__THINKIN", "true"),
        ("PERSONA_CAT__THINKING", "true"),
        ("PERSONA_CHAT__THINKING", "maybe"),
        ("PERSONA_MODEL__CONTEXT", ""),
    ],
)
def test_wrong_variable_is_refused_by_its_name(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        config.load()


def test_a_variable_over_a_broken_section_still_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("chat = 3\n")
    monkeypatch.setenv("PERSONA_CHAT__THINKING", "true")
    with pytest.raises(SettingsError, match="must be a section"):
        config.load()


def test_set_keeps_comments_and_other_settings() -> None:
    file = write("# mine\n[chat]\nthinking = true  # it helps\n")
    assert config.set_value("chat.reply_tokens", "64") == 64
    assert config.set_value("model.name", "/models/own.gguf") == "/models/own.gguf"
    text = file.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "# it helps" in text
    settings = config.load()
    assert (settings.chat.thinking, settings.chat.reply_tokens) == (True, 64)
    assert settings.model.name == "/models/own.gguf"
    assert [p.name for p in file.parent.iterdir()] == [file.name], "no temporary file is left behind"


@pytest.mark.parametrize("key", ["chat.thinkin", "chat", "cat.name", "chat.thinking.deep", ""])
def test_set_refuses_unknown_keys_and_leaves_the_file_alone(key: str) -> None:
    file = write("[chat]\nthinking = true\n")
    with pytest.raises(SettingsError):
        config.set_value(key, "true")
    assert file.read_text(encoding="utf-8") == "[chat]\nthinking = true\n"


def test_set_refuses_a_wrong_value() -> None:
    with pytest.raises(SettingsError, match=r"chat\.thinking"):
        config.set_value("chat.thinking", "perhaps")
    assert not paths.config_file().exists()


def test_set_ignores_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_CHAT__REPLY_TOKENS", "128")
    config.set_value("chat.thinking", "true")
    assert "reply_tokens" not in paths.config_file().read_text(encoding="utf-8")
