"""Pictures of the app for the README: the real app, the sample twin, a real model.

    python scripts/screenshots.py [--model NAME_OR_PATH] [--out docs/screenshots]

Writes welcome, chat, glass, chats, thinking, narrow, light and the steps of a first run as SVG. Takes a
minute; needs no terminal.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from persona import config, paths
from persona.config import Settings
from persona.demo import DEMO_QUESTIONS, enter, prepare
from persona.logs import start as start_logging
from persona.offline import stay_on_this_machine
from persona.tui import first_run
from persona.tui.app import PersonaApp
from persona.tui.opening import Opening
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.glass import Remembered
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.messages import Thinking, TwinMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.status import StatusBar

WIDE, NARROW = (100, 32), (60, 30)
PATIENCE = 300.0
"""Seconds to wait for a reply; a large model on two cores needs some of them."""

Shooter = Callable[[Pilot[None], str], None]


async def wait_until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Poll `condition` until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the app never got there")
        await pilot.pause(0.05)
    await pilot.pause(0.3)


async def ask(pilot: Pilot[None], question: str) -> None:
    """Send `question` and wait for the end of the reply."""
    screen = pilot.app.screen
    replies = len(screen.query(TwinMessage))
    screen.query_one(Prompt).replace_with(question)
    await pilot.press("enter")
    await wait_until(pilot, lambda: len(screen.query(TwinMessage)) > replies)
    status = screen.query_one(StatusBar)
    await wait_until(pilot, lambda: not status.doing)


async def wide(app: PersonaApp, shoot: Shooter) -> None:
    """The welcome, a chat with its memories open, and a reply that was thought about."""
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        await pilot.press("up")
        await pilot.pause(0.3)
        shoot(pilot, "welcome")
        await pilot.press("escape")
        for question in DEMO_QUESTIONS[:2]:
            await ask(pilot, question)
        pilot.app.screen.query(MemoryList).last().opened = True
        await pilot.pause(0.5)
        reply = pilot.app.screen.query(TwinMessage).last()
        pilot.app.screen.query_one(Conversation).scroll_to_widget(reply, top=True, animate=False)
        await pilot.pause(0.3)
        shoot(pilot, "chat")
        await pilot.press("f2")
        await wait_until(pilot, lambda: pilot.app.screen.query(Remembered))
        pilot.app.screen.query(Remembered).first().opened = True
        await pilot.pause(0.5)
        shoot(pilot, "glass")
        await pilot.press("escape", "ctrl+s", *"where")
        await pilot.pause(0.5)
        shoot(pilot, "chats")
        await pilot.press("escape", "ctrl+n", "ctrl+t")
        await wait_until(pilot, lambda: not pilot.app.screen.query(TwinMessage))
        await ask(pilot, DEMO_QUESTIONS[-1])
        for fold in pilot.app.screen.query(Thinking):
            fold.opened = True
        await pilot.pause(0.5)
        shoot(pilot, "thinking")
        pilot.app.theme = "persona-light"
        await pilot.pause(0.5)
        shoot(pilot, "light")


async def narrow(app: PersonaApp, shoot: Shooter) -> None:
    """A chat on sixty columns."""
    async with app.run_test(size=NARROW) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        for question in DEMO_QUESTIONS[:2]:
            await ask(pilot, question)
        shoot(pilot, "narrow")


async def first_run_steps(app: PersonaApp, shoot: Shooter) -> None:
    """The three steps of a first run: a name, an export with its report, the models."""
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(0.5)
        pilot.app.screen.query_one("#names", Input).value = "Mira Sol, mira@nordstern.example"
        await pilot.pause(0.5)
        shoot(pilot, "first-run-who")
        await pilot.press("ctrl+n")
        field = pilot.app.screen.query_one("#path", Input)
        await wait_until(pilot, lambda: field.has_focus)
        field.value = str(paths.sample_dir() / "slack_export.zip")
        await pilot.press("enter")
        await wait_until(pilot, lambda: (known := first_run.pending(config.load())) and known.exports[0].done)
        shoot(pilot, "first-run-exports")
        await pilot.press("ctrl+n")
        models = pilot.app.screen.query_one("#model OptionList", OptionList)
        await wait_until(pilot, lambda: models.option_count)
        shoot(pilot, "first-run-model")


def main() -> None:
    """Prepare the sample twin in a temporary home and take every picture."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", help="a catalogue name or a GGUF file (default: the starter model)")
    options.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    chosen = options.parse_args()
    stay_on_this_machine()
    start_logging()
    with tempfile.TemporaryDirectory(prefix="persona-screenshots-", ignore_cleanup_errors=True) as home:
        if chosen.model:
            os.environ["PERSONA_MODEL__NAME"] = chosen.model
        enter(Path(home))
        prepare(Path(home))
        settings = config.load()
        chosen.out.mkdir(parents=True, exist_ok=True)

        def shoot(pilot: Pilot[None], name: str) -> None:
            file = chosen.out / f"{name}.svg"
            file.write_text(pilot.app.export_screenshot(title="persona"), encoding="utf-8")
            print(file)

        for scene in (wide, narrow):
            app = make_app(settings)
            asyncio.run(scene(app, shoot))
            app.room.close()
        enter(Path(home) / "empty")
        asyncio.run(first_run_steps(make_first_run(), shoot))


def make_first_run() -> PersonaApp:
    """The app as `persona chat` opens it in an empty home."""
    return PersonaApp(Opening(config.load).open, settings=config.load(), first_run=first_run.FirstRun())


def make_app(settings: Settings) -> PersonaApp:
    """The app as `persona demo` opens it, on the home that is prepared."""
    return PersonaApp(Opening(lambda: settings).open, settings=settings, questions=DEMO_QUESTIONS[:3])


if __name__ == "__main__":
    main()
