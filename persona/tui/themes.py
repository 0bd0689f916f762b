"""The app's own themes, and those of the user; every theme of Textual can be chosen beside them."""

import tomllib
from pathlib import Path

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


def read(folder: Path) -> list[Theme]:
    """The user's themes: one TOML file each, named as the theme, with the fields of a Textual theme.

    Raises SettingsError naming the file that cannot be used.
    """
    return [_read(file) for file in sorted(folder.glob("*.toml"))]


def _read(file: Path) -> Theme:
    try:
        return Theme(name=file.stem, **tomllib.loads(file.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise SettingsError(
            f"{file} is no theme: {error}",
            'it needs `primary = "#e0a458"`, and may have secondary, accent, foreground, background, '
            "surface, panel, success, warning, error, dark and [variables]",
        ) from None
