"""Switches, keys, palette, footer and figures: what the chat says of itself."""

from textual.widgets import Footer

from persona.config import ChatSettings, MemorySettings, Settings
from persona.tui.keys import ACTIONS, ALL
from persona.tui.screens.help import HelpScreen
from persona.tui.widgets.messages import TwinMessage
from tui.conftest import chat, make_app, opened, screen_text, text_of, wait_until, write
from tui.scripted import ScriptedEngine

WIDE = (100, 30)


async def test_the_switches_are_visible_and_asked_for(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for before, key, after in (
            ("○ thinking off", "ctrl+t", "● thinking on"),
            ("● memory on", "ctrl+g", "○ memory off"),
            ("● compression extractive", "ctrl+o", "● compression abstractive"),
            ("● compression abstractive", "ctrl+o", "○ compression off"),
        ):
            assert before in screen_text(pilot)
            await pilot.press(key)
            await wait_until(pilot, lambda after=after: after in screen_text(pilot))
        await write(pilot, "hi")
        engine.end()
        request = await wait_until(pilot, lambda: engine.requests and engine.requests[0])
        assert (request.thinking, request.memory, request.compression) == (True, False, "off")
        await pilot.click("#switch-thinking")
        await wait_until(pilot, lambda: "○ thinking off" in screen_text(pilot))


async def test_the_switches_start_as_the_settings_say(engine: ScriptedEngine) -> None:
    settings = Settings(
        chat=ChatSettings(thinking=True, compression="off"), memory=MemorySettings(enabled=False)
    )
    async with make_app(engine, settings=settings).run_test(size=WIDE) as pilot:
        await opened(pilot)
        for state in ("● thinking on", "○ memory off", "○ compression off"):
            assert state in screen_text(pilot)


async def test_the_head_says_that_this_is_the_starter_model(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(60, 24)) as pilot:
        await opened(pilot)
        assert "starter model: a small reader, not a conversationalist" in screen_text(pilot)
        assert "● compression extractive" in screen_text(pilot)


async def test_help_names_every_key(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(100, 190)) as pilot:
        await opened(pilot)
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        for action in (action for _, actions in ALL for action in actions):
            assert action.keys in screen_text(pilot), action.id
        await pilot.press("escape")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))


async def test_the_palette_holds_every_action(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        titles = [command.title for command in pilot.app.get_system_commands(screen)]
        assert {action.title for action in ACTIONS} <= set(titles)
        assert len(titles) == len(set(titles))
        await pilot.press("ctrl+p")
        for character in "thinking":
            await pilot.press(character)
        await wait_until(pilot, lambda: "let the model think" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "● thinking on" in screen_text(pilot))


async def test_the_meter_and_the_figures_of_the_last_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        await wait_until(pilot, lambda: "423 of 1,664 tokens" in screen_text(pilot))
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "512 of 1,664 tokens" in screen_text(pilot))
        assert "31 tokens/s · first word after 0.4 s" in screen_text(pilot)


async def test_the_footer_offers_what_can_be_done_now(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        footer = screen.query_one(Footer)
        assert "Stop" not in text_of(footer)
        assert "Again" not in text_of(footer)
        await write(pilot, "one")
        await wait_until(pilot, lambda: "Stop" in text_of(footer))
        engine.end()
        await wait_until(pilot, lambda: "Again" in text_of(footer))
        assert "Stop" not in text_of(footer)


async def test_a_reply_goes_on_through_another_theme_and_another_size(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("In **Por")
        await wait_until(pilot, lambda: "In **Por" in screen_text(pilot))
        pilot.app.theme = "persona-contrast"
        engine.say("to**, ")
        await pilot.resize_terminal(60, 24)
        engine.say("near the river.")
        await wait_until(pilot, lambda: "In Porto, near the river." in screen_text(pilot))
        await pilot.resize_terminal(120, 40)
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert screen.query_one(TwinMessage).text == "In **Porto**, near the river."
