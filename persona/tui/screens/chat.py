"""The chat: what the user can do, and what becomes of it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import get_args

from textual.app import ComposeResult
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import Footer, OptionList

from persona.chat.events import TurnEvent, TurnRequest
from persona.config import Compression, Settings
from persona.errors import PersonaError
from persona.tui import keys
from persona.tui.clocks import Clocks
from persona.tui.drafts import joined
from persona.tui.feed import pump
from persona.tui.history import makers_of
from persona.tui.room import (
    ContextRead,
    EngineRoom,
    Failed,
    Indexed,
    Opened,
    OpeningFailed,
    Past,
    Progressed,
    Resumed,
)
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.keeping import KeepingScreen
from persona.tui.talk import Talk
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.header import TwinHeader, model_line
from persona.tui.widgets.messages import ErrorPanel, Notice, TwinMessage, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.status import StatusBar
from persona.tui.widgets.welcome import OpeningProgress, Questions, Welcome

FLUSH_SECONDS = 0.1
"""How often waiting fragments are shown; the first of a reply does not wait."""

NOTHING_KNOWN = PersonaError(
    "it knows nothing of you yet",
    "`persona chat --set-up` reads your exports and asks which messages are yours, and so do `persona "
    "ingest PATH` and `persona people me NAME`; `persona demo` shows a sample twin",
)


class ChatScreen(KeepingScreen):
    """One conversation with the twin.

    questions: what to offer in an empty chat. session_id: the chat to resume, or LATEST.
    """

    ACTIONS = keys.ACTIONS
    BINDINGS = keys.bindings()
    DEFAULT_CSS = """
    ChatScreen { layout: vertical; background: $background; }
    ChatScreen Footer { background: $surface; }
    """

    thinking = reactive(False)
    memory = reactive(True)
    compression: reactive[Compression] = reactive[Compression]("off")

    class FeedReady(Message):
        """Something happened in the running turn that should be shown at once."""

    def __init__(
        self,
        room: EngineRoom,
        settings: Settings,
        questions: Sequence[str] = (),
        session_id: str | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        super().__init__(room)
        self._settings = settings
        self._questions = questions
        self._clocks = clocks or Clocks()
        self._wanted = session_id
        self._talk: Talk | None = None
        self._said: Talk | None = None
        self._flush: Timer | None = None
        self._waiting_text: str | None = None

    def compose(self) -> ComposeResult:
        yield TwinHeader()
        yield Conversation()
        yield StatusBar()
        yield Prompt()
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        chat = self._settings.chat
        self.thinking, self.compression = chat.thinking, chat.compression
        self.memory = self._settings.memory.enabled
        self._header.twin = "Persona"
        self._header.model = "opening…"
        # A message, not a call: a timer runs in a task of its own and would overtake the handler below.
        self._flush = self.set_interval(FLUSH_SECONDS, self._wake, pause=True)
        self._prompt.focus()
        if self._wanted is None:
            await self._page.add(Welcome(self._questions, opening=True))
        else:
            await self._page.add(OpeningProgress())
        # The worker's imports would fight the first paint for the interpreter.
        self.call_after_refresh(self._open)

    def on_unmount(self) -> None:
        if self._talk is not None:
            self._talk.cancel.set()
        self._write_drafts()
        self._room.leave()

    # Parts

    @property
    def _header(self) -> TwinHeader:
        return self.query_one(TwinHeader)

    @property
    def _status(self) -> StatusBar:
        return self.query_one(StatusBar)

    @property
    def _unsent(self) -> str:
        sending = self._talk.text if self._talk is not None and self._talk.session_id is None else ""
        return joined(self._waiting_text or "", sending, self._prompt.text)

    # Opening

    def _open(self) -> None:
        work = partial(self._room.open, self._wanted, self._room.quiet(), self.post_message)
        self.run_worker(work, thread=True, group="open", exclusive=True)

    def on_progressed(self, event: Progressed) -> None:
        for progress in self.query(OpeningProgress):
            progress.show(event.stage, event.done, event.total)

    async def on_opened(self, event: Opened) -> None:
        engine = event.engine
        self._header.twin = engine.card.name or "Persona"
        self._header.model = model_line(engine.backend.info)
        await self.query(OpeningProgress).remove()
        if not engine.card.text:
            await self._page.add(Notice(NOTHING_KNOWN))
        self._drafts_on = True
        if event.past.session is not None or self._wanted is not None:
            typed = self._prompt.text
            await self._show(event.past)
            self._prompt.replace_with(joined(event.past.draft, typed))
        elif event.past.draft:
            self._prompt.replace_with(joined(event.past.draft, self._prompt.text))
        if event.error is not None:
            await self._page.add(ErrorPanel(event.error))
        if self._waiting_text is not None:
            text, self._waiting_text = self._waiting_text, None
            await self._send(text)

    async def on_opening_failed(self, event: OpeningFailed) -> None:
        await self.query(OpeningProgress).remove()
        self._header.model = "no model is open"
        await self._page.add(ErrorPanel(event.error))
        if self._waiting_text is not None:
            self._prompt.replace_with(self._waiting_text)
            self._waiting_text = None

    async def action_retry_opening(self) -> None:
        """Try again after the engine could not be opened."""
        if self._room.engine is None and not any(w.group == "open" for w in self.workers if w.is_running):
            await self.query(ErrorPanel).remove()
            self._header.model = "opening…"
            await self._page.add(OpeningProgress())
            self._open()

    # Talking

    async def on_prompt_sent(self, event: Prompt.Sent) -> None:
        if self._busy():
            return
        if self._room.engine is None and "open" not in {w.group for w in self.workers if w.is_running}:
            self.notify("No model is open yet: see the message above.", severity="warning", markup=False)
            return
        self._prompt.replace_with("")
        await self._send(event.text)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if isinstance(event.option_list, Questions):
            self._prompt.focus()
            await self._send(event.option_list.questions[event.option_index])

    async def _send(self, text: str) -> None:
        """Say `text` to the twin, or as soon as there is one."""
        engine = self._room.engine
        if engine is None:
            self._waiting_text = text
            self._status.doing = "sent as soon as the model is open"
            return
        await self.query(Welcome).remove()
        await self._page.add(UserMessage(text, self._clocks.now()))
        await self._start(partial(engine.turn, self._request(text)), text=text)

    async def action_regenerate(self) -> None:
        """Ask for the last reply once more."""
        engine, replies = self._room.engine, self.query(TwinMessage)
        if engine is None or self._talk is not None or self._session_id is None or not replies:
            return
        old = replies.last()
        old.display = False
        request = self._request(self.query(UserMessage).last().text)
        await self._start(partial(engine.regenerate, self._session_id, request), replaces=old)

    def _request(self, text: str) -> TurnRequest:
        return TurnRequest(
            text,
            session_id=self._session_id,
            thinking=self.thinking,
            compression=self.compression,
            memory=self.memory,
        )

    async def _start(
        self, turn: Callable[..., Iterator[TurnEvent]], replaces: TwinMessage | None = None, text: str = ""
    ) -> None:
        self._room.hush()
        message = TwinMessage(self._header.twin, self._clocks.now(), self._clocks.seconds)
        await self._page.add(message)
        self._page.to_end()
        talk = Talk(message, self._page, self._status, self._wake, replaces, text)
        self._talk = self._said = talk
        self.refresh_bindings()
        if self._flush is not None:
            self._flush.resume()
        self.run_worker(
            partial(pump, partial(turn, cancel=talk.cancel), talk.feed), thread=True, group="talk"
        )

    def _wake(self) -> None:
        """Have the feed drained; from any thread."""
        self.post_message(self.FeedReady())

    async def on_chat_screen_feed_ready(self) -> None:
        await self._catch_up()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer in the footer only what can be done now."""
        running = self._talk is not None
        match action:
            case "stop":
                return running
            case "to_prompt":
                return not running
            case "regenerate":
                return self._session_id is not None and not running
        return True

    async def _catch_up(self) -> None:
        if self._talk is None:
            return
        talk = self._talk
        before = talk.session_id
        await talk.catch_up()
        if talk.session_id != before:
            self._started(talk.session_id)
        if talk.over:
            self._talk = None
            if talk.session_id is None:  # not stored: nobody has these words but us
                self._prompt.replace_with(joined(talk.text, self._prompt.text))
            if self._flush is not None:
                self._flush.pause()
            self.refresh_bindings()
            self._idle()

    def _started(self, session_id: str | None) -> None:
        """The user's message is stored, in this chat."""
        if session_id != self._session_id:
            self._drafts.note(self._session_id, "")
            self._session_id = session_id
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

    # Past chats

    async def on_resumed(self, event: Resumed) -> None:
        if self._talk is None:
            await self._show(event.past)
            self._idle()

    async def _show(self, past: Past) -> None:
        """Take `past` for the chat at hand."""
        engine, turns = self._room.engine, past.turns
        if engine is None:
            return
        self._session_id = past.session.id if past.session else None
        self._said = None
        self._show_title(past.session.title if past.session else "")
        self._status.used = 0
        self._status.usage = next((t.usage for t in reversed(turns) if t.usage), None)
        self._prompt.replace_with(past.draft)
        if turns:
            at = next((n for n, turn in enumerate(turns) if turn.id == past.at), None)
            await self._page.fill(makers_of(turns, engine, self._header.twin), at)
        else:
            await self._page.fill([partial(Welcome, self._questions, opening=False)])
        self._prompt.focus()

    def action_glass(self) -> None:
        """The exact prompt: the one of the running or last turn, or of what is written."""
        engine = self._room.engine
        if engine is None:
            self.notify("The prompt can be shown as soon as the model is open.", markup=False)
            return
        from persona.tui.glass import Sent, look
        from persona.tui.screens.glass import GlassScreen

        said, text = self._said, self._prompt.text.strip()
        sent = None
        if said is not None and said.ready is not None and (self._talk is not None or not text):
            sent = Sent(said.ready, said.memories, said.usage)
        elif self._talk is not None:
            self.notify("The prompt is still being made.", markup=False)
            return
        self.app.push_screen(
            GlassScreen(partial(look, engine, self._request(text), sent), engine.memory.around)
        )

    # The other actions

    def action_stop(self) -> None:
        """Stop the reply."""
        if self._talk is not None:
            self._talk.stop()

    async def action_to_prompt(self) -> None:
        """Back to writing, with the newest line in view."""
        self._prompt.focus()
        await self._page.to_newest()

    def action_toggle_thinking(self) -> None:
        """Let the model think before it answers, or not."""
        self.thinking = not self.thinking

    def action_toggle_memory(self) -> None:
        """Look things up in the archive, or not."""
        self.memory = not self.memory

    def action_cycle_compression(self) -> None:
        """The next way of folding old turns."""
        modes: tuple[Compression, ...] = get_args(Compression)
        self.compression = modes[(modes.index(self.compression) + 1) % len(modes)]

    def watch_thinking(self, on: bool) -> None:
        self._header.thinking = on

    def watch_memory(self, on: bool) -> None:
        self._header.memory = on

    def watch_compression(self, mode: Compression) -> None:
        self._header.compression = mode

    def action_help(self) -> None:
        """Show the help sheet."""
        self.app.push_screen(HelpScreen())

    def _busy(self) -> bool:
        if self._talk is not None:
            self.notify("A reply is still being written. Escape stops it.", markup=False)
        return self._talk is not None

    def on_prompt_up(self) -> None:
        """An empty prompt: pick a question, or take the last message back to change it."""
        for questions in self.query(Questions):
            questions.highlighted = len(questions.questions) - 1
            questions.focus()
            return
        mine = self.query(UserMessage)
        if mine:
            self._prompt.replace_with(mine.last().text)
