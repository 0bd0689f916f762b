"""Reading a chat: following its end, opening details, copying."""

import pytest
from textual.widgets import Static

from knowledge.records import Memory
from persona.backends.base import ThinkingDelta
from persona.errors import ModelError
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.messages import Thinking
from tui.conftest import make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine, memory

WIDE = (100, 30)


@pytest.mark.parametrize("ending", ["end", "stop", "error"])
async def test_a_finished_reply_is_shown_as_one_document(engine: ScriptedEngine, ending: str) -> None:
    """Piecewise parsing cannot know a link defined below; the last full update can, however a reply ends."""
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "a link")
        engine.say("See [the map][m].\n\nA block between.\n\n")
        await wait_until(pilot, lambda: "See [the map][m]." in screen_text(pilot))
        engine.say("[m]: http://localhost/map\n", "tail")
        await wait_until(pilot, lambda: "tail" in screen_text(pilot))
        assert "See [the map][m]." in screen_text(pilot)
        if ending == "end":
            engine.end()
        elif ending == "stop":
            await pilot.press("escape")
        else:
            engine.say(ModelError("the model is gone", "open it again"))
        await wait_until(pilot, lambda: "See the map." in screen_text(pilot))
        assert "tail" in screen_text(pilot)


async def test_thinking_has_a_fold_of_its_own_that_closes_when_the_reply_begins(
    engine: ScriptedEngine,
) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await pilot.press("ctrl+t")
        await write(pilot, "where?")
        engine.say(ThinkingDelta("Memory 1 says "), ThinkingDelta("Porto."))
        await wait_until(pilot, lambda: "Memory 1 says Porto." in screen_text(pilot))
        assert "thinking…" in screen_text(pilot)
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "thought for 0.0 s · 4 words" in screen_text(pilot))
        assert "Memory 1 says" not in screen_text(pilot)
        assert engine.requests[0].thinking is True
        screen.query_one(Thinking).opened = True
        await wait_until(pilot, lambda: "Memory 1 says Porto." in screen_text(pilot))


async def test_memories_open_under_the_reply(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "where?")
        engine.say("Porto.")
        engine.end()
        await wait_until(pilot, lambda: "2 memories" in screen_text(pilot))
        assert "I moved to Porto" not in screen_text(pilot)
        await pilot.click(screen.query_one(MemoryList).query_one("FoldTitle"))
        shown = await wait_until(
            pilot, lambda: "I moved to Porto" in screen_text(pilot) and screen_text(pilot)
        )
        assert "[1] 12 March 2024 · me · slack #general" in shown
        assert "score 0.83 · words: moved, porto; meaning 0.52" in shown
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "I moved to Porto" not in screen_text(pilot))


async def test_the_last_reply_is_copied(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await write(pilot, "where?")
        engine.say("In **Porto**.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await pilot.press("ctrl+y")
        assert pilot.app.clipboard == "In **Porto**."


async def test_the_page_follows_its_end_only_while_the_reader_is_there(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=(80, 20)) as pilot:
        page = (await opened(pilot)).query_one(Conversation)
        await write(pilot, "tell me")
        engine.say("\n\n".join(f"line {n}" for n in range(30)))
        await wait_until(pilot, lambda: "line 29" in screen_text(pilot))
        await pilot.press("pageup", "pageup")
        await wait_until(pilot, lambda: "line 29" not in screen_text(pilot))
        reading = page.scroll_y
        engine.say("\n\nand one more", "\n\nand the last")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert page.scroll_y == reading
        assert "the last" not in screen_text(pilot)
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: "and the last" in screen_text(pilot))
        await write(pilot, "more")
        engine.say("\n\n".join(f"row {n}" for n in range(30)))
        await wait_until(pilot, lambda: "row 29" in screen_text(pilot))
        engine.end()


async def test_what_the_reader_opens_comes_into_view_heading_first(engine: ScriptedEngine) -> None:
    engine.memories = tuple(memory(n, f"memory number {n}") for n in range(1, 11))
    async with make_app(engine).run_test(size=(80, 20)) as pilot:
        await opened(pilot)
        await write(pilot, "tell me")
        engine.say("\n\n".join(f"line {n}" for n in range(12)))
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        await wait_until(pilot, lambda: "10 memories" in screen_text(pilot))
        await pilot.press("ctrl+f")
        await wait_until(pilot, lambda: "memory number 1" in screen_text(pilot).splitlines()[6])
        assert "10 memories" in screen_text(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: "memory number 10" in screen_text(pilot))


async def test_no_memories_no_list(engine: ScriptedEngine) -> None:
    engine.memories: tuple[Memory, ...] = ()
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await write(pilot, "one")
        engine.say("I don't know.")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert not screen.query(MemoryList)
        assert screen.query(Static)
