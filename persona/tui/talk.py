"""One turn on its way from the engine to the page."""

import threading
from collections.abc import Callable

from knowledge.records import Memory
from persona.backends.base import TextDelta, ThinkingDelta, Usage
from persona.chat.events import PromptReady, Retrieved, TurnFinished, TurnStarted
from persona.tui.feed import Ended, Feed, FeedEvent
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.messages import (
    BROKE_OFF,
    CUT_SHORT,
    STOPPED,
    ErrorPanel,
    TwinMessage,
    UserMessage,
)
from persona.tui.widgets.status import StatusBar


class Talk:
    """A turn: its feed, its way to be stopped, the message it fills, and what the engine said of it.

    replaces: the reply this one takes the place of, shown again if nothing comes of it.
    asked: the user's message, where it is new; it may not be stored before there is a session_id.
    """

    def __init__(
        self,
        message: TwinMessage,
        page: Conversation,
        status: StatusBar,
        wake: Callable[[], object],
        replaces: TwinMessage | None = None,
        asked: UserMessage | None = None,
    ) -> None:
        self.feed = Feed(wake)
        self.cancel = threading.Event()
        self.message = message
        self.session_id: str | None = None
        self._asked = asked
        self.over = False
        self.ready: PromptReady | None = None
        self.usage: Usage | None = None
        self.memories: tuple[Memory, ...] = ()
        self._page = page
        self._status = status
        self._replaces = replaces
        self._finished = False
        status.doing = "remembering…"

    def stop(self) -> None:
        """Ask the engine to stop; what it said is kept."""
        self.cancel.set()
        self._status.doing = "stopping…"

    async def catch_up(self) -> None:
        """Show everything that has happened since the last call."""
        for event in self.feed.drain():
            await self._apply(event)

    async def _apply(self, event: FeedEvent) -> None:
        match event:
            case TurnStarted(session_id=session_id, user_turn_id=turn_id):
                self.session_id = session_id
                if self._asked is not None:
                    self._asked.turn_id = turn_id
                self.message.phase("looking through the archive…")
            case Retrieved(memories=memories):
                self.memories = memories
            case PromptReady(tokens=tokens, budget=budget):
                self.ready = event
                self._status.used, self._status.budget = tokens, budget
                self._status.doing = "reading…"
                self.message.phase(f"reading {tokens:,} tokens…")
            case ThinkingDelta(text=text):
                self._status.doing = "thinking…"
                await self.message.add_thinking(text)
            case TextDelta(text=text):
                self._status.doing = "replying…"
                await self.message.add_text(text)
            case TurnFinished():
                await self._finish(event)
            case Ended():
                await self._end(event)

    async def _finish(self, event: TurnFinished) -> None:
        self._finished = True
        self.session_id = event.session_id
        self.message.turn_id = event.reply_turn_id
        await self.message.finish(event.text, event.thinking)
        await self.message.show_memories(event.memories or self.memories)
        note = {"complete": "", "failed": BROKE_OFF}.get(
            event.status, STOPPED if self.cancel.is_set() else CUT_SHORT
        )
        self.message.show_status(event.status, note)
        self.usage = event.usage
        self._status.usage = event.usage or self._status.usage

    async def _end(self, event: Ended) -> None:
        self.over = True
        self._status.doing = ""
        if not self._finished:
            await self.message.finish(self.message.text, self.message.thinking_text)
            await self.message.show_memories(self.memories)
            self.message.show_status("failed", BROKE_OFF)
        await self._settle_replaced()
        if event.error is not None:
            await self._page.add(ErrorPanel(event.error))

    async def _settle_replaced(self) -> None:
        if self._replaces is None:
            return
        if self.message.text or self.message.thinking_text:
            await self._page.replace(self._replaces, self.message)
        else:
            self._replaces.display = True
            await self.message.remove()
