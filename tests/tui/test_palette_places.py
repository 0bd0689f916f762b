"""What every action does that is not the chat's own: from the palette where it holds, else by its key.

A new action anywhere in the key map has no effect here yet, and a test says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, OptionList, TextArea

from knowledge.people import Person
from persona.chat.fact_book import FactBook
from persona.chat.left_out import left_out
from persona.config import Settings
from persona.lab.ab.choices import ChoiceBook
from persona.tui import first_run, keys
from persona.tui.app import PersonaApp
from persona.tui.screens.branching import EDITING
from persona.tui.screens.compare import CompareScreen
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.drafting import DraftScreen
from persona.tui.screens.glass import GlassScreen
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.screens.pick import PickScreen
from persona.tui.screens.sampling import SamplingScreen
from persona.tui.screens.sessions import Found, SessionsScreen
from persona.tui.screens.settings import SettingsScreen
from persona.tui.screens.steps import StepScreen
from persona.tui.screens.training import TrainingScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.glass import Remembered, Told
from persona.tui.widgets.messages import UserMessage
from tui.conftest import NOON, STOPPED_CLOCKS, make_app, wait_until, write
from tui.scripted import ScriptedEngine
from tui.test_palette import REPLY, Effect, Room, at_a_message, palette, the_first_of_two, told
from tui.test_sessions import tell

Step = Callable[[Room], Awaitable[object]]

CHATS = 40
"""So many that a page of them is not all."""


@dataclass
class Noted(Room):
    """With what a place has to say that no screen shows."""

    answers: list[bool | None] = field(default_factory=list)

    @property
    def top(self) -> Screen[Any]:
        return self.pilot.app.screen

    @property
    def back(self) -> bool:
        """Whether the chat is on top again."""
        return self.top is self.screen

    @property
    def at(self) -> int | None:
        """The row under the bar."""
        return self.top.query(OptionList).first().highlighted

    async def on(self, fold: type[Fold]) -> None:
        """Go to the first such fold."""
        await wait_until(self.pilot, lambda: self.top.query(fold))
        self.top.query(fold).first().query_one("FoldTitle").focus()
        await self.pilot.pause()


def runs(*actions: str) -> Step:
    """Run these of whatever is on top."""

    async def run(room: Room) -> None:
        for action in actions:
            await room.pilot.app.screen.run_action(action)
            await room.pilot.pause()

    return run


def leads(action: str, kind: type[Screen[Any]], text: str = "") -> Step:
    """An action of the chat that opens such a screen, with this on it."""

    async def come(room: Room) -> None:
        await room.screen.run_action(action)
        await wait_until(room.pilot, lambda: room.over(kind, text))

    return come


# Ways to where actions hold


async def to_the_prompt(room: Room) -> None:
    room.prompt.focus()


async def nowhere(room: Room) -> None:
    """No field has the focus, which would take ctrl+c for itself."""
    room.screen.set_focus(None)


async def to_a_heading(room: Noted) -> None:
    await room.on(Fold)


async def to_the_chats(room: Noted) -> None:
    await leads("sessions", SessionsScreen)(room)
    await wait_until(room.pilot, lambda: room.top.query_one(Found).option_count == CHATS + 1)


async def to_the_glass(room: Room) -> None:
    room.prompt.text = "where?"
    await leads("glass", GlassScreen, "the prompt, in its order")(room)


async def to_a_fact(room: Noted) -> None:
    turn = room.engine.sessions.add_user(room.session_id, "My dog is called Rufus.")
    FactBook(room.engine.sessions).learn([turn])
    await to_the_glass(room)
    await room.on(Told)


async def to_a_memory(room: Noted) -> None:
    await to_the_glass(room)
    await room.on(Remembered)


async def to_two_replies(room: Room) -> None:
    room.screen.contrast = "memory"
    await write(room.pilot, "more")
    await wait_until(room.pilot, lambda: room.over(CompareScreen))
    for reply in ("In Porto.", "No idea."):
        room.engine.say(reply)
        room.engine.end()
    await wait_until(room.pilot, lambda: "which is better?" in room.text)


async def to_drafting(room: Noted) -> None:
    await leads("draft", DraftScreen)(room)
    room.top.query_one("#message", TextArea).text = "lunch tomorrow?"


async def drafted(room: Noted) -> None:
    await room.top.run_action("draft")
    for draft in ("yes", "no", "maybe"):
        room.engine.say(draft)
        room.engine.end()
    await wait_until(room.pilot, lambda: len(room.top._made) == 3 and room.top._feed is None)  # type: ignore[attr-defined]


async def to_a_question(room: Noted) -> None:
    room.pilot.app.push_screen(ConfirmScreen("Sure?"), room.answers.append)
    await wait_until(room.pilot, lambda: room.over(ConfirmScreen))


async def to_picks(room: Noted) -> None:
    room.engine.memory.known = [Person("Jonas", False, ("u1",), (), 3, NOON, NOON)]
    await leads("partner", PickScreen, "Jonas")(room)


async def to_the_steps(room: Room) -> None:
    """The first run begins with them."""


# What is done there first


async def undone(room: Room) -> None:
    await room.pilot.press("x")
    await wait_until(room.pilot, lambda: room.prompt.text == "x")
    room.prompt.undo()


async def written(room: Room) -> None:
    await room.pilot.press("x")
    await wait_until(room.pilot, lambda: room.prompt.text == "x")


async def deleted(room: Noted) -> None:
    await room.top.run_action("delete")
    await wait_until(room.pilot, lambda: len(room.engine.sessions.list()) == CHATS)


async def long_page(room: Noted) -> None:
    await room.top.run_action("toggle_folds")
    await wait_until(room.pilot, lambda: page(room).max_scroll_y > 0)


async def at_the_end(room: Noted) -> None:
    await long_page(room)
    page(room).scroll_end(animate=False)
    await wait_until(room.pilot, lambda: page(room).scroll_y > 0)
    room.before = page(room).scroll_y


async def chosen(room: Noted) -> None:
    await drafted(room)
    await room.top.run_action("choose(2)")


async def titled(room: Noted) -> None:
    room.top.query_one(Input).value = "another title"


async def warmed(room: Noted) -> None:
    room.top.query_one("#temperature", Input).value = "0.5"


# What is then to be seen


def page(room: Noted) -> VerticalScroll:
    return room.top.query(VerticalScroll).first()


def fold_at(number: int) -> Callable[[Noted], bool]:
    return lambda room: room.top.focused is list(room.top.query("FoldTitle"))[number]


def better(room: Noted) -> list[str]:
    return [choice.picked for choice in ChoiceBook(room.engine.sessions).all()]


def reply(room: Noted) -> str:
    return room.top.query_one("#reply", TextArea).text


def step(room: Noted) -> str | None:
    return room.top.query_one(ContentSwitcher).current


E: Any = Effect

PLACES: Mapping[str, tuple[Callable[[Any], Awaitable[object]], Mapping[str, Effect]]] = {
    "in the prompt": (
        to_the_prompt,
        {
            "prompt.send": E(lambda r: [q.text for q in r.engine.requests] == ["x"], written),
            "prompt.newline": E(lambda r: r.prompt.text == "x\n", written),
            "prompt.redo": E(lambda r: r.prompt.text == "x", undone),
        },
    ),
    "everywhere": (
        nowhere,
        {
            "app.palette": E(lambda r: r.over(CommandPalette)),
            "app.quit": E(lambda r: r.pilot.app._exit),
            "app.interrupt": E(lambda r: len(r.pilot.app._notifications)),
        },
    ),
    "at a message": (
        at_a_message,
        {
            "message.up": E(lambda r: isinstance(r.screen.focused, UserMessage)),
            "message.down": E(lambda r: r.prompt.has_focus),
            "message.previous": E(lambda r: "1 of 2" in r.text),
            "message.next": E(lambda r: "2 of 2" in r.text, the_first_of_two),
            "message.copy": E(lambda r: r.pilot.app.clipboard == REPLY),
            "message.edit": E(lambda r: r.prompt.border_title == EDITING.format(send="enter", leave="esc")),
            "message.fork": E(lambda r: r.screen._session_id not in (None, r.session_id)),
            "message.quote": E(lambda r: r.prompt.text.startswith("> ")),
        },
    ),
    "at a heading that opens": (to_a_heading, {"fold.open": E(lambda r: "a thought of it" in r.text)}),
    "in the list of chats": (
        to_the_chats,
        {
            "sessions.close": E(lambda r: r.back),
            "sessions.open": E(lambda r: r.back and "about chat 39" in r.text),
            "sessions.new": E(lambda r: r.back and r.screen._session_id is None),
            "sessions.rename": E(lambda r: r.over(LineScreen, "rename the chat")),
            "sessions.delete": E(lambda r: len(r.engine.sessions.list()) == CHATS),
            "sessions.undo": E(lambda r: len(r.engine.sessions.list()) == CHATS + 1, deleted),
            "sessions.up": E(lambda r: r.at == 0, runs("move(1)")),
            "sessions.down": E(lambda r: r.at == 1),
            "sessions.page_up": E(lambda r: r.at == 0, runs("page(1)")),
            "sessions.page_down": E(lambda r: r.at > 1),
            "sessions.help": E(lambda r: r.over(HelpScreen)),
        },
    ),
    "in the glass box": (
        to_the_glass,
        {
            "glass.close": E(lambda r: r.back),
            "glass.folds": E(lambda r: all(fold.opened for fold in r.top.query(Fold))),
            "glass.next": E(fold_at(1)),
            "glass.previous": E(fold_at(0), runs("app.focus_next")),
            "glass.page_up": E(lambda r: page(r).scroll_y < r.before, at_the_end),
            "glass.page_down": E(lambda r: page(r).scroll_y > 0, long_page),
            "glass.help": E(lambda r: r.over(HelpScreen)),
        },
    ),
    "at a fact, in the glass box": (
        to_a_fact,
        {
            "fact.pin": E(lambda r: FactBook(r.engine.sessions).told()[0].pinned),
            "fact.correct": E(lambda r: r.over(LineScreen, "what holds instead")),
            "fact.forget": E(lambda r: r.over(ConfirmScreen, "the sentence that tells it")),
        },
    ),
    "at a memory, in the glass box": (
        to_a_memory,
        {
            "memory.out": E(lambda r: left_out(r.engine.sessions, r.session_id) == {"slack:C1:1"}),
            "memory.forget": E(lambda r: r.over(ConfirmScreen, "this message, in every store")),
        },
    ),
    "between two replies": (
        to_two_replies,
        {
            **{
                f"compare.{picked}": E(lambda r, picked=picked: r.back and better(r) == [picked])
                for picked in ("left", "right", "alike", "neither")
            },
            "compare.close": E(lambda r: r.back and not better(r)),
        },
    ),
    "drafting a reply": (
        to_drafting,
        {
            "draft.make": E(lambda r: [q.text for q in r.engine.requests] == ["lunch tomorrow?"]),
            "draft.first": E(lambda r: reply(r) == "yes", drafted),
            "draft.second": E(lambda r: reply(r) == "no", drafted),
            "draft.third": E(lambda r: reply(r) == "maybe", drafted),
            "draft.keep": E(lambda r: r.pilot.app.clipboard == "no", chosen),
            "draft.close": E(lambda r: r.back),
        },
    ),
    "where one of several is picked": (
        to_picks,
        {
            "pick.take": E(lambda r: r.back and r.screen.partner == "Jonas", runs("move(1)")),
            "pick.close": E(lambda r: r.back),
            "pick.up": E(lambda r: r.at == 0, runs("move(1)")),
            "pick.down": E(lambda r: r.at == 1),
        },
    ),
    "where a line is asked for": (
        leads("rename_session", LineScreen),
        {
            "line.keep": E(lambda r: r.engine.sessions.get(r.session_id).title == "another title", titled),
            "line.close": E(lambda r: r.back and r.engine.sessions.get(r.session_id).title == "question 1"),
        },
    ),
    "where something is asked": (
        to_a_question,
        {
            "confirm.yes": E(lambda r: r.answers == [True]),
            "confirm.no": E(lambda r: r.answers == [False]),
        },
    ),
    "in the sampling": (
        leads("sampling", SamplingScreen),
        {
            "sampling.take": E(lambda r: r.back and r.screen.sampling == {"temperature": 0.5}, warmed),
            "sampling.close": E(lambda r: r.back),
        },
    ),
    "in the settings": (leads("settings", SettingsScreen), {"settings.close": E(lambda r: r.back)}),
    "at an import, or the choice of a model": (
        leads("import", StepScreen, "Where are your exports?"),
        {"step.close": E(lambda r: r.back), "step.done": E(lambda r: r.back)},
    ),
    "at the training": (leads("training", TrainingScreen), {"training.close": E(lambda r: r.back)}),
    "in the first run": (
        to_the_steps,
        {
            "first_run.go_on": E(lambda r: step(r) == "exports"),
            "first_run.skip": E(lambda r: step(r) == "exports"),
            "first_run.back": E(lambda r: step(r) == "who", runs("skip")),
        },
    ),
    "in this sheet": (leads("help", HelpScreen), {"help.close": E(lambda r: r.back)}),
}

BY_KEY = {"everywhere", "at a message"}
"""Places whose actions are keys for what is in the palette under the names of the chat's, or of Textual's."""

CASES = [
    pytest.param(place, action, id=action.id)
    for place, actions in keys.ALL
    if actions is not keys.ACTIONS
    for action in actions
]


def test_every_action_has_an_effect_to_be_seen() -> None:
    seen = {place: list(effects) for place, (_, effects) in PLACES.items()}
    wanted = {place: sorted(a.id for a in actions) for place, actions in keys.ALL if place != "in the chat"}
    assert {place: sorted(ids) for place, ids in seen.items()} == wanted


def app_at(place: str, engine: ScriptedEngine, session_id: str) -> PersonaApp:
    if place != "in the first run":
        return make_app(engine, session_id=session_id)
    return PersonaApp(
        lambda progress: engine,
        settings=Settings(),
        clocks=STOPPED_CLOCKS,
        first_run=first_run.FirstRun(),
        sessions=engine.open_sessions,
    )


@pytest.mark.parametrize(("place", "action"), CASES)
async def test_an_action_does_what_it_says_where_it_holds(
    engine: ScriptedEngine, place: str, action: keys.Action
) -> None:
    come, effects = PLACES[place]
    effect = effects[action.id]
    session_id = told(engine)
    if place == "in the list of chats":
        for n in range(CHATS):
            tell(engine, (f"about chat {n}", "yes"))
    async with app_at(place, engine, session_id).run_test(size=(100, 34)) as pilot:
        room = Noted(pilot, engine, session_id)
        if place == "in the first run":
            await wait_until(pilot, lambda: "Who are you?" in room.text)
        else:
            await wait_until(pilot, lambda: "2 of 2" in room.text and room.page.at_end)
        await come(room)
        if effect.first is not None:
            await effect.first(room)
        assert not effect.seen(room)
        if place in BY_KEY:
            await pilot.press(action.keys.partition(",")[0])
        else:
            await palette(room, action.title)
        await wait_until(pilot, lambda: effect.seen(room))
