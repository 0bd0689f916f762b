"""One key map: every binding has an id in it, and whatever names a key names the one that is in force."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from persona import tui
from persona.config import Settings, TuiSettings
from persona.tui import keys
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from tui.conftest import chat, make_app, opened, screen_text, wait_until
from tui.scripted import ScriptedEngine
from tui.test_palette import told


def ours() -> Iterator[type[DOMNode]]:
    """Every screen and widget of the app, and the app."""
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, DOMNode) and kind.__module__ == module.name:
                yield kind


def test_every_binding_has_an_id_in_the_key_map() -> None:
    bound = [(kind.__name__, binding) for kind in ours() for binding in vars(kind).get("BINDINGS", ())]
    assert len(bound) >= len(keys.BY_ID)
    for name, binding in bound:
        assert isinstance(binding, Binding), name
        assert binding.id in keys.BY_ID, (name, binding)


def test_an_id_is_of_one_action() -> None:
    ids = [action.id for _, actions in keys.ALL for action in actions]
    assert len(ids) == len(set(ids)) == len(keys.BY_ID)


def test_every_screen_lists_its_actions_for_the_palette() -> None:
    for kind in ours():
        bound = [binding.id for binding in vars(kind).get("BINDINGS", ())]
        if bound and kind.__name__ != "Said":  # what it does has names of the chat's own in the palette
            assert [action.id for action in vars(kind)["ACTIONS"]] == bound, kind


REMAPPED = {
    "chat.help": "f11",
    "chat.regenerate": "ctrl+b",
    "prompt.send": "ctrl+e",
    "chat.prompt": "alt+p",
    "chat.rename": "f12",
    "line.close": "ctrl+l",
    "app.palette": "f10",
    "fold.open": "o",
}


async def test_what_names_a_key_names_the_one_in_force(engine: ScriptedEngine) -> None:
    settings = Settings(tui=TuiSettings(keys=REMAPPED))
    app = make_app(engine, settings=settings, session_id=told(engine))
    async with app.run_test(size=(100, 34), notifications=True) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "2 of 2" in screen_text(pilot))
        screen = chat(pilot)
        await screen.run_action("edit")
        assert "ctrl+e asks it in a fork of this chat, alt+p leaves it" in screen_text(pilot)
        await pilot.press("alt+p")
        await pilot.press("f12")
        await wait_until(pilot, lambda: isinstance(app.screen, LineScreen))
        await wait_until(pilot, lambda: "leave it (ctrl+l)" in screen_text(pilot))
        await pilot.press("escape")
        assert isinstance(app.screen, LineScreen)
        await pilot.press("ctrl+l")
        await wait_until(pilot, lambda: app.screen is screen)
        [again] = [c for c in app.get_system_commands(screen) if c.title == "Answer again"]
        assert again.help.endswith("[ctrl+b]")
        await pilot.press("f11")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = " ".join(screen_text(pilot).replace("│", " ").split())
        assert "ctrl+e Send: what is written" in shown
        assert "f10 palette: every action by name" in shown


@pytest.mark.parametrize("id", ["chat.regenerate", "sessions.undo", "draft.first", "app.quit", "step.close"])
async def test_a_hint_is_the_first_of_the_keys(engine: ScriptedEngine, id: str) -> None:
    app = make_app(engine, settings=Settings(tui=TuiSettings(keys={id: "f11,f12"})))
    async with app.run_test() as pilot:
        await opened(pilot)
        assert keys.hint(app, id) == "f11"
        assert keys.hint(app, "glass.close") == "esc"
