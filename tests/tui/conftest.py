"""An app over a scripted engine, with its clocks stopped, and a patient way to wait for it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from persona.config import Settings
from persona.tui.app import PersonaApp
from persona.tui.clocks import Clocks
from persona.tui.door import Opener
from persona.tui.screens.chat import ChatScreen
from tui.scripted import ScriptedEngine, memory

QUESTIONS = ("Where do you live now?", "Why did you leave the bakery?", "What does Jonas do?")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STOPPED_CLOCKS = Clocks(now=lambda: NOON, seconds=lambda: 0.0)

ChatPilot = Pilot[None]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """An engine that says what the test tells it to, with two memories for every turn."""
    engine = ScriptedEngine(tmp_path, (memory(1), memory(2, "the light in the flat is good", score=0.61)))
    yield engine
    if not engine.closed:
        engine.close()


def make_app(
    engine: ScriptedEngine | Opener,
    *,
    settings: Settings | None = None,
    session_id: str | None = None,
    clocks: Clocks = STOPPED_CLOCKS,
) -> PersonaApp:
    """The real app over `engine`, which may also be an opener."""
    opener: Any = (lambda progress: engine) if isinstance(engine, ScriptedEngine) else engine
    return PersonaApp(
        opener,
        settings=settings or Settings(),
        questions=QUESTIONS,
        session_id=session_id,
        clocks=clocks,
        sessions=engine.open_sessions if isinstance(engine, ScriptedEngine) else None,
    )


async def wait_until(pilot: Pilot[Any], condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Poll `condition` until it is true; its value. Fails with what is on the screen otherwise."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never became true; on the screen:\n{screen_text(pilot)}")
        await pilot.pause(0.01)
    await pilot.pause()
    return value


def chat(pilot: Pilot[Any]) -> ChatScreen:
    """The chat screen, also while another one lies over it."""
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, ChatScreen)
    return screen


def text_of(widget: Widget) -> str:
    """What `widget` shows, as plain text."""
    strips = widget.screen._compositor.render_strips() if widget.is_attached else []
    region = widget.region
    rows = strips[region.y : region.bottom]
    return "\n".join(row.crop(region.x, region.right).text.rstrip() for row in rows)


def screen_text(pilot: Pilot[Any]) -> str:
    """What the terminal shows, as plain text."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


async def opened(pilot: Pilot[Any]) -> ChatScreen:
    """Wait until the engine is open; the chat screen."""
    await wait_until(pilot, lambda: "Mira Sol" in screen_text(pilot))
    return chat(pilot)


async def write(pilot: Pilot[Any], text: str) -> None:
    """Write `text` into the prompt and send it."""
    for character in text:
        await pilot.press({" ": "space", "?": "question_mark"}.get(character, character))
    await pilot.press("enter")
