"""The app's own two themes; every theme of Textual can be chosen beside them."""

from textual.theme import Theme

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

DEFAULT = DARK.name
THEMES = (DARK, LIGHT)
