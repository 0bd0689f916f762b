"""The themes: the app's own, those of the user, and what becomes of files that are none."""

from dataclasses import asdict
from pathlib import Path

import pytest
import tomlkit
from textual.theme import BUILTIN_THEMES

from persona import config, paths
from persona.config import Settings, TuiSettings
from persona.tui import themes
from tui.conftest import chat, make_app, opened, screen_text, wait_until
from tui.scripted import ScriptedEngine

WIDE = (110, 36)


async def test_a_theme_of_ones_own_and_the_contrast_theme(engine: ScriptedEngine) -> None:
    folder = paths.config_file().parent / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('primary = "#336699"\ndark = true\n', encoding="utf-8")
    async with make_app(engine, settings=Settings(tui=TuiSettings(theme="mine"))).run_test() as pilot:
        await opened(pilot)
        assert pilot.app.theme == "mine"
        assert "persona-contrast" in pilot.app.available_themes


async def test_a_broken_theme_file_is_named_and_the_others_are_there(engine: ScriptedEngine) -> None:
    folder = paths.config_file().parent / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('primary = "blurple"\n', encoding="utf-8")
    (folder / "yours.toml").write_text('primary = "#336699"\n', encoding="utf-8")
    settings = Settings(tui=TuiSettings(theme="mine"))
    async with make_app(engine, settings=settings).run_test(size=WIDE, notifications=True) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "mine.toml" in screen_text(pilot).replace("\n", ""))
        assert pilot.app.theme == "persona-dark"
        pilot.app.theme = "yours"
        await pilot.pause()
        assert pilot.app.theme == "yours"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('primary = "blurple"', "`primary` is no colour: 'blurple'"),
        ("primary = 3", "`primary` is no colour: 3"),
        ("dark = true", "it has no `primary`"),
        ('primary = "#fff"\ndark = "no"', "`dark` is true or false, not 'no'"),
        ('primary = "#fff"\ntext_alpha = 5', "`text_alpha` is a number from 0 to 1, not 5"),
        ('primary = "#fff"\nname = "x"', "`name` is no part of a theme"),
        ('primary = "#fff"\nvariables = 1', "`variables` is no part of a theme"),
        ('primary = "#fff"\n[variables]\nscrollbar = "greyish"', "`scrollbar` is no colour: 'greyish'"),
        ('primary = "#fff"\n[variables]\nlink-style = "fat"', "`link-style` is no style of text: 'fat'"),
        ('primary = "#fff"\n[variables]\n"a b" = "}"', "`a b` is no variable of a theme"),
        ("primary = ", "Invalid value"),
    ],
)
def test_what_is_wrong_with_a_theme_file_is_said_by_file_and_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    found, (error,) = themes.read(tmp_path)
    assert found == []
    assert said in error.message
    assert str(tmp_path / "mine.toml") in error.message


def test_every_theme_of_textual_and_our_own_would_pass_as_a_file(tmp_path: Path) -> None:
    for theme in (*BUILTIN_THEMES.values(), *themes.THEMES):
        values = {k: v for k, v in asdict(theme).items() if v is not None and k != "name"}
        (tmp_path / f"{theme.name}.toml").write_text(tomlkit.dumps(values), encoding="utf-8")
    found, broken = themes.read(tmp_path)
    assert broken == []
    assert len(found) == len(BUILTIN_THEMES) + len(themes.THEMES)


async def test_a_theme_that_is_picked_is_kept(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        assert not paths.config_file().exists()
        await chat(pilot).run_action("app.change_theme")
        await wait_until(pilot, lambda: "Search for themes" in screen_text(pilot))
        await pilot.press(*"persona-light")
        await wait_until(pilot, lambda: "persona-dark" not in screen_text(pilot))
        await pilot.press("enter", "enter")
        await wait_until(pilot, lambda: pilot.app.theme == "persona-light")
        assert config.load().tui.theme == "persona-light"
