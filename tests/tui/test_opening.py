"""The start: first paint before anything heavy, progress that is real, errors that leave a way on."""

import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from knowledge.progress import Progress
from knowledge.records import Kind, StoredMessage
from persona.chat.store import MemoryRef
from persona.config import Settings, TuiSettings
from persona.errors import ModelError
from persona.tui.door import ChatEngine, ProgressFn
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.messages import ErrorPanel, TwinMessage, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.welcome import Welcome
from tui.conftest import QUESTIONS, chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import USAGE, ScriptedEngine

WIDE = (100, 30)
HEAVY = ("llama_cpp", "torch", "chromadb", "sentence_transformers", "transformers", "numpy", "tiktoken")


def test_the_app_is_imported_without_anything_heavy() -> None:
    code = (
        "import sys, persona.tui.app, persona.tui.opening;"
        "persona.tui.opening.sample_questions(True);"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class SlowOpener:
    """Opens when it is let, and says how far it is."""

    def __init__(self, *outcomes: ChatEngine | Exception) -> None:
        self.outcomes = list(outcomes)
        self.let = threading.Event()
        self.left = threading.Event()

    def __call__(self, progress: ProgressFn) -> ChatEngine:
        try:
            done = 0
            while not self.let.wait(0.01):
                done += 1
                progress(Progress("reading the sample", 1200 + done % 7, 3120))
        except BaseException:
            self.left.set()
            raise
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_the_page_is_there_before_the_engine_and_shows_how_far_it_is(engine: ScriptedEngine) -> None:
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample  1,20" in screen_text(pilot))
        assert "of 3,120" in screen_text(pilot)
        await wait_until(pilot, lambda: "38%" in screen_text(pilot))
        assert QUESTIONS[0] in screen_text(pilot)
        opener.let.set()
        await opened(pilot)
        assert "reading the sample" not in screen_text(pilot)


async def test_what_is_sent_early_is_answered_once_the_engine_is_open(engine: ScriptedEngine) -> None:
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await write(pilot, "early bird")
        await wait_until(pilot, lambda: "sent as soon as the model is open" in screen_text(pilot))
        assert not engine.requests
        opener.let.set()
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].text == "early bird"


async def test_an_engine_that_cannot_be_opened_is_explained_and_can_be_tried_again(
    engine: ScriptedEngine,
) -> None:
    opener = SlowOpener(ModelError("no model is here", "persona models use starter"), engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await write(pilot, "kept words")
        opener.let.set()
        await wait_until(pilot, lambda: "no model is here" in screen_text(pilot))
        assert "→ persona models use starter" in screen_text(pilot)
        assert chat(pilot).query_one(Prompt).text == "kept words"
        await chat(pilot).run_action("retry_opening")
        await opened(pilot)
        assert not chat(pilot).query(ErrorPanel)
        await pilot.press("enter")
        await wait_until(pilot, lambda: engine.requests)


async def test_indexing_is_shown_and_goes_on_beside_the_first_message(engine: ScriptedEngine) -> None:
    engine.unindexed = 3274
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "indexing 256 of 3,274" in screen_text(pilot))
        await write(pilot, "hello")
        engine.say("In Porto.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert "In Porto." in screen_text(pilot)
        assert "indexing 256 of 3,274" in screen_text(pilot)
        engine.indexed.set()
        await wait_until(pilot, lambda: "indexing" not in screen_text(pilot))


async def test_leaving_ends_the_indexing(engine: ScriptedEngine) -> None:
    engine.unindexed = 3274
    app = make_app(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "indexing 256 of 3,274" in screen_text(pilot))
        await pilot.press("ctrl+q")
    app.room.close()
    assert engine.closed


async def test_leaving_ends_the_work_of_the_start(engine: ScriptedEngine) -> None:
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reading the sample" in screen_text(pilot))
        await pilot.press("ctrl+q")
    assert opener.left.wait(5)


async def test_a_model_that_cannot_be_loaded_is_let_go(engine: ScriptedEngine) -> None:
    def load() -> None:
        raise ModelError("too large for this machine", "take a smaller one")

    engine.load = load  # type: ignore[method-assign]
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "too large for this machine" in screen_text(pilot))
        assert engine.closed
        assert pilot.app.room.engine is None  # type: ignore[attr-defined]


async def test_an_unknown_theme_is_said_and_the_own_one_taken(engine: ScriptedEngine) -> None:
    settings = Settings(tui=TuiSettings(theme="no-such"))
    async with make_app(engine, settings=settings).run_test(size=WIDE, notifications=True) as pilot:
        await wait_until(pilot, lambda: "There is no theme “no-such”" in screen_text(pilot))
        assert pilot.app.theme == "persona-dark"


