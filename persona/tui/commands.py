"""The command palette: every action of the key map, and the keys that start them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen


def palette(screen: Screen[Any]) -> Iterator[SystemCommand]:
    """One command for every action the screen has; it lists them as ACTIONS."""
    for action in getattr(screen, "ACTIONS", ()):
        key = f"  [{action.keys}]" if action.keys else ""
        yield SystemCommand(action.title, f"{action.help}{key}", partial(screen.run_action, action.action))
