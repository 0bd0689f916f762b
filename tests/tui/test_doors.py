"""The other screens, as they are reached from the chat, and what comes of them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, TextArea

from knowledge.people import Person
from persona import config
from persona.chat.drafting import corrections
from persona.config import Settings, TuiSettings
from persona.lab.ab.choices import ChoiceBook
from persona.tui.keys import ACTIONS
from persona.tui.screens.compare import CompareScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.screens.line import LineScreen
from persona.tui.screens.pick import PickScreen
from persona.tui.screens.sampling import SamplingScreen
from persona.tui.screens.settings import SettingsScreen
from persona.tui.screens.steps import StepScreen
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.slash import SlashMenu
from tui.conftest import chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_glass import stored
from tui.test_opening import SlowOpener
from tui.test_sessions import tell

WIDE = (110, 36)


async def test_two_replies_are_chosen_between_blind_and_the_choice_is_stored(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("f3")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await wait_until(pilot, lambda: "another draw" in screen_text(pilot))
        await pilot.press(*"memory", "enter")
        await wait_until(pilot, lambda: "A/B: memory" in screen_text(pilot))
        await write(pilot, "where?")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await pilot.press("1")
        engine.say("In Porto.")
        engine.end()
        await wait_until(pilot, lambda: engine.regenerated)
        assert ChoiceBook(engine.sessions).all() == []
        engine.say("No idea.")
        engine.end()
        await wait_until(pilot, lambda: "which is better?" in screen_text(pilot))
        shown = screen_text(pilot)
        assert "memory on" not in shown.splitlines()[0]
        left_is_first = shown.index("In Porto.") < shown.index("No idea.")
        await pilot.press("1")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        (choice,) = ChoiceBook(engine.sessions).all()
        assert {choice.left.arm, choice.right.arm} == {"memory on", "memory off"}
        better = "In Porto." if left_is_first else "No idea."
        assert engine.sessions.turn(choice.left.turn_id).text == better
        await wait_until(pilot, lambda: better in screen_text(pilot))
        assert "2 replies" in screen_text(pilot) or "of 2" in screen_text(pilot)
        await pilot.press("f3")
        await wait_until(pilot, lambda: "A/B" not in screen_text(pilot).splitlines()[0])


async def test_a_comparison_is_left_without_a_choice(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(60, 30)) as pilot:
        await opened(pilot)
        chat(pilot).contrast = "thinking"
        await write(pilot, "where?")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        engine.say("In Por")
        await wait_until(pilot, lambda: "In Por" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        await wait_until(pilot, lambda: "unfinished" in screen_text(pilot))
        assert engine.regenerated == []


async def test_a_reply_is_drafted_chosen_changed_and_kept(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DraftScreen))
        pilot.app.screen.query_one("#from", Input).value = "Jonas"
        pilot.app.screen.query_one("#message", TextArea).text = "lunch tomorrow?"
        await pilot.press("ctrl+r")
        for draft in ("yes", "no", "maybe"):
            engine.say(draft)
            engine.end()
            await wait_until(pilot, lambda draft=draft: draft in screen_text(pilot))
        await wait_until(pilot, lambda: len(engine.regenerated) == 2)
        assert engine.requests[0].correspondent == "Jonas"
        await pilot.pause(0.2)
        pilot.app.post_message(Key("alt+3", "3"))  # as a terminal sends it
        await wait_until(pilot, lambda: pilot.app.screen.query_one("#reply", TextArea).text == "maybe")
        await pilot.press("end", "!", "ctrl+y")
        await wait_until(pilot, lambda: pilot.app.clipboard == "maybe!")
        (kept,) = corrections(engine.sessions)
        assert (kept.kept.text, kept.draft.text) == ("maybe!", "maybe")
        assert len(list(ChoiceBook(engine.sessions).preference_pairs())) == 3
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))


async def test_one_talks_as_a_correspondent_and_as_oneself_again(engine: ScriptedEngine) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    engine.memory.known = [
        Person("Mira Sol", True, ("a",), (), 900, when, when),
        Person("Jonas Weber", False, ("b",), (), 120, when, when),
        Person("Ana", False, ("c",), (), 80, when, when),
    ]
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await pilot.press("f5")
        await wait_until(pilot, lambda: "Jonas Weber" in screen_text(pilot))
        await pilot.press(*"jon", "enter")
        await wait_until(pilot, lambda: "you are Jonas Weber" in screen_text(pilot))
        await write(pilot, "hi")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert engine.requests[0].correspondent == "Jonas Weber"
        await pilot.press("f5")
        await wait_until(pilot, lambda: "yourself" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "you are Jonas" not in screen_text(pilot))


async def test_the_channel_is_chosen_said_kept_and_left(engine: ScriptedEngine) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    engine.memory.known = [Person("Ana", False, ("c",), (), 3, when, when)]
    engine.memory.heard["Ana"] = [
        replace(stored("slack:C1:0", "hi"), author="Ana"),
        replace(stored("slack:C1:1", "hello?"), author="Ana"),
        replace(stored("email:1", "Dear Mira"), author="Ana", source="email", conversation_id="email:1"),
    ]
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await pilot.press("f5")
        await wait_until(pilot, lambda: "Ana" in screen_text(pilot))
        await pilot.press(*"ana", "enter")
        await wait_until(pilot, lambda: "anywhere" in screen_text(pilot))
        await pilot.press(*"slack", "enter")
        await wait_until(pilot, lambda: "you are Ana in slack #general" in screen_text(pilot))
        await write(pilot, "hi")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert (engine.requests[0].correspondent, engine.requests[0].channel) == ("Ana", "slack:C1")
        (session,) = engine.sessions.list()
        await pilot.press("f5")
        await wait_until(pilot, lambda: "yourself" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "you are Ana" not in screen_text(pilot))
        assert screen._request("").channel is None
        screen._leave_for(session.id)
        await wait_until(pilot, lambda: "you are Ana in slack #general" in screen_text(pilot))


async def test_a_command_is_offered_completed_and_run(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        menu, prompt = screen.query_one(SlashMenu), screen.query_one(Prompt)
        await pilot.press("/")
        await wait_until(pilot, lambda: menu.option_count == len(ACTIONS))
        await pilot.press("t", "h")
        await wait_until(pilot, lambda: menu.option_count == 2)
        await pilot.press("down", "tab")
        await wait_until(pilot, lambda: prompt.text == "/theme")
        await pilot.press("ctrl+u", *"/thin", "enter")
        await wait_until(pilot, lambda: "● thinking on" in screen_text(pilot))
        assert prompt.text == ""
        assert not engine.requests
        # what is no command is said
        await write(pilot, "/usr is a folder")
        await wait_until(pilot, lambda: engine.requests)
        engine.end()


async def test_sampling_is_asked_for_and_bounded(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await pilot.press("f9")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplingScreen))
        assert "0.7, the model's own" in screen_text(pilot)
        await pilot.press("9", "enter")
        await wait_until(pilot, lambda: "from 0 to 5" in screen_text(pilot))
        await pilot.press("backspace", *"0.2", "enter")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        await write(pilot, "hi")
        engine.end()
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].sampling == {"temperature": 0.2}


async def test_settings_are_changed_kept_and_taken_up(engine: ScriptedEngine, tmp_path: Path) -> None:
    engines = [engine, ScriptedEngine(tmp_path / "again")]
    async with make_app(lambda progress: engines.pop(0)).run_test(size=(110, 60)) as pilot:
        await opened(pilot)
        await chat(pilot).run_action("settings")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen))
        for row in config.show():
            assert row.key.split(".")[1].replace("_", " ") in _all_text(pilot.app.screen)
        fields = [w for w in pilot.app.screen.query(Input) if w.value == "0.75"]
        fields[0].focus()
        fields[0].value = "7"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "high_mark" in screen_text(pilot))
        assert config.load().chat.high_mark == 0.75
        fields[0].value = "0.8"
        await pilot.press("enter", "escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        assert config.load().chat.high_mark == 0.8
        await wait_until(pilot, lambda: engine.closed and not engines)
        await wait_until(pilot, lambda: "opening" not in screen_text(pilot))


async def test_a_change_of_looks_is_seen_at_once_and_leaves_model_and_switches_as_they_are(
    engine: ScriptedEngine,
) -> None:
    async with make_app(engine).run_test(size=(110, 60)) as pilot:
        screen = await opened(pilot)
        await pilot.press("ctrl+t")
        await screen.run_action("settings")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen))
        config.set_value("tui.theme", "persona-contrast")
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is screen)
        await wait_until(pilot, lambda: pilot.app.theme == "persona-contrast")
        assert screen._room.engine is engine
        assert not engine.closed
        assert screen.thinking


def _all_text(screen: object) -> str:
    from textual.widgets import Label

    return " ".join(str(label.render()) for label in screen.query(Label))  # type: ignore[attr-defined]


async def test_another_model_is_chosen_and_opened(
    engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tell(engine, ("one", "reply one"))
    engines = [engine, ScriptedEngine(tmp_path)]
    app = make_app(lambda progress: engines.pop(0), session_id=first)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await pilot.press(*"half a thought", "f8")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))
        models = pilot.app.screen.query_one(OptionList)
        await wait_until(pilot, lambda: models.option_count)
        names = [str(models.get_option_at_index(n).prompt) for n in range(models.option_count)]
        models.highlighted = next(n for n, name in enumerate(names) if "starter" in name)
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        await wait_until(pilot, lambda: not engines and "reply one" in screen_text(pilot))
        assert config.load().model.name == "starter"
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).text == "half a thought")
    app.room.close()


async def test_a_file_that_is_dropped_is_offered_to_be_read(engine: ScriptedEngine, tmp_path: Path) -> None:
    dropped = tmp_path / "notes.md"
    dropped.write_text("# Porto", encoding="utf-8")
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        pilot.app.post_message(Paste(f"'{dropped}'"))
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))
        await wait_until(pilot, lambda: "notes.md" in screen_text(pilot))
        assert screen.query_one(Prompt).text == ""


@pytest.mark.parametrize("while_it", ["opens", "speaks"])
async def test_a_file_dropped_while_busy_is_offered_afterwards(
    engine: ScriptedEngine, tmp_path: Path, while_it: str
) -> None:
    dropped = tmp_path / "notes.md"
    dropped.write_text("# Porto", encoding="utf-8")
    opener = SlowOpener(engine)
    async with make_app(opener).run_test(size=WIDE, notifications=True) as pilot:
        if while_it == "speaks":
            opener.let.set()
            await opened(pilot)
            await write(pilot, "hi")
            await wait_until(pilot, lambda: engine.requests)
        pilot.app.post_message(Paste(str(dropped)))
        await wait_until(pilot, lambda: "notes.md can be read as soon as" in screen_text(pilot))
        assert chat(pilot).query_one(Prompt).text == ""
        opener.let.set()
        engine.end()
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))
        await wait_until(pilot, lambda: "notes.md" in screen_text(pilot))


async def test_a_chat_is_exported_from_the_app(engine: ScriptedEngine, tmp_path: Path) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))
        await chat(pilot).run_action("export")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, LineScreen))
        pilot.app.screen.query_one(Input).value = str(tmp_path / "one.html")
        await pilot.press("enter")
        await wait_until(pilot, lambda: (tmp_path / "one.html").exists())


async def click_on(pilot: Pilot[Any], word: str) -> None:
    """Click the first letter of `word` where the screen shows it."""
    row = next(n for n, line in enumerate(screen_text(pilot).splitlines()) if word in line)
    await pilot.click(offset=(screen_text(pilot).splitlines()[row].index(word), row))


async def test_every_sheet_is_taken_and_left_with_the_mouse(engine: ScriptedEngine) -> None:
    first = tell(engine, ("one", "reply one"))
    async with make_app(engine, session_id=first).run_test(size=(60, 24)) as pilot:
        await wait_until(pilot, lambda: "reply one" in screen_text(pilot))

        async def door(action: str, word: str) -> None:
            """Open a screen, click `word` on it, and be back."""
            await chat(pilot).run_action(action)
            await wait_until(pilot, lambda: word in screen_text(pilot))
            if field := pilot.app.screen.query(Input):
                field.first().value = "0.5"
            await click_on(pilot, word)
            await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))

        await door("help", "close (esc)")
        await door("rename_session", "leave it (esc)")
        assert engine.sessions.get(first).title != "0.5"
        await door("rename_session", "keep it (enter)")
        await wait_until(pilot, lambda: engine.sessions.get(first).title == "0.5")
        await door("sampling", "leave it (esc)")
        assert chat(pilot).sampling == {}
        await door("sampling", "take it (enter)")
        assert chat(pilot).sampling == {"temperature": 0.5}
        await door("partner", "leave it (esc)")
        assert chat(pilot).partner == ""


async def test_keys_are_remapped_and_the_help_sheet_says_so(engine: ScriptedEngine) -> None:
    settings = Settings(tui=TuiSettings(keys={"chat.thinking": "f10", "chat.export": "f12", "no.such": "f7"}))
    async with make_app(engine, settings=settings).run_test(size=(100, 110), notifications=True) as pilot:
        await wait_until(pilot, lambda: "no.such" in screen_text(pilot))
        await opened(pilot)
        await pilot.press("f10")
        await wait_until(pilot, lambda: "● thinking on" in screen_text(pilot))
        await pilot.press("ctrl+t")
        await pilot.press("f1")
        await wait_until(pilot, lambda: "f12" in screen_text(pilot))
        assert "● thinking on" in screen_text(pilot)


async def test_a_plain_look_has_no_frames(engine: ScriptedEngine) -> None:
    settings = Settings(tui=TuiSettings(plain=True))
    async with make_app(engine, settings=settings).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await write(pilot, "hi")
        engine.say("hello")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        for sign in "│─━▌▐╭╮●○▸▾■":
            assert sign not in screen_text(pilot)
