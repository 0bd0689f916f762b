"""The list of chats: search, open, rename, delete and undo; drafts; going on where one left."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from persona.chat.store import SessionStore
from persona.chat.views import view
from persona.errors import SessionError
from persona.tui.room import LATEST
from persona.tui.screens.sessions import Found, SessionsScreen
from persona.tui.widgets.conversation import Conversation, More
from persona.tui.widgets.prompt import Prompt
from tui.conftest import QUESTIONS, chat, make_app, opened, screen_text, wait_until, write
from tui.scripted import ScriptedEngine

SIZES = pytest.mark.parametrize("size", [(120, 36), (60, 24)], ids=["wide", "narrow"])
WIDE = (100, 30)


def tell(engine: ScriptedEngine, *exchanges: tuple[str, str]) -> str:
    """A stored chat; its id."""
    session = engine.sessions.create()
    for question, reply in exchanges:
        asked = engine.sessions.add_user(session.id, question)
        engine.sessions.add_reply(session.id, asked.number, text=reply, status="complete")
    return session.id


def long_chat(engine: ScriptedEngine, exchanges: int) -> str:
    return tell(
        engine, *((f"question {n}", f"answer {n}\n\nand more of it") for n in range(1, exchanges + 1))
    )


async def listed(pilot: Pilot[Any]) -> SessionsScreen:
    """Open the list of chats."""
    await opened(pilot)
    await pilot.press("ctrl+s")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, SessionsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, SessionsScreen)
    await wait_until(pilot, lambda: screen.query_one(Input).border_subtitle)
    return screen


@SIZES
async def test_what_was_said_is_found_while_typing_and_enter_goes_there(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    far = long_chat(engine, 60)
    tell(engine, ("shall we go to the river?", "The Douro, yes."))
    async with make_app(engine).run_test(size=size) as pilot:
        await listed(pilot)
        shown = screen_text(pilot)
        assert shown.index("shall we go to the river?") < shown.index("question 1")
        assert "120 messages" in shown
        await write_into_search(pilot, "dou")
        await wait_until(pilot, lambda: "The Douro, yes." in screen_text(pilot))
        assert "question 1" not in screen_text(pilot)
        await write_into_search(pilot, "answer 7")
        await wait_until(pilot, lambda: "answer 7" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        await wait_until(pilot, lambda: "answer 7" in screen_text(pilot))
        assert "answer 60" not in screen_text(pilot)
        await write(pilot, "go on")
        await wait_until(pilot, lambda: "go on" in screen_text(pilot))
        assert "answer 60" in screen_text(pilot)
        engine.end()
        await wait_until(pilot, lambda: engine.requests)
        assert engine.requests[0].session_id == far


async def write_into_search(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.query_one(Input).value = ""
    for character in text:
        await pilot.press({" ": "space"}.get(character, character))


async def test_the_words_that_were_searched_stand_out(engine: ScriptedEngine) -> None:
    tell(engine, ("where?", "By the river Douro."))
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await listed(pilot)
        await write_into_search(pilot, "river")
        await wait_until(pilot, lambda: "By the river Douro." in screen_text(pilot))
        row = screen.query_one(Found).get_option_at_index(0).prompt
        styled = [row.plain[s.start : s.end] for s in row.spans if "bold" in str(s.style)]  # type: ignore[union-attr]
        assert styled == ["river"]


async def test_the_footer_offers_another_reply_where_the_chat_that_is_shown_has_one(
    engine: ScriptedEngine,
) -> None:
    told = tell(engine, ("where?", "By the river Douro."))
    async with make_app(engine, session_id=told).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "^r Again" in screen_text(pilot))
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
        await wait_until(pilot, lambda: "^r Again" not in screen_text(pilot))


async def test_a_place_in_a_long_chat_has_turns_on_both_sides(engine: ScriptedEngine) -> None:
    long_chat(engine, 100)
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await listed(pilot)
        await write_into_search(pilot, "answer 50")
        await wait_until(pilot, lambda: "answer 50" in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: pilot.app.screen is chat(pilot))
        page = chat(pilot).query_one(Conversation)
        await wait_until(pilot, lambda: "answer 50" in screen_text(pilot))
        earlier, later = page.query(More)
        assert earlier.display
        assert later.display
        assert len(page.children) <= 64
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: "answer 100" in screen_text(pilot))
        assert len(page.children) <= 64


async def test_a_chat_is_opened_with_the_mouse_and_a_new_one_begun(engine: ScriptedEngine) -> None:
    tell(engine, ("one question", "one answer"))
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await listed(pilot)
        await pilot.click(Found, offset=(4, 0))
        await wait_until(pilot, lambda: "one answer" in screen_text(pilot))
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SessionsScreen))
        await wait_until(pilot, lambda: "● one question" in screen_text(pilot))
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
        assert "one answer" not in screen_text(pilot)


async def test_a_chat_is_renamed_in_the_list_and_in_the_chat(engine: ScriptedEngine) -> None:
    session_id = tell(engine, ("one question", "one answer"))
    async with make_app(engine, session_id=session_id).run_test(size=WIDE) as pilot:
        await listed(pilot)
        await pilot.press("ctrl+r", *"Porto", "enter")
        await wait_until(pilot, lambda: "Porto" in screen_text(pilot))
        assert engine.sessions.get(session_id).title == "Porto"
        await pilot.press("escape")
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).border_subtitle == "Porto")
        await chat(pilot).run_action("rename_session")
        await pilot.press(*"Braga", "enter")
        await wait_until(pilot, lambda: chat(pilot).query_one(Prompt).border_subtitle == "Braga")


async def test_a_deleted_chat_comes_back_with_ctrl_z(engine: ScriptedEngine) -> None:
    kept = tell(engine, ("keep me", "yes"))
    gone = tell(engine, ("throw me away", "no"))
    async with make_app(engine, session_id=gone).run_test(size=WIDE) as pilot:
        await listed(pilot)
        await pilot.press("ctrl+d")
        await wait_until(pilot, lambda: "1 chat" in screen_text(pilot))
        assert [s.id for s in engine.sessions.list()] == [kept]
        await pilot.press("ctrl+z")
        await wait_until(pilot, lambda: "2 chats" in screen_text(pilot))
        await pilot.press("ctrl+d")
        await wait_until(pilot, lambda: "1 chat" in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
        await write(pilot, "a new one")
        engine.end()
        await wait_until(pilot, lambda: engine.idled)
        assert engine.requests[0].session_id is None
        await chat(pilot).run_action("undelete_session")
        await wait_until(pilot, lambda: "throw me away" in screen_text(pilot))


async def test_this_chat_is_deleted_and_gone_for_good_when_the_app_closes(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    session_id = tell(engine, ("throw me away", "no"))
    async with make_app(engine, session_id=session_id).run_test(size=WIDE) as pilot:
        await opened(pilot)
        await wait_until(pilot, lambda: "throw me away" in screen_text(pilot))
        await chat(pilot).run_action("delete_session")
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
    engine.close()
    store = SessionStore(tmp_path / "sessions.sqlite3")
    with pytest.raises(SessionError):
        store.restore(session_id)
    store.close()


async def test_a_chat_in_which_a_reply_is_written_is_not_left(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE, notifications=True) as pilot:
        await opened(pilot)
        await write(pilot, "hello")
        engine.say("Hm")
        await wait_until(pilot, lambda: "Hm" in screen_text(pilot))
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: "1 chat" in screen_text(pilot))
        await pilot.press("ctrl+d")
        await wait_until(pilot, lambda: "still being written" in screen_text(pilot))
        assert len(engine.sessions.list()) == 1
        await pilot.press("ctrl+n")
        engine.say(" well")
        engine.end()
        await wait_until(pilot, lambda: "Hm well" in screen_text(pilot))


async def test_the_latest_chat_is_resumed_and_none_is_a_new_one(
    engine: ScriptedEngine, tmp_path: Path
) -> None:
    tell(engine, ("older", "old"))
    tell(engine, ("newer", "new"))
    async with make_app(engine, session_id=LATEST).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "newer" in screen_text(pilot))
    (tmp_path / "empty").mkdir()
    empty = ScriptedEngine(tmp_path / "empty")
    async with make_app(empty, session_id=LATEST).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
        await write(pilot, "hello")
        await wait_until(pilot, lambda: empty.requests)
        assert empty.requests[0].session_id is None
        empty.end()
    empty.close()


async def test_a_chat_opens_where_it_was_left(engine: ScriptedEngine) -> None:
    far = long_chat(engine, 40)
    async with make_app(engine, session_id=far).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "answer 40" in screen_text(pilot))
        page = chat(pilot).query_one(Conversation)
        while "answer 20" not in screen_text(pilot):
            page.scroll_page_up(animate=False)
            await wait_until(pilot, lambda: not page.bringing)
        # a rest between two turns of the wheel has its place noted, too
        await wait_until(pilot, lambda: view(engine.sessions, far).at == chat(pilot)._place())
        at = engine.sessions.turn(view(engine.sessions, far).at or "").text.splitlines()[0]
        assert at in screen_text(pilot)
        chat(pilot)._leave_for(None)
        await wait_until(pilot, lambda: QUESTIONS[0] in screen_text(pilot))
    async with make_app(engine, session_id=LATEST).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: at in screen_text(pilot))
        assert "answer 40" not in screen_text(pilot)
        assert not chat(pilot).query(".-pointed")
        await pilot.press("ctrl+end")
        await wait_until(pilot, lambda: "answer 40" in screen_text(pilot))
        await wait_until(pilot, lambda: view(engine.sessions, far).at is None)


# Drafts


async def test_what_is_not_sent_is_in_the_store_while_it_is_written(engine: ScriptedEngine) -> None:
    async with make_app(engine).run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        screen.query_one(Prompt).text = "half a thou"
        await wait_until(pilot, lambda: engine.sessions.draft(None) == "half a thou")
        screen.query_one(Prompt).text = "half a thought"
        await wait_until(pilot, lambda: engine.sessions.draft(None) == "half a thought")
        await pilot.press("enter")
        await wait_until(pilot, lambda: engine.sessions.draft(None) == "")
        assert engine.sessions.turns(engine.sessions.list()[0].id)[0].text == "half a thought"
        engine.end()


async def test_each_chat_gets_its_draft_back(engine: ScriptedEngine) -> None:
    session_id = tell(engine, ("one question", "one answer"))
    engine.sessions.keep_draft(session_id, "to the old one")
    engine.sessions.keep_draft(None, "to a new one")
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "to a new one" in screen_text(pilot))
        await listed(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "to the old one" in screen_text(pilot))
        await pilot.press("!")
        await pilot.press("ctrl+n")
        await wait_until(pilot, lambda: "to a new one" in screen_text(pilot))
    assert engine.sessions.draft(session_id) == "to the old one!"
    assert engine.sessions.draft(None) == "to a new one"


async def test_what_is_typed_before_the_engine_is_open_joins_the_draft(engine: ScriptedEngine) -> None:
    engine.sessions.keep_draft(None, "from before")
    app = make_app(engine)
    async with app.run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "from before" in screen_text(pilot))
        assert chat(pilot).query_one(Prompt).text.startswith("from before")


async def test_a_message_that_could_not_be_stored_goes_back_to_the_prompt(engine: ScriptedEngine) -> None:
    session_id = tell(engine, ("one question", "one answer"))
    async with make_app(engine, session_id=session_id).run_test(size=WIDE) as pilot:
        await wait_until(pilot, lambda: "one answer" in screen_text(pilot))
        engine.sessions.delete(session_id)
        await write(pilot, "precious words")
        await wait_until(pilot, lambda: "there is no session" in screen_text(pilot))
        assert chat(pilot).query_one(Prompt).text == "precious words"
