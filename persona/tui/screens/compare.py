"""Two replies to one message, side by side. Which settings gave which is not said before the choice."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from knowledge.text import printable
from persona.backends.base import TextDelta
from persona.chat.events import TurnEvent, TurnFinished, TurnStarted
from persona.config import ModelSettings
from persona.lab.ab.choices import Choice, ChoiceBook, Picked, Shown
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.contrast import Arm
from persona.tui.door import ChatEngine
from persona.tui.feed import Ended, Feed
from persona.tui.listening import Listening
from persona.tui.widgets.markdown import ReplyMarkdown

SIDES: tuple[Picked, Picked] = ("left", "right")


class CompareScreen(ModalScreen[str | None]):
    """Dismissed with the id of the chat the replies are in, None where not even the message was stored.

    arms: in the order they answer. sides: where each stands, 0 for left. beside: gives the engine of another
    model, in a thread. bubbles: as in the chat.
    """

    ACTIONS = keys.COMPARE_ACTIONS
    BINDINGS = keys.bindings(keys.COMPARE_ACTIONS)
    DEFAULT_CSS = """
    CompareScreen { background: $background; }
    CompareScreen #asked {
        height: auto; max-height: 6; padding: 0 1; border-left: outer $secondary; margin: 1;
    }
    CompareScreen #sides { height: 1fr; }
    CompareScreen VerticalScroll {
        width: 1fr; height: 1fr; border: round $primary; border-title-color: $primary; padding: 0 1;
    }
    CompareScreen.-narrow #sides { layout: vertical; }
    CompareScreen #say { height: 1; padding: 0 1; color: $foreground 60%; }
    CompareScreen Footer { background: $surface; }
    """

    _listening: Listening

    def __init__(
        self,
        engine: ChatEngine,
        arms: Sequence[Arm],
        sides: Sequence[int],
        *,
        beside: Callable[[ModelSettings], ChatEngine],
        bubbles: bool = True,
    ) -> None:
        super().__init__()
        self._beside, self._bubbles = beside, bubbles
        self._engine = engine
        self._arms, self._sides = arms, sides
        self._feed = Feed(lambda: self._listening.wake())
        self._cancel = threading.Event()
        self._session_id: str | None = None
        self._done: list[TurnFinished] = []
        self._over = False

    def compose(self) -> ComposeResult:
        yield Static(printable(self._arms[0].request.text), id="asked", markup=False)
        with Horizontal(id="sides"):
            for side in SIDES:
                with VerticalScroll(id=side) as box:
                    box.border_title = side
                    yield ReplyMarkdown(bubbles=self._bubbles)
        opening = "both models are opened; " if any(arm.model for arm in self._arms) else ""
        yield Static(
            f"{opening}both replies come first; then choose, without knowing which is which", id="say"
        )
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._listening = Listening(self)
        self._listening.run(self._both, self._feed)

    def on_unmount(self) -> None:
        self._cancel.set()

    def _both(self) -> Iterator[TurnEvent]:
        # Both before either speaks: a wait before one of them would tell which it is.
        answering = [self._engine if arm.model is None else self._beside(arm.model) for arm in self._arms]
        if self._cancel.is_set():
            return
        first, second = self._arms
        session_id = None
        for event in answering[0].turn(first.request, self._cancel):
            if isinstance(event, TurnStarted):
                session_id = event.session_id
            yield event
        if session_id is not None and not self._cancel.is_set():
            again = replace(second.request, session_id=session_id)
            yield from answering[1].regenerate(session_id, again, self._cancel)

    async def on_feed_ready(self) -> None:
        for event in self._feed.drain():
            match event:
                case TurnStarted(session_id=session_id):
                    self._session_id = session_id
                case TextDelta(text=text):
                    await self._side(len(self._done)).add(text)
                case TurnFinished():
                    await self._side(len(self._done)).finish(event.text)
                    self._done.append(event)
                case Ended(error=error):
                    self._ended()
                    if error is not None:
                        self.notify(error.hint, title=error.message, severity="error", markup=False)

    def _side(self, number: int) -> ReplyMarkdown:
        side = SIDES[self._sides[min(number, 1)]]
        return self.query_one(f"#{side}").query_one(ReplyMarkdown)

    def _ended(self) -> None:
        self._over = True
        self._listening.rest()
        say = self.query_one("#say", Static)
        say.update("which is better?" if self._comparable else "there are no two replies to choose between")
        self.refresh_bindings()

    @property
    def _comparable(self) -> bool:
        return len({done.reply_turn_id for done in self._done}) == 2

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to choose before both are there."""
        return action != "pick" or (self._over and self._comparable)

    async def action_pick(self, picked: Picked) -> None:
        """Store the choice, and say what was what."""
        shown = {self._sides[n]: Shown(done.reply_turn_id, self._arms[n].name)
                 for n, done in enumerate(self._done)}  # fmt: skip
        choice = Choice(shown[0], shown[1], picked, datetime.now(UTC))
        await in_thread(self, ChoiceBook(self._engine.sessions).record, choice)
        self.notify(f"left was {choice.left.arm}, right {choice.right.arm}", title="Stored", markup=False)
        self.dismiss(self._session_id)

    def action_close(self) -> None:
        """Leave without a choice; what was said is kept."""
        self._cancel.set()
        if self._over:
            self.dismiss(self._session_id)
        else:
            self.set_timer(0.05, self.action_close)
