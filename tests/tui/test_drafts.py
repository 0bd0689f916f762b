"""No word is lost that was written and not sent, wherever it stands, also when the process is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from persona import paths
from persona.chat.opening import open_sessions
from persona.errors import ModelError
from persona.tui.drafts import Drafts, Unsent
from persona.tui.screens.compare import CompareScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.widgets.prompt import Prompt
from tui.conftest import chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_opening import SlowOpener
from tui.test_sessions import tell

WIDE = (100, 34)


def stored(place: str | None = None) -> str:
    """The draft in this home, read as another program would."""
    sessions = open_sessions()
    try:
        return sessions.draft(place)
    finally:
        sessions.close()


# Before there is an engine


async def test_two_messages_sent_while_the_model_opens_are_both_said(engine: ScriptedEngine) -> None:
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await write(pilot, "the first")
        await write(pilot, "the second")
        await wait_until(pilot, lambda: stored() == "the first\nthe second")
        opener.let.set()
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == "the first\nthe second"
        engine.end()


async def test_what_is_typed_after_sending_stays_where_the_model_cannot_be_opened(
    engine: ScriptedEngine,
) -> None:
    opener = SlowOpener(ModelError("no model is here", "take another"))
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await write(pilot, "sent")
        await pilot.press(*"typed")
        opener.let.set()
        await wait_until(pilot, lambda: "no model is here" in screen_text(pilot))
        assert chat(pilot).query_one(Prompt).text == "sent\ntyped"
    assert stored() == "sent\ntyped"


async def test_what_is_typed_before_the_model_is_open_is_there_the_next_time(engine: ScriptedEngine) -> None:
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await pilot.press(*"early")
        await wait_until(pilot, lambda: stored() == "early")
        await pilot.press("!", "ctrl+q")
    async with make_app(SlowOpener(engine)).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).text == "early!")


async def test_what_is_typed_and_left_before_the_chats_are_open_joins_what_was_written() -> None:
    def opener(progress: object) -> ScriptedEngine:
        raise ModelError("no model is here", "take another")

    sessions = open_sessions()
    sessions.keep_draft(None, "from before")
    sessions.close()
    app = make_app(opener)
    app.room.open = lambda *_: None  # type: ignore[method-assign, assignment]
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press(*"quick", "ctrl+q")
    assert stored() == "from before\nquick"


# While a message is changed


async def test_the_draft_stays_the_chats_while_an_earlier_message_is_changed(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await pilot.press(*"half", "alt+e")
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "one")
        await wait_until(pilot, lambda: engine.sessions.draft(first) == "half")
        await pilot.press("!")
        await wait_until(pilot, lambda: engine.sessions.draft(first) == "half\none!")
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: prompt.text == "")
        assert not prompt.border_title
        chat(pilot)._leave_for(first)
        await wait_until(pilot, lambda: prompt.text == "half\none!")


async def test_opening_the_model_anew_leaves_draft_and_changed_message_as_they_are(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    first = tell(engine, ("one", "reply one"))
    engines = [engine, ScriptedEngine(tmp_path)]
    app = make_app(lambda progress: engines.pop(0), session_id=first)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await pilot.press(*"half", "alt+e", "!")
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "one!")
        await chat(pilot)._reopen()
        await wait_until(pilot, lambda: not engines and "opening" not in screen_text(pilot))
        assert prompt.text == "one!"
        await pilot.press("escape")
        await wait_until(pilot, lambda: prompt.text == "half")
    app.room.close()


async def test_the_draft_of_a_new_chat_is_not_written_over_by_a_changed_first_message(
    engine: ScriptedEngine,
) -> None:
    first = tell(engine, ("one", "reply one"))
    engine.sessions.keep_draft(None, "for another time")
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await pilot.press("alt+e", "!", "enter")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == "one!"
        assert chat(pilot).query_one(Prompt).text == "for another time"
        engine.end()


def test_what_was_changed_in_one_message_is_put_aside_for_another() -> None:
    unsent = Unsent()
    unsent.edit("t-1", "one", "half")
    unsent.edit("t-2", "two", "one!")
    assert unsent.words("two") == "half\none!"
    unsent.send("sent")
    assert unsent.words("two?") == "sent\nhalf\none!\ntwo?"


# Over the chat


async def test_what_is_compared_is_a_draft_until_it_is_stored(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        screen.contrast = "another draw"

        def turn(*_: Any) -> Any:
            time.sleep(1)
            raise ModelError("the model is gone", "open it again")

        engine.turn = turn  # type: ignore[method-assign]
        await write(pilot, "where?")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await wait_until(pilot, lambda: engine.sessions.draft(None) == "where?")
        await wait_until(pilot, lambda: "no two replies" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: screen.query_one(Prompt).text == "where?")


async def drafting(pilot: Pilot[Any]) -> DraftScreen:
    await opened(pilot)
    await pilot.press("f4")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, DraftScreen))
    assert isinstance(pilot.app.screen, DraftScreen)
    return pilot.app.screen


async def test_a_pasted_message_and_an_edited_reply_are_there_again(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await drafting(pilot)
        screen.query_one("#from", Input).value = "Jonas"
        screen.query_one("#message", TextArea).text = "lunch tomorrow?"
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        screen = await drafting(pilot)
        assert screen.query_one("#from", Input).value == "Jonas"
        assert screen.query_one("#message", TextArea).text == "lunch tomorrow?"
        await pilot.press("ctrl+r")
        for draft in ("yes", "no", "maybe"):
            engine.say(draft)
            engine.end()
            await wait_until(pilot, lambda draft=draft: draft in screen_text(pilot))
        await wait_until(pilot, lambda: len(screen._made) == 3 and screen._feed is None)
        await pilot.press("alt+1", "!")
        reply = screen.query_one("#reply", TextArea)
        await wait_until(pilot, lambda: reply.text == "yes!")
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await drafting(pilot)
        # the message is in a chat by now, and the reply is nowhere else
        assert screen.query_one("#message", TextArea).text == ""
        assert screen.query_one("#reply", TextArea).text == "yes!"
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == "yes!"


async def test_another_draft_over_an_edited_reply_can_be_undone(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await drafting(pilot)
        screen.query_one("#message", TextArea).text = "lunch tomorrow?"
        await pilot.press("ctrl+r")
        for draft in ("yes", "no", "maybe"):
            engine.say(draft)
            engine.end()
        await wait_until(pilot, lambda: len(screen._made) == 3 and screen._feed is None)
        reply = screen.query_one("#reply", TextArea)
        await pilot.press("alt+1", *" but late")
        await pilot.press("alt+2")
        assert reply.text == "no"
        await pilot.press("ctrl+z")
        assert reply.text == "yes but late"


# Killed

_WRITER = """
import asyncio, itertools, sys, threading
from pathlib import Path
from persona.errors import ModelError
from tui.conftest import make_app
from tui.scripted import ScriptedEngine

