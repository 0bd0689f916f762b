"""The app over the real engine: real archive, real store, a real Qwen3 of random weights under llama.cpp.

What such a model says is noise, so these tests are about what happens to it; where the words matter,
the weights are set so that it says them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.events import Paste
from tiny_model import write_scripted_qwen3

from knowledge.text import printable
from persona import paths
from persona.chat.engine import Engine
from persona.chat.events import TurnRequest
from persona.chat.store import SessionStore
from persona.config import ChatSettings, ModelSettings, Settings
from persona.lab.ab.choices import ChoiceBook
from persona.tui.app import PersonaApp
from persona.tui.opening import Opening
from persona.tui.screens.chat import ChatScreen
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.messages import TwinMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.status import StatusBar
from tui.conftest import screen_text, wait_until, write

NOTES = {
    "porto.md": "# Porto\n\nI moved to Porto in March 2024, into a small flat in Cedofeita.",
    "bread.md": "# Bread\n\nThe sourdough needs eighteen hours in the fridge.",
}
WIDE = (100, 40)


@pytest.fixture
def settings(tiny_model_path: Path) -> Settings:
    return Settings(
        model=ModelSettings(name=str(tiny_model_path), context=2048, threads=1),
        chat=ChatSettings(reply_tokens=40),
    )


@pytest.fixture
def endless(tmp_path: Path) -> Settings:
    """A model that never comes to an end by itself."""
    model = write_scripted_qwen3(tmp_path / "endless.gguf", ["la la"], endless=True)
    return Settings(
        model=ModelSettings(name=str(model), context=32_768, threads=1), chat=ChatSettings(reply_tokens=8000)
    )


@pytest.fixture
def app(settings: Settings, tmp_path: Path) -> Iterator[PersonaApp]:
    app = real_app(settings, tmp_path)
    yield app
    app.room.close()


def real_app(settings: Settings, folder: Path, session_id: str | None = None) -> PersonaApp:
    """The app as `persona chat` opens it, with a prepared archive as `persona demo` has it."""

    def prepare(progress: object) -> None:
        from knowledge.memory import MemoryStore

        notes = folder / "notes"
        notes.mkdir(exist_ok=True)
        for name, text in NOTES.items():
            (notes / name).write_text(text, encoding="utf-8")
        memory = MemoryStore(paths.knowledge_dir())
        memory.ingest([notes], progress=progress)
        memory.close()

    return PersonaApp(Opening(lambda: settings, prepare).open, settings=settings, session_id=session_id)


def engine_of(app: PersonaApp) -> Engine:
    assert isinstance(app.room.engine, Engine)
    return app.room.engine


async def test_a_turn_streams_remembers_and_is_stored(app: PersonaApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        screen = app.screen
        await write(pilot, "where is my flat in Cedofeita?")
        status = screen.query_one(StatusBar)
        await wait_until(pilot, lambda: status.usage)
        await wait_until(pilot, lambda: not status.doing)
        (session,) = engine_of(app).sessions.list()
        user, reply = engine_of(app).sessions.turns(session.id)
        assert user.text == "where is my flat in Cedofeita?"
        assert reply.status == "complete"
        shown = screen.query_one(TwinMessage)
        assert shown.text == printable(reply.text)
        assert "tokens/s" in screen_text(pilot)
        screen.query_one(MemoryList).opened = True
        await wait_until(pilot, lambda: "I moved to Porto in March 2024" in screen_text(pilot))


async def test_stop_keeps_what_was_said_in_the_store(endless: Settings, tmp_path: Path) -> None:
    app = real_app(endless, tmp_path)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        await write(pilot, "go on and on")
        await wait_until(pilot, lambda: "la la" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "■ stopped" in screen_text(pilot))
        (session,) = engine_of(app).sessions.list()
        reply = engine_of(app).sessions.turns(session.id)[-1]
        assert reply.status == "partial"
        assert reply.text.startswith("la la")
        assert reply.text == _said(app)
    app.room.close()


def _said(app: PersonaApp) -> str:
    return "".join(m.text + m.thinking_text for m in app.screen.query(TwinMessage))


async def test_answering_again_keeps_the_old_reply_as_an_alternative(tmp_path: Path) -> None:
    # Not random weights: one reply of theirs in some hundreds is empty, and such a one replaces nothing.
    model = write_scripted_qwen3(tmp_path / "scripted.gguf", ["la la"])
    app = real_app(Settings(model=ModelSettings(name=str(model), context=2048, threads=1)), tmp_path)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        await write(pilot, "hello")
        await wait_until(pilot, lambda: app.screen.check_action("regenerate", ()))
        store = engine_of(app).sessions
        (session,) = store.list()
        await pilot.press("ctrl+r")
        await wait_until(pilot, lambda: len(store.turns(session.id, alternatives=True)) == 3)
        await wait_until(pilot, lambda: app.screen.check_action("regenerate", ()))
        assert len(store.turns(session.id)) == 2
        assert len(app.screen.query(TwinMessage)) == 1
    app.room.close()


async def test_a_chat_is_resumed_by_its_id(settings: Settings, tmp_path: Path) -> None:
    store = SessionStore(paths.sessions_file())
    session = store.create()
    asked = store.add_user(session.id, "do you remember the river?")
    store.add_reply(session.id, asked.number, text="The Douro, yes.", status="complete")
    store.close()
    app = real_app(settings, tmp_path, session.id)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "The Douro, yes." in screen_text(pilot))
        assert "do you remember the river?" in screen_text(pilot)
        await wait_until(pilot, lambda: app.screen.query_one(StatusBar).used > 0)
    app.room.close()


async def test_the_glass_box_shows_the_very_prompt_and_its_memories(app: PersonaApp) -> None:
    async with app.run_test(size=(110, 60)) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        screen = app.screen
        screen.query_one(Prompt).text = "where is my flat in Cedofeita?"
        await pilot.press("f2")
        await wait_until(pilot, lambda: "would be sent with what you have written" in screen_text(pilot))
        assert "not sent" in screen_text(pilot)
        await pilot.press("escape", "enter")
        status = screen.query_one(StatusBar)
        await wait_until(pilot, lambda: status.usage and not status.doing)
        await pilot.press("f2")
        await wait_until(pilot, lambda: "sent with your last message" in screen_text(pilot))
        assert f"of {status.usage.prompt_tokens:,} tokens" in screen_text(pilot)
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "the conversation around it" in screen_text(pilot))
        assert "You are " in screen_text(pilot)


async def test_what_was_said_is_found_in_a_later_run(settings: Settings, tmp_path: Path) -> None:
    store = SessionStore(paths.sessions_file())
    asked = store.add_user(store.create().id, "do you remember the river?")
    store.add_reply(asked.session_id, asked.number, text="The Douro, yes.", status="complete")
    store.close()
    app = real_app(settings, tmp_path)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        await pilot.press("ctrl+s", *"douro")
        await wait_until(pilot, lambda: "1 message" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "do you remember the river?" in screen_text(pilot))
        assert "The Douro, yes." in screen_text(pilot)
    app.room.close()


async def test_a_model_that_is_not_there_is_explained(tmp_path: Path) -> None:
    settings = Settings(model=ModelSettings(name=str(tmp_path / "none.gguf")))
    async with real_app(settings, tmp_path).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "there is no model file at" in screen_text(pilot))
        assert "known names:" in screen_text(pilot)


async def test_quitting_in_mid_reply_keeps_it(endless: Settings, tmp_path: Path) -> None:
    app = real_app(endless, tmp_path)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        await write(pilot, "go on and on")
        await wait_until(pilot, lambda: _said(app))
        await pilot.press("ctrl+q")
    app.room.close()
    store = SessionStore(paths.sessions_file())
    (session,) = store.list()
    assert [t.status for t in store.turns(session.id)] == ["complete", "partial"]
    store.close()


async def test_a_memory_left_out_is_not_served_and_comes_back_with_the_next_chat(app: PersonaApp) -> None:
    from persona.chat.left_out import leave_out

    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        engine = engine_of(app)
        asked = "where is my flat in Cedofeita?"
        session = engine.sessions.create()
        engine.sessions.add_user(session.id, "hello")
        (_, served) = engine.preview(TurnRequest(asked, session_id=session.id))
        assert served
        leave_out(engine.sessions, session.id, served[0].id)
        _, now = engine.preview(TurnRequest(asked, session_id=session.id))
        assert served[0].id not in {m.id for m in now}
        _, elsewhere = engine.preview(TurnRequest(asked))
        assert served[0].id in {m.id for m in elsewhere}


async def test_a_blind_choice_over_the_real_engine(app: PersonaApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        screen.contrast = "memory"
        await write(pilot, "where is my flat in Cedofeita?")
        await wait_until(pilot, lambda: "which is better?" in screen_text(pilot))
        await pilot.press("2")
        await wait_until(pilot, lambda: app.screen is screen)
        (choice,) = ChoiceBook(engine_of(app).sessions).all()
        assert choice.picked == "right"
        assert {choice.left.arm, choice.right.arm} == {"memory on", "memory off"}
        shown = {engine_of(app).sessions.turn(s.turn_id).memories != () for s in (choice.left, choice.right)}
        assert shown == {True, False}


async def test_two_models_answer_blind_over_the_same_chat_and_archive(
    app: PersonaApp, tmp_path: Path
) -> None:
    other = write_scripted_qwen3(tmp_path / "other.gguf", ["la la"])
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        screen.contrast = f"model {other}"
        await write(pilot, "where is my flat in Cedofeita?")
        await wait_until(pilot, lambda: "which is better?" in screen_text(pilot))
        await pilot.press("1")
        await wait_until(pilot, lambda: app.screen is screen)
        (choice,) = ChoiceBook(engine_of(app).sessions).all()
        replies = {s.arm: engine_of(app).sessions.turn(s.turn_id) for s in (choice.left, choice.right)}
        assert set(replies) == {"model other", "model tiny-qwen3"}
        assert replies["model other"].text.startswith("la la")
        assert all(reply.memories for reply in replies.values())
        # another message: the other model is still there
        kept = app.room.beside(screen._settings.model.model_copy(update={"name": str(other)}))
        await pilot.press("f3")
        await wait_until(pilot, lambda: kept.backend._closed)  # type: ignore[attr-defined]
        assert engine_of(app).backend.count_tokens("the first one talks on") > 0


async def test_a_file_dropped_on_the_chat_is_read_and_known_at_once(app: PersonaApp, tmp_path: Path) -> None:
    dropped = tmp_path / "lisbon.md"
    dropped.write_text("# Lisbon\n\nThe tram to Graca is number twentyeight.", encoding="utf-8")
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: app.room.engine)
        before = app.room.engine
        app.post_message(Paste(str(dropped)))
        await wait_until(pilot, lambda: "1 imported" in screen_text(pilot))
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: app.room.engine not in (None, before))
        _, memories = engine_of(app).preview(TurnRequest("which tram goes to Graca?"))
        assert any("twentyeight" in m.text for m in memories)
