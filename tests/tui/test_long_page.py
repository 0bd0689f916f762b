"""A page that holds a part of a long chat: what scrolling it brings, and what becomes of what leaves it."""

import gc
import weakref

from textual.events import MouseScrollDown, MouseScrollUp

from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.said import Said
from tui.conftest import chat, make_app, screen_text, wait_until
from tui.scripted import ScriptedEngine
from tui.test_sessions import long_chat

WIDE = (100, 34)
MIDDLE = (50, 12)


async def test_a_wheel_that_does_not_wait_reaches_the_first_message_and_comes_back(
    engine: ScriptedEngine,
) -> None:
    first = long_chat(engine, 24)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "answer 24" in screen_text(pilot))
        page = chat(pilot).query_one(Conversation)
        for way, end in ((MouseScrollUp, "question 1 "), (MouseScrollDown, "answer 24")):

            def turn(way: type[MouseScrollUp] | type[MouseScrollDown] = way, end: str = end) -> bool:
                pilot.app.post_message(way(None, *MIDDLE, 0, 0, 0, False, False, False))
                return end in screen_text(pilot)

            await wait_until(pilot, turn)
            await wait_until(pilot, lambda: not page.bringing)


async def test_bringing_and_dropping_do_not_take_turns(engine: ScriptedEngine) -> None:
    first = long_chat(engine, 32)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "answer 32" in screen_text(pilot))
        page = chat(pilot).query_one(Conversation)
        for _ in range(4):
            page.scroll_page_up(animate=False)
            await wait_until(pilot, lambda: not page.bringing)
        there = list(page.children)
        page.scroll_relative(y=-1, animate=False, immediate=True)
        await wait_until(pilot, lambda: not page.bringing)
        page.scroll_relative(y=1, animate=False, immediate=True)
        await wait_until(pilot, lambda: not page.bringing)
        assert len(set(page.children) ^ set(there)) <= 2


async def test_messages_that_left_the_page_are_freed_when_the_reader_rests(engine: ScriptedEngine) -> None:
    first = long_chat(engine, 32)
    async with make_app(engine, session_id=first).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "answer 32" in screen_text(pilot))
        page = chat(pilot).query_one(Conversation)
        last = weakref.ref(page.query(Said).last())
        gc.disable()  # as it is while one scrolls: it would come by itself at some time
        try:
            for _ in range(6):
                page.scroll_page_up(animate=False)
                await wait_until(pilot, lambda: not page.bringing)
            await wait_until(pilot, lambda: last() is None)
        finally:
            gc.enable()
