"""What every action of the chat does, from the command palette. A new one has no effect here yet, and a test
says so; what the other screens can do is in `test_palette_places`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from persona.tui.keys import ACTIONS, Action
from persona.tui.screens.branching import EDITING
from persona.tui.screens.chat import ChatScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.screens.glass import GlassScreen
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.screens.pick import PickScreen
from persona.tui.screens.sampling import SamplingScreen
from persona.tui.screens.sessions import SessionsScreen
from persona.tui.screens.settings import SettingsScreen
from persona.tui.screens.steps import StepScreen
from persona.tui.screens.training import TrainingScreen
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.said import Said
from tui.conftest import chat, make_app, screen_text, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_sessions import long_chat

REPLY = "the last\n\n```\nls\n```"


@dataclass
class Room:
    """Everything an effect can be seen in."""

    pilot: Pilot[Any]
    engine: ScriptedEngine
    session_id: str
    before: float = 0.0

    @property
    def screen(self) -> ChatScreen:
        return chat(self.pilot)

    @property
    def prompt(self) -> Prompt:
        return self.screen.query_one(Prompt)

    @property
    def page(self) -> Conversation:
        return self.screen.query_one(Conversation)

    @property
    def text(self) -> str:
        return screen_text(self.pilot)

    def over(self, kind: type[Any], text: str = "") -> bool:
        """Whether a screen of that kind lies over the chat and shows the text."""
        return isinstance(self.pilot.app.screen, kind) and text in self.text


@dataclass(frozen=True)
class Effect:
    """seen: true when the action has done what it says. first: what must be done before it."""

    seen: Callable[[Room], object]
    first: Callable[[Room], Awaitable[object]] | None = None


async def asked(room: Room) -> None:
    await write(room.pilot, "more")
    room.engine.say("so far")
    await wait_until(room.pilot, lambda: "so far" in room.text)


async def at_a_message(room: Room) -> None:
    await room.screen.run_action("message(-1)")
    await wait_until(room.pilot, lambda: isinstance(room.screen.focused, Said))


async def the_first_of_two(room: Room) -> None:
    await room.screen.run_action("alternative(-1)")
    await wait_until(room.pilot, lambda: "1 of 2" in room.text)


async def up(room: Room) -> None:
    await wait_until(room.pilot, lambda: room.page.max_scroll_y > 0)
    room.page.scroll_to(y=room.page.max_scroll_y // 2, animate=False)
    await room.pilot.pause()
    room.before = room.page.scroll_y


async def deleted(room: Room) -> None:
    await room.screen.run_action("delete_session")
    await wait_until(room.pilot, lambda: room.screen._session_id is None)


async def unopened(room: Room) -> None:
    room.screen._room.engine = None


EFFECTS = {
    "chat.help": Effect(lambda r: r.over(HelpScreen)),
    "chat.glass": Effect(lambda r: r.over(GlassScreen, "the prompt, in its order")),
    "chat.sessions": Effect(lambda r: r.over(SessionsScreen, "question 1")),
    "chat.new": Effect(lambda r: r.screen._session_id is None and "A twin that remembers" in r.text),
    "chat.regenerate": Effect(lambda r: r.engine.regenerated == [r.session_id]),
    "chat.stop": Effect(lambda r: "■ stopped" in r.text, asked),
    "chat.prompt": Effect(lambda r: r.prompt.has_focus, at_a_message),
    "chat.thinking": Effect(lambda r: "● thinking on" in r.text),
    "chat.memory": Effect(lambda r: "○ memory off" in r.text),
    "chat.compression": Effect(lambda r: "● compression abstractive" in r.text),
    "chat.message_up": Effect(lambda r: isinstance(r.screen.focused, Said)),
    "chat.message_down": Effect(lambda r: r.prompt.has_focus, at_a_message),
    "chat.edit": Effect(
        lambda r: (
            (r.prompt.border_title, r.prompt.text)
            == (EDITING.format(send="enter", leave="esc"), "the last question")
        )
    ),
    "chat.fork": Effect(lambda r: r.screen._session_id not in (None, r.session_id)),
    "chat.previous": Effect(lambda r: "1 of 2" in r.text),
    "chat.next": Effect(lambda r: "2 of 2" in r.text, the_first_of_two),
    "chat.quote": Effect(lambda r: r.prompt.text.startswith("> ")),
    "chat.copy": Effect(lambda r: r.pilot.app.clipboard == REPLY),
    "chat.code": Effect(lambda r: r.pilot.app.clipboard == "ls"),
    "chat.folds": Effect(lambda r: "a thought of it" in r.text),
    "chat.page_up": Effect(lambda r: r.page.scroll_y < r.before, up),
    "chat.page_down": Effect(lambda r: r.page.scroll_y > r.before, up),
    "chat.top": Effect(lambda r: r.page.scroll_y == 0 and "question 1\n" in r.text),
    "chat.bottom": Effect(lambda r: r.page.at_end, up),
    "chat.compare": Effect(lambda r: r.over(PickScreen, "another draw")),
    "chat.draft": Effect(lambda r: r.over(DraftScreen)),
    "chat.as": Effect(lambda r: r.over(PickScreen, "yourself")),
    "chat.model": Effect(lambda r: r.over(StepScreen, "Which model fits")),
    "chat.adapter": Effect(lambda r: r.over(PickScreen, "the model as it is")),
    "chat.sampling": Effect(lambda r: r.over(SamplingScreen, "the model's own")),
    "chat.settings": Effect(lambda r: r.over(SettingsScreen)),
    "chat.import": Effect(lambda r: r.over(StepScreen, "Where are your exports?")),
    "chat.training": Effect(lambda r: r.over(TrainingScreen)),
    "chat.export": Effect(lambda r: r.over(LineScreen, "export to")),
    "chat.rename": Effect(lambda r: r.over(LineScreen, "rename the chat")),
    "chat.delete": Effect(lambda r: r.screen._session_id is None and r.engine.sessions.list() == []),
    "chat.undelete": Effect(lambda r: r.screen._session_id == r.session_id, deleted),
    "chat.theme": Effect(lambda r: r.over(CommandPalette)),
    "chat.retry": Effect(lambda r: r.screen._room.engine is r.engine, unopened),
}


def test_every_action_of_the_chat_has_an_effect_to_be_seen() -> None:
    assert EFFECTS.keys() == {action.id for action in ACTIONS}


def told(engine: ScriptedEngine) -> str:
    """A chat with alternatives, thinking and code at its end."""
    session_id = long_chat(engine, 4)
    last = engine.sessions.add_user(session_id, "the last question")
    engine.sessions.add_reply(session_id, last.number, text="another", status="complete")
    engine.sessions.add_reply(
        session_id, last.number, text=REPLY, thinking="a thought of it", status="complete"
    )
    return session_id


async def palette(room: Room, title: str) -> None:
    """Take that command from the palette of what is on the screen."""
    screen = room.pilot.app.screen
    [command] = [c for c in room.pilot.app.get_system_commands(screen) if c.title == title]
    await command.callback()


@pytest.mark.parametrize("action", ACTIONS, ids=[action.id for action in ACTIONS])
async def test_the_palette_does_what_it_says(engine: ScriptedEngine, action: Action) -> None:
    session_id = told(engine)
    effect = EFFECTS[action.id]
    async with make_app(engine, session_id=session_id).run_test(size=(100, 34)) as pilot:
        room = Room(pilot, engine, session_id)
        await wait_until(pilot, lambda: "2 of 2" in room.text and room.page.at_end)
        if effect.first is not None:
            await effect.first(room)
        assert not effect.seen(room)
        await palette(room, action.title)
        await wait_until(pilot, lambda: effect.seen(room))
