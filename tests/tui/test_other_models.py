"""Another adapter over the model, another model beside it: chosen in the chat, refused where none fits."""

from pathlib import Path

import pytest
from tiny_adapter import write_adapter

from persona import config, paths
from persona.chat.card import PersonaCard
from persona.config import ModelSettings, Settings
from persona.errors import ModelError
from persona.lab.ab.choices import ChoiceBook
from persona.tui.screens.compare import CompareScreen
from persona.tui.widgets.prompt import Prompt
from tui.conftest import chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_sessions import tell

WIDE = (110, 36)


def run_with_adapter() -> Path:
    run = paths.data_dir() / "training" / "runs" / "mine"
    run.mkdir(parents=True)
    return write_adapter(run / "mine-lora.gguf", 1.0)


async def test_an_adapter_is_laid_on_by_its_name_and_the_chat_stays(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    file = run_with_adapter()
    first = tell(engine, ("one", "reply one"))
    engines = [engine, ScriptedEngine(tmp_path), ScriptedEngine(tmp_path)]
    app = make_app(lambda progress: engines.pop(0), session_id=first)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await opened(pilot)
        await pilot.press(*"/adapter", "space")
        await wait_until(pilot, lambda: "/adapter none" in screen_text(pilot))
        await pilot.press("m", "tab")
        prompt = chat(pilot).query_one(Prompt)
        await wait_until(pilot, lambda: prompt.text == "/adapter mine")
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.room.engine not in (None, engine))
        assert config.load().model.adapter == str(file)
        await wait_until(pilot, lambda: "opening" not in screen_text(pilot))
        assert "reply one" in screen_text(pilot)
        await pilot.press("alt+a")
        await wait_until(pilot, lambda: "now: mine-lora.gguf" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: not engines and config.load().model.adapter == "")
    app.room.close()


async def test_an_adapter_that_does_not_fit_is_refused_and_the_one_before_laid_on_again(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    run_with_adapter()
    first = tell(engine, ("one", "reply one"))
    engines = [engine, ScriptedEngine(tmp_path)]

    def opener(progress: object) -> ScriptedEngine:
        if config.load().model.adapter:
            raise ModelError("llama.cpp cannot lay the adapter over it", "an adapter fits only its own model")
        return engines.pop(0)

    app = make_app(opener, session_id=first)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        chat(pilot).query_one(Prompt).replace_with("/adapter nosuch")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "there is no adapter" in screen_text(pilot))
        assert len(engines) == 1
        await chat(pilot).run_action("adapter('mine')")
        await wait_until(pilot, lambda: not engines and "reply one" in screen_text(pilot))
        await wait_until(pilot, lambda: "cannot lay the adapter over it" in screen_text(pilot))
        assert "fits only its own model" in screen_text(pilot)
        assert config.load().model.adapter == ""
        assert not engine.requests
    app.room.close()


async def test_two_models_answer_blind_and_the_other_is_let_go(
    engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ScriptedEngine(tmp_path / "other")
    other.sessions.close()
    other.sessions = engine.sessions
    freed: list[str] = []
    other.backend.close = lambda: freed.append("other")
    asked: list[str] = []

    def beside(first: object, model: ModelSettings) -> ScriptedEngine:
        asked.append(model.name)
        return other

    monkeypatch.setattr("persona.chat.opening.beside", beside)
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        chat(pilot).contrast = "model qwen3-0.6b"
        engine.card = PersonaCard("Mira Sol", "Name: Mira Sol\n- pinned since")
        await write(pilot, "where?")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        for said in ("In Porto.", "No idea."):
            engine.say(said)
            other.say(said)
            engine.end()
            other.end()
        await wait_until(pilot, lambda: "which is better?" in screen_text(pilot))
        assert "qwen3" not in screen_text(pilot)
        assert other.card is engine.card
        assert len(engine.requests) + len(other.requests) == 1
        assert len(engine.regenerated) + len(other.regenerated) == 1
        await pilot.press("2")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        (choice,) = ChoiceBook(engine.sessions).all()
        assert {choice.left.arm, choice.right.arm} == {"model starter", "model qwen3-0.6b"}
        assert asked == ["qwen3-0.6b"]
        await pilot.press("f3")
        await wait_until(pilot, lambda: freed == ["other"])


async def test_words_are_given_back_where_the_other_model_cannot_be_opened(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(first: object, model: ModelSettings) -> ScriptedEngine:
        raise ModelError("there is no model file at /nowhere", "choose another")

    monkeypatch.setattr("persona.chat.opening.beside", beside)
    async with make_app(engine).run_test(size=WIDE, notifications=True) as pilot:
        await opened(pilot)
        chat(pilot).contrast = "model /nowhere.gguf"
        await write(pilot, "where?")
        await wait_until(pilot, lambda: "there is no model file" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).text == "where?")
        chat(pilot).contrast = "adapter nosuch"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "there is no adapter" in screen_text(pilot))
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).text == "where?")
        assert engine.sessions.list() == []


async def test_what_replies_may_differ_in_names_models_and_adapters(engine: ScriptedEngine) -> None:
    run_with_adapter()
    settings = Settings(model=ModelSettings(name="elsewhere.gguf"))
    async with make_app(engine, settings=settings).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await pilot.press("f3")
        await wait_until(pilot, lambda: "adapter mine" in screen_text(pilot))
        assert "model starter" in screen_text(pilot)
