"""How it looks, wide and narrow. After a wanted change: `pytest tests/tui --snapshot-update`."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from persona.backends.base import ThinkingDelta
from persona.config import Settings, TuiSettings
from persona.errors import ModelError
from persona.tui.widgets.prompt import Prompt
from tui.conftest import chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine

SIZES = pytest.mark.parametrize("size", [(100, 30), (60, 24)], ids=["wide", "narrow"])
REPLY = """In **Porto**, since March 2024:

- the flat is in *Cedofeita*
- the light is good

```python
print("olá")
```
"""

Compare = Callable[..., bool]
Before = Callable[[Pilot[Any]], Awaitable[None]]


async def still(pilot: Pilot[Any]) -> None:
    """The app once the engine is open, with a cursor that does not blink."""
    screen = await opened(pilot)
    screen.query_one(Prompt).cursor_blink = False


def conversation(engine: ScriptedEngine, *, unfold: bool = False) -> Before:
    """One turn with thinking and memories."""

    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await pilot.press("ctrl+t")
        await write(pilot, "where do you live?")
        engine.say(ThinkingDelta("Memory 1 says Porto, and it is the newest."), REPLY)
        engine.end()
        await wait_until(pilot, lambda: "512" in screen_text(pilot))
        if unfold:
            await pilot.press("ctrl+f")
            await wait_until(pilot, lambda: "score 0.61" in screen_text(pilot))

    return before


@SIZES
def test_welcome(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(engine), terminal_size=size, run_before=still)


@SIZES
def test_conversation(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(engine), terminal_size=size, run_before=conversation(engine))


@SIZES
def test_memories(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(engine), terminal_size=size, run_before=conversation(engine, unfold=True))


def test_light(snap_compare: Compare, engine: ScriptedEngine) -> None:
    app = make_app(engine, settings=Settings(tui=TuiSettings(theme="persona-light")))
    assert snap_compare(app, terminal_size=(100, 30), run_before=conversation(engine))


@SIZES
def test_help(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await pilot.press("f1")
        await wait_until(pilot, lambda: pilot.app.screen is not chat(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_error(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await write(pilot, "where?")
        engine.say(
            "Well", ModelError("the prompt does not fit the context of 2,048 tokens", "start a new chat")
        )
        await wait_until(pilot, lambda: "start a new chat" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)
