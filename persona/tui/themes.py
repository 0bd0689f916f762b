"""The app's own themes, and those of the user; every theme of Textual can be chosen beside them."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.theme import Theme

from persona.errors import SettingsError

DARK = Theme(
    name="persona-dark",
    primary="#e0a458",
    secondary="#7fb7be",
    accent="#e0a458",
    foreground="#e4e0d8",
    background="#15161b",
    surface="#1b1d24",
    panel="#262934",
    success="#9ac48a",
    warning="#e9c46a",
    error="#ef7d65",
    dark=True,
    variables={
        "footer-key-foreground": "#e0a458",
        "block-cursor-background": "#e0a458",
        "block-cursor-foreground": "#15161b",
        "scrollbar": "#3a3e4c",
        "scrollbar-hover": "#4d5263",
        "scrollbar-active": "#e0a458",
        "scrollbar-background": "#15161b",
        "scrollbar-background-hover": "#1b1d24",
        "scrollbar-background-active": "#1b1d24",
        "scrollbar-corner-color": "#15161b",
    },
)

LIGHT = Theme(
    name="persona-light",
    primary="#9c5318",
    secondary="#22707a",
    accent="#9c5318",
    foreground="#292724",
    background="#faf8f4",
    surface="#f2eee7",
    panel="#e7e0d5",
    success="#3d7a3a",
    warning="#8a6100",
    error="#b3371f",
    dark=False,
    variables={
        "footer-key-foreground": "#9c5318",
        "scrollbar": "#cbbfae",
        "scrollbar-hover": "#b5a690",
        "scrollbar-active": "#9c5318",
        "scrollbar-background": "#faf8f4",
        "scrollbar-background-hover": "#f2eee7",
        "scrollbar-background-active": "#f2eee7",
        "scrollbar-corner-color": "#faf8f4",
    },
)

CONTRAST = Theme(
    name="persona-contrast",
    primary="#ffff00",
    secondary="#00ffff",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    success="#00ff00",
    warning="#ffff00",
    error="#ff8080",
    dark=True,
    variables={
        "footer-key-foreground": "#ffff00",
        "block-cursor-background": "#ffff00",
        "block-cursor-foreground": "#000000",
        "scrollbar": "#ffffff",
        "scrollbar-hover": "#ffff00",
        "scrollbar-active": "#ffff00",
        "scrollbar-background": "#000000",
    },
)

DEFAULT = DARK.name
THEMES = (DARK, LIGHT, CONTRAST)


_COLOURS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
_SWITCHES = ("dark", "ansi")
_SHARES = ("luminosity_spread", "text_alpha")
_HINT = (
    'it needs `primary = "#e0a458"`, and may have secondary, accent, foreground, background, surface, panel, '
    "boost, success, warning, error, dark and [variables]"
)


def read(folder: Path) -> tuple[list[Theme], list[SettingsError]]:
    """The user's themes: one TOML file each, named as the theme, with the fields of a Textual theme; and what
    is wrong with each file that cannot be used."""
    themes, broken = [], []
    for file in sorted(folder.glob("*.toml")):
        try:
            themes.append(_read(file))
        except SettingsError as error:
            broken.append(error)
    return themes, broken


def _read(file: Path) -> Theme:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} is no theme: {error}", _HINT) from None
    # Textual would find these out when the theme is applied, and end the app.
    if wrong := list(_wrong(values)):
        raise SettingsError(f"{file} is no theme: {'; '.join(wrong)}", _HINT)
    return Theme(name=file.stem, **values)


def _wrong(values: Mapping[str, Any]) -> Iterator[str]:
    if "primary" not in values:
        yield "it has no `primary`"
    for name, value in values.items():
        if name in _COLOURS:
            if not _is_colour(value):
                yield f"`{name}` is no colour: {value!r}"
        elif name in _SWITCHES:
            if not isinstance(value, bool):
                yield f"`{name}` is true or false, not {value!r}"
        elif name in _SHARES:
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                yield f"`{name}` is a number from 0 to 1, not {value!r}"
        elif name == "variables" and isinstance(value, dict):
            yield from _wrong_variables(value)
        else:
            yield f"`{name}` is no part of a theme"


def _wrong_variables(variables: Mapping[str, Any]) -> Iterator[str]:
    known = DARK.to_color_system().generate()
    for name, value in variables.items():
        if name not in known:
            yield f"`{name}` is no variable of a theme"
        elif name.endswith("-style"):
            if not isinstance(value, str) or not set(value.split()) <= VALID_STYLE_FLAGS:
                yield f"`{name}` is no style of text: {value!r}"
        elif not _is_colour(value, in_style_sheet=True):
            yield f"`{name}` is no colour: {value!r}"


def _is_colour(value: object, *, in_style_sheet: bool = False) -> bool:
    """in_style_sheet: it may be a share of a colour, `auto 87%`, too."""
    if not isinstance(value, str):
        return False
    if in_style_sheet:
        value = re.sub(r"\s+\d+(\.\d+)?%$", "", value)
        if value in ("auto", "initial"):
            return True
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True