async def test_the_theme_of_the_settings_is_taken(engine: ScriptedEngine) -> None:
    settings = Settings(tui=TuiSettings(theme="nord"))
    async with make_app(engine, settings=settings).run_test(size=WIDE) as pilot:
        await opened(pilot)
        assert pilot.app.theme == "nord"


async def test_a_twin_without_messages_says_how_to_get_some(engine: ScriptedEngine) -> None:
    engine.card.text = ""
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "it knows nothing of you yet" in screen_text(pilot))
        assert "persona ingest PATH" in screen_text(pilot)


# Resuming


def stored_chat(engine: ScriptedEngine, exchanges: int) -> str:
    """A chat in the store; its last reply thought, was given one memory, and was cut off."""
    session = engine.sessions.create().id
    for n in range(exchanges):
        asked = engine.sessions.add_user(session, f"question {n}")
        last = n == exchanges - 1
        refs = (MemoryRef("slack:C1:9", 1, 0.7, "words: porto"), MemoryRef("forgotten", 2, 0.6, "words: x"))
        reply = engine.sessions.add_reply(session, asked.number, memories=refs if last else ())
        engine.sessions.update_reply(
            reply.id,
            text=f"reply **{n}**",
            thinking="two words" if last else "",
            status="partial" if last else "complete",
            usage=USAGE,
        )
    engine.memory.stored["slack:C1:9"] = StoredMessage(
        id="slack:C1:9",
        source="slack",
        conversation_id="slack:C1",
        conversation="#general",
        author_id="slack:U1",
        author="Mira Sol",
        is_self=True,
        sent_at=datetime(2024, 3, 12, tzinfo=UTC),
        text="hello from Porto",
        kind=Kind.SPEECH,
        thread=None,
        reply_to=None,
    )
    return session


async def test_a_resumed_chat_shows_its_turns_and_goes_on(engine: ScriptedEngine) -> None:
    session = stored_chat(engine, 2)
    async with make_app(engine, session_id=session).run_test(size=(100, 40)) as pilot:
        screen = await opened(pilot)
        await wait_until(pilot, lambda: "reply 1" in screen_text(pilot))
        shown = screen_text(pilot)
        for text in (
            "question 0",
            "reply 0",
            "question 1",
            "thought · 2 words",
            "■ unfinished",
            "31 tokens/s",
        ):
            assert text in shown
        assert not screen.query(Welcome)
        await wait_until(pilot, lambda: "512 of 1,664 tokens" in screen_text(pilot))
        screen.query_one(MemoryList).opened = True
        await wait_until(pilot, lambda: "hello from Porto" in screen_text(pilot))
        assert "score 0.70 · words: porto" in screen_text(pilot)
        await write(pilot, "and now?")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].session_id == session


async def test_a_long_chat_opens_at_its_end_with_a_page_of_turns(engine: ScriptedEngine) -> None:
    session = stored_chat(engine, 60)
    async with make_app(engine, session_id=session).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await wait_until(pilot, lambda: "reply 59" in screen_text(pilot))
        assert len(screen.query(UserMessage)) + len(screen.query(TwinMessage)) <= 60
        await pilot.press("ctrl+home")
        await wait_until(pilot, lambda: "question 0" in screen_text(pilot))
        assert len(screen.query(UserMessage)) + len(screen.query(TwinMessage)) <= 60
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: "reply 59" in screen_text(pilot))


async def test_a_chat_that_does_not_exist_is_said_and_a_new_one_offered(engine: ScriptedEngine) -> None:
    async with make_app(engine, session_id="s-nowhere").run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "there is no session `s-nowhere`" in screen_text(pilot))
        assert QUESTIONS[0] in screen_text(pilot)
        await write(pilot, "hi")
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].session_id is None


@pytest.mark.parametrize("action", ["partner", "draft", "sampling", "import", "sessions", "glass"])
async def test_what_needs_a_model_says_so_while_none_is_open(action: str) -> None:
    def opener(progress: object) -> ScriptedEngine:
        raise ModelError("there is no model file at /models/me.gguf", "known names: starter")

    async with make_app(opener).run_test(size=(110, 36), notifications=True) as pilot:
        await wait_until(pilot, lambda: "no model file" in screen_text(pilot))
        await chat(pilot).run_action(action)
        await wait_until(pilot, lambda: "as soon as the model is open" in screen_text(pilot))
        assert pilot.app.screen is chat(pilot)
