"""One turn at a time: it is sent, shown as it comes, stopped, asked for again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from persona.chat.events import TurnEvent
from persona.config import Settings
from persona.tui import keys, quoting
from persona.tui.calls import in_thread
from persona.tui.clocks import Clocks
from persona.tui.history import quoted
from persona.tui.listening import Listening
from persona.tui.room import ContextRead, EngineRoom, Failed, Indexed
from persona.tui.screens.asking import AskingScreen
from persona.tui.talk import Talk
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.messages import Quoted, Thinking, TwinMessage, UserMessage
from persona.tui.widgets.status import StatusBar
from persona.tui.widgets.welcome import Welcome


class TalkingScreen(AskingScreen):
    """A screen with at most one turn under way."""

    _listening: Listening

    def __init__(self, room: EngineRoom, settings: Settings, clocks: Clocks | None = None) -> None:
        super().__init__(room, settings)
        self._clocks = clocks or Clocks()
        self._talk: Talk | None = None
        self._said: Talk | None = None

    @property
    def _status(self) -> StatusBar:
        return self.query_one(StatusBar)

    def _busy(self) -> bool:
        if self._talk is not None:
            stop = keys.hint(self.app, "chat.stop").capitalize()
            self.notify(f"A reply is still being written. {stop} stops it.", markup=False)
        return self._talk is not None

    async def _send(self, text: str) -> None:
        """Say `text` to the twin, or as soon as there is one."""
        self._unsent.send(text)
        self._note_draft()
        engine = self._room.engine
        if engine is None:
            self._status.doing = "sent as soon as the model is open"
            return
        await self.query(Welcome).remove()
        said_by = await in_thread(self, self._quoted, text)
        asked = UserMessage(text, self._clocks.now(), self.partner or "you", quoted=said_by)
        await self._page.add(asked)
        await self._start(partial(engine.turn, self._request(text)), asked=asked)

    def _quoted(self, text: str) -> Quoted | None:
        """Which message of this chat `text` quotes. Blocks."""
        if self._sessions is None or self._session_id is None or not text.startswith(quoting.MARK):
            return None
        return quoted(text, self._sessions.turns(self._session_id), self._header.twin)

    async def action_regenerate(self) -> None:
        """Ask for the last reply once more."""
        engine = self._room.engine
        if engine is None or self._talk is not None or self._session_id is None:
            return
        await self._page.to_newest()
        replies = self.query(TwinMessage)
        if not replies:
            return
        old = replies.last()
        old.display = False
        request = self._request(self.query(UserMessage).last().text)
        await self._start(partial(engine.regenerate, self._session_id, request), replaces=old)

    async def _start(
        self,
        turn: Callable[..., Iterator[TurnEvent]],
        replaces: TwinMessage | None = None,
        asked: UserMessage | None = None,
    ) -> None:
        self._room.hush()
        message = TwinMessage(
            self._header.twin,
            self._clocks.now(),
            self._clocks.seconds,
            keep_open=self._view.thinking_open,
            bubbles=self._settings.tui.bubbles,
        )
        await self._page.add(message)
        self._page.to_end()
        talk = Talk(message, self._page, self._status, self._listening.wake, replaces, asked)
        self._talk = self._said = talk
        self.refresh_bindings()
        self._listening.run(partial(turn, cancel=talk.cancel), talk.feed)

    async def on_feed_ready(self) -> None:
        await self._catch_up()

    async def _catch_up(self) -> None:
        if self._talk is None:
            return
        talk = self._talk
        before = talk.session_id
        await talk.catch_up()
        if talk.session_id != before:
            await self._started(talk.session_id)
        if talk.over:
            self._talk = None
            self._give_back()
            self._listening.rest()
            self.refresh_bindings()
            self._turn_over(talk)
            self._idle()
            self._at_rest()

    def _turn_over(self, talk: Talk) -> None:
        """The turn is over, however it ended."""

    def _at_rest(self) -> None:
        """The engine is open and nothing is under way: the time for what had to wait."""

    async def _started(self, session_id: str | None) -> None:
        """The user's message is stored, in this chat."""
        self._unsent.sent()
        if session_id != self._session_id:
            self._drafts.note(self._session_id, "")
            self._session_id = session_id
            await self._keep_view()
        self._note_draft()

    def _idle(self) -> None:
        if self._session_id is not None:
            work = partial(self._room.idle, self._session_id, self._room.quiet(), self.post_message)
            self.run_worker(work, thread=True, group="idle")

    def on_context_read(self, event: ContextRead) -> None:
        if event.session_id == self._session_id and self._talk is None:
            self._status.used, self._status.budget = event.used, event.budget
            self._show_title(event.title)

    def on_indexed(self, event: Indexed) -> None:
        self._status.indexing = f"indexing {event.done:,} of {event.total:,}" if event.total else ""

    def on_failed(self, event: Failed) -> None:
        self.notify(event.error.hint, title=event.error.message, severity="warning", markup=False)

    async def on_fold_opened(self, event: Fold.Opened) -> None:
        await self._remember_fold(event.fold, opened=True)

    async def on_fold_closed(self, event: Fold.Closed) -> None:
        await self._remember_fold(event.fold, opened=False)

    async def _remember_fold(self, fold: Fold, *, opened: bool) -> None:
        """Thinking stays open in this chat, or closed, as the reader last had it."""
        if isinstance(fold, Thinking):
            await self._leave_as(replace(self._view, thinking_open=opened))

    def action_stop(self) -> None:
        """Stop the reply."""
        if self._talk is not None:
            self._talk.stop()
