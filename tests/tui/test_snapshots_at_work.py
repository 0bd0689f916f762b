"""How screens look in the midst of work, wide and narrow: drafts made, an export read, a model on its way."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_samples import slack_files, slack_record, write_folder
from textual.pilot import Pilot
from textual.widgets import Input, ProgressBar, TextArea

from knowledge.progress import Progress
from persona.config import Settings
from persona.tui.app import PersonaApp
from persona.tui.first_run import Export, FirstRun
from persona.tui.first_run_exports import ExportRow
from persona.tui.screens.drafting import DraftScreen
from persona.tui.widgets.messages import Quote
from tui.conftest import NOON, chat, make_app, screen_text, wait_until
from tui.scripted import ScriptedEngine
from tui.test_sessions import tell
from tui.test_snapshots import MODELS, SIZES, Compare, still


async def without_blinking(pilot: Pilot[Any]) -> None:
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    for area in pilot.app.screen.query(TextArea):
        area.cursor_blink = False
    await pilot.pause()


@SIZES
def test_drafts(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    drafts = (
        "yes, gladly. the place by the river, at one?",
        "tomorrow is full, sorry. thursday instead?\n\nor we walk after work",
        "only if you pay :)",
    )

    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DraftScreen))
        pilot.app.screen.query_one("#from", Input).value = "Jonas Weber"
        pilot.app.screen.query_one("#message", TextArea).text = "lunch tomorrow?"
        await pilot.press("ctrl+r")
        for draft in drafts:
            engine.say(draft)
            engine.end()
            await wait_until(pilot, lambda draft=draft: draft[:12] in screen_text(pilot))
        await wait_until(pilot, lambda: len(engine.regenerated) == 2)
        await chat(pilot).app.screen.run_action("choose(2)")
        await wait_until(pilot, lambda: pilot.app.screen.query_one("#reply", TextArea).text)
        await without_blinking(pilot)

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_a_quote(
    snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.chat.writes.now", NOON.isoformat)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    asked = "> Behind the market, and then down\n> the stairs.\n\nwhich stairs?"
    session = tell(
        engine,
        ("Where is the river?", "Behind the market, and then down\nthe stairs."),
        (asked, "The long ones."),
    )

    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await wait_until(pilot, lambda: chat(pilot).query(Quote))
        await pilot.pause()

    assert snap_compare(make_app(engine, session_id=session), terminal_size=size, run_before=before)


def first_run(step: int, **known: Any) -> PersonaApp:
    return PersonaApp(
        lambda progress: None,  # type: ignore[arg-type, return-value]
        settings=Settings(),
        first_run=FirstRun(step=step, **known),
    )


@SIZES
def test_an_export_that_was_read(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    records: list[object] = [
        slack_record("I moved to Porto last week", "1710240000.000100"),
        slack_record("the light in the flat is good", "1710240100.000100"),
        slack_record("congrats!", "1710240300.000100", user="U2"),
        {"type": "message", "user": "U1", "text": "no time"},
    ]
    export = write_folder(tmp_path / "slack-export", slack_files(*records))
    exports = [Export(path=str(export)), Export(path="/nowhere/mail.mbox")]

    async def before(pilot: Pilot[Any]) -> None:
        shown = pilot.app.screen.query
        await wait_until(pilot, lambda: "does not exist" in str([row.render() for row in shown(ExportRow)]))
        await wait_until(pilot, lambda: "You are Mira Sol" in str(shown("#owner").first().render()))
        await without_blinking(pilot)

    app = first_run(1, names=["Mira Sol"], exports=exports)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_a_model_on_its_way(
    snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(name: str, progress: Callable[[Progress], None], cancel: threading.Event) -> None:
        progress(Progress(f"downloading {name}", 512_000_000, 1_282_000_000))
        cancel.wait()

    monkeypatch.setattr("persona.tui.first_run_model.choices", lambda: list(MODELS))
    monkeypatch.setattr("persona.models.pull", pull)

    async def before(pilot: Pilot[Any]) -> None:
        await wait_until(pilot, lambda: "qwen3-1.7b" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "512 of 1,282 MB" in screen_text(pilot))
        await wait_until(pilot, lambda: pilot.app.screen.query_one(ProgressBar).percentage)
        await pilot.pause(1.2)

    assert snap_compare(first_run(2), terminal_size=size, run_before=before)