def never(progress):
    threading.Event().wait()

async def main():
    opener = ScriptedEngine(Path(sys.argv[2])) if sys.argv[1] == "open" else never
    async with make_app(opener).run_test(size=(100, 30)) as pilot:
        for n in itertools.count():
            await pilot.press(*f"w{n}", "space")
            print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("engine_is", ["open", "opening"])
def test_kill_nine_while_something_is_written_keeps_it(engine_is: str) -> None:
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, engine_is, str(paths.data_dir())],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])},
        text=True,
    )
    assert process.stdout
    while int(process.stdout.readline()) < 20:
        pass
    written = time.monotonic() + 30
    while len(stored().split()) < 20 and time.monotonic() < written:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    words = stored().split()
    assert len(words) >= 20
    assert words[:20] == [f"w{n}" for n in range(20)]


def test_a_draft_that_cannot_be_stored_is_said_and_stored_later() -> None:
    class Failing:
        def __init__(self) -> None:
            self.kept: dict[str | None, str] = {}
            self.full = True

        def keep_draft(self, place: str | None, text: str) -> None:
            if self.full:
                raise ModelError("the disk is full", "make room")
            self.kept[place] = text

        def draft(self, place: str | None) -> str:
            return self.kept.get(place, "")

    store, said = Failing(), list[str]()
    drafts = Drafts(lambda: store)  # type: ignore[arg-type, return-value]
    drafts.failed = lambda error: said.append(error.message)
    drafts.note(None, "words")
    deadline = time.monotonic() + 10
    while not said and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said == ["the disk is full"]
    store.full = False
    assert drafts.read(None) == "words"
