"""The command palette: every action that can be started here, and the keys that do it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.dom import DOMNode
from textual.screen import Screen

from persona.tui import keys


def palette(screen: Screen[Any]) -> Iterator[SystemCommand]:
    """One command for every action of what has the focus, then of what that is in, up to the screen.

    Whatever has actions lists them as ACTIONS. Of two of one title, the nearer one is meant.
    """
    taken: set[str] = set()
    for place in _places(screen):
        for action in getattr(place, "ACTIONS", ()):
            if action.title not in taken:
                taken.add(action.title)
                pressed = keys.in_force(screen.app, action.id)
                about = f"{action.help}  [{pressed}]" if pressed else action.help
                yield SystemCommand(action.title, about, partial(_run, place, action.action))


def _places(screen: Screen[Any]) -> Iterator[DOMNode]:
    nodes = screen.focused.ancestors_with_self if screen.focused is not None else [screen]
    yield from (node for node in nodes if node is not screen.app)


async def _run(place: DOMNode, action: str) -> None:
    await place.app.run_action(action, place)
