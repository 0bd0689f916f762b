"""How it looks, wide and narrow. After a wanted change: `pytest tests/tui --snapshot-update`."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from knowledge.people import Person
from persona.backends.base import ThinkingDelta
from persona.config import Settings, TuiSettings
from persona.errors import ModelError
from persona.lab.ab import last
from persona.tui.app import PersonaApp
from persona.tui.first_run import FirstRun
from persona.tui.first_run_choices import Choice
from persona.tui.indexing import Indexing
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.training import Run
from persona.tui.widgets.glass import Remembered
from persona.tui.widgets.prompt import Prompt
from tui.conftest import NOON, chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_glass import looked, stored
from tui.test_jobs import FOUND as AB
from tui.test_sessions import listed, tell, write_into_search

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


@SIZES
@pytest.mark.parametrize(
    "tui",
    [
        TuiSettings(theme="persona-light"),
        TuiSettings(theme="persona-contrast"),
        TuiSettings(plain=True),
    ],
    ids=["light", "contrast", "plain"],
)
def test_look(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int], tui: TuiSettings) -> None:
    app = make_app(engine, settings=Settings(tui=tui))
    assert snap_compare(app, terminal_size=size, run_before=conversation(engine))


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


BOTH = pytest.mark.parametrize("size", [(120, 36), (60, 30)], ids=["wide", "narrow"])


@BOTH
@pytest.mark.parametrize("text", ["", "river"], ids=["all", "search"])
def test_sessions(
    snap_compare: Compare,
    engine: ScriptedEngine,
    size: tuple[int, int],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    minutes = count()
    monkeypatch.setattr(
        "persona.chat.writes.now", lambda: (NOON + timedelta(minutes=next(minutes))).isoformat()
    )
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    tell(engine, ("Where is the river?", "Behind the market, and then down the stairs."))
    current = tell(
        engine,
        ("What shall we do on Saturday?", "Walk along the river Douro, as far as the bridge, if it is dry."),
        ("And if it rains?", "Then the river will have to wait."),
    )

    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        screen = await listed(pilot)
        screen.query_one(Input).cursor_blink = False
        await write_into_search(pilot, text)
        if text:
            await wait_until(pilot, lambda: "3 messages" in screen_text(pilot))

    assert snap_compare(make_app(engine, session_id=current), terminal_size=size, run_before=before)


@BOTH
def test_glass_box(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    for message in (stored("slack:C1:0", "where are you these days?"), stored("slack:C1:1", "in Porto")):
        engine.memory.stored[message.id] = message

    async def before(pilot: Pilot[Any]) -> None:
        await conversation(engine)(pilot)
        glass = await looked(pilot)
        glass.query(Remembered).first().opened = True
        await wait_until(pilot, lambda: glass.query(".around"))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


# The other screens


def over_the_chat(action: str, wait_for: str) -> Before:
    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await chat(pilot).run_action(action)
        await wait_until(pilot, lambda: wait_for in screen_text(pilot))
        await wait_until(pilot, lambda: pilot.app.screen.focused)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        for area in pilot.app.screen.query(TextArea):
            area.cursor_blink = False
        await pilot.pause()

    return before


@SIZES
@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("partner", "yourself"),
        ("compare", "another draw"),
        ("draft", "your reply"),
        ("sampling", "another each time"),
        ("settings", "settings"),
        ("training", "chosen blind"),
    ],
    ids=["partner", "compare", "draft", "sampling", "settings", "training"],
)
def test_screen(
    snap_compare: Compare,
    engine: ScriptedEngine,
    size: tuple[int, int],
    action: str,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    engine.memory.known = [Person("Jonas Weber", False, ("b",), (), 120, when, when)]
    run = Run("starter-quality-1", tuple(3 - n / 20 for n in range(30)), True, {"step": 30, "steps": 30})
    monkeypatch.setattr("persona.tui.screens.training.runs", lambda: [run])
    assert snap_compare(make_app(engine), terminal_size=size, run_before=over_the_chat(action, shown))


TALL = pytest.mark.parametrize("size", [(100, 40), (60, 40)], ids=["wide", "narrow"])


@TALL
def test_long_jobs(
    snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.unindexed = 3274
    monkeypatch.setattr(
        "persona.tui.indexing.Stopwatch.at", lambda _, done, total: Indexing(done, total, per_second=50.0)
    )
    last.keep(AB)
    before = over_the_chat("training", "Nothing was chosen blind")
    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_message_chosen(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await conversation(engine)(pilot)
        await pilot.press("alt+up", "up")
        await wait_until(pilot, lambda: "edit" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_commands(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await pilot.press("/", "e")
        await wait_until(pilot, lambda: "/export" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_two_replies(
    snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.tui.contrast.random.shuffle", lambda items: None)

    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        chat(pilot).contrast = "memory"
        await write(pilot, "where do you live?")
        engine.say("In **Porto**.")
        engine.end()
        await wait_until(pilot, lambda: engine.regenerated)
        engine.say("I do not know.")
        engine.end()
        await wait_until(pilot, lambda: "which is better?" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_bubbles(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await still(pilot)
        await write(pilot, "when?")
        engine.say("hm\nok, at *ten*\n" + "and then we could take the long way home " * 3)
        engine.end()
        await wait_until(pilot, lambda: "512" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_editing(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await conversation(engine)(pilot)
        await chat(pilot).run_action("edit")
        await pilot.pause()

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_channels(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    engine.memory.known = [Person("Jonas", False, ("b",), (), 3, NOON, NOON)]
    engine.memory.heard["Jonas"] = [
        stored("slack:C1:0", "hi"),
        replace(
            stored("email:1", "Dear Mira"), source="email", conversation="The lease", conversation_id="e1"
        ),
    ]

    async def before(pilot: Pilot[Any]) -> None:
        await over_the_chat("partner", "Jonas")(pilot)
        await pilot.press(*"jon", "enter")
        await wait_until(pilot, lambda: "anywhere" in screen_text(pilot))
        pilot.app.screen.query_one(Input).cursor_blink = False
        await pilot.pause()

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


MODELS = (
    Choice("qwen3-1.7b", "suggested: it fits 8 GB; downloads 1.28 GB", False),
    Choice("starter", "a small reader, not a conversationalist", True),
)


@SIZES
@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("model", "qwen3-1.7b"),
        ("adapter", "the model as it is"),
        ("import", "Where are your exports?"),
        ("rename_session", "rename the chat"),
    ],
    ids=["model", "adapter", "import", "line"],
)
def test_screen_over_a_chat(
    snap_compare: Compare,
    engine: ScriptedEngine,
    size: tuple[int, int],
    action: str,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("persona.tui.first_run_model.choices", lambda: list(MODELS))
    monkeypatch.setattr("persona.chat.writes.now", NOON.isoformat)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    session = tell(engine, ("Where is the river?", "Behind the market."))
    app = make_app(engine, session_id=session)
    assert snap_compare(app, terminal_size=size, run_before=over_the_chat(action, shown))


@SIZES
def test_confirm(snap_compare: Compare, engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await conversation(engine)(pilot)
        pilot.app.push_screen(ConfirmScreen("Forget “I moved to Porto last week” everywhere, for good?"))
        await wait_until(pilot, lambda: "yes (y)" in screen_text(pilot))

    assert snap_compare(make_app(engine), terminal_size=size, run_before=before)


@SIZES
def test_no_model(snap_compare: Compare, size: tuple[int, int]) -> None:
    def opener(progress: object) -> ScriptedEngine:
        raise ModelError("there is no model file at /models/me.gguf", "known names: starter, qwen3-0.6b")

    async def before(pilot: Pilot[Any]) -> None:
        await wait_until(pilot, lambda: "no model file" in screen_text(pilot))
        chat(pilot).query_one(Prompt).cursor_blink = False

    assert snap_compare(make_app(opener), terminal_size=size, run_before=before)


@SIZES
@pytest.mark.parametrize("step", [0, 1, 2], ids=["who", "exports", "model"])
def test_first_run(
    snap_compare: Compare, size: tuple[int, int], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persona.tui.first_run_model.choices", lambda: list(MODELS))
    monkeypatch.setenv("HOME", "/nowhere")
    asked = ("Who are you?", "Where are your exports?", "qwen3-1.7b")[step]

    async def before(pilot: Pilot[Any]) -> None:
        await wait_until(pilot, lambda: asked in screen_text(pilot))
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()

    app = PersonaApp(lambda progress: None, settings=Settings(), first_run=FirstRun(step=step))  # type: ignore[arg-type, return-value]
    assert snap_compare(app, terminal_size=size, run_before=before)
