"""The chat: what it is made of, how it opens, which conversation it shows."""

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult
from textual.widgets import Footer, OptionList, TextArea

from persona.config import Settings
from persona.errors import PersonaError
from persona.tui import keys
from persona.tui.basket import Basket
from persona.tui.clocks import Clocks
from persona.tui.drafts import joined
from persona.tui.room import EngineRoom, Opened, OpeningFailed, Past, Progressed, Resumed
from persona.tui.screens.doors import DoorsScreen
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.header import TwinHeader, model_line
from persona.tui.widgets.messages import ErrorPanel, Notice, UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.slash import SlashMenu
from persona.tui.widgets.status import StatusBar
from persona.tui.widgets.welcome import OpeningProgress, Questions, Welcome

NOTHING_KNOWN = PersonaError(
    "it knows nothing of you yet",
    "`persona chat --set-up` reads your exports and asks which messages are yours, and so do `persona "
    "ingest PATH` and `persona people me NAME`; `persona demo` shows a sample twin",
)


class ChatScreen(DoorsScreen):
    """One conversation with the twin.

    questions: what to offer in an empty chat. session_id: the chat to resume, or LATEST.
    """

    ACTIONS = keys.ACTIONS
    BINDINGS = keys.bindings()
    DEFAULT_CSS = """
    ChatScreen { layout: vertical; background: $background; }
    ChatScreen Footer { background: $surface; }
    """

    def __init__(
        self,
        room: EngineRoom,
        settings: Settings,
        questions: Sequence[str] = (),
        session_id: str | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        super().__init__(room, settings, clocks)
        self._questions = questions
        self._wanted = session_id

    def compose(self) -> ComposeResult:
        yield TwinHeader()
        yield Conversation()
        yield SlashMenu(keys.ACTIONS)
        yield StatusBar()
        yield Prompt()
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        self._take_settings(self._settings)
        self._header.twin = "Persona"
        self._header.model = "opening…"
        self._start_flushing()
        self._prompt.completing = lambda: self._menu.open
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

    @property
    def _menu(self) -> SlashMenu:
        return self.query_one(SlashMenu)

    # Opening

    def _open(self) -> None:
        work = partial(self._room.open, self._wanted, self._room.quiet(), self.post_message)
        self.run_worker(work, thread=True, group="open", exclusive=True)

    @property
    def _opening(self) -> bool:
        return any(w.group == "open" and w.is_running for w in self.workers)

    async def _reopen(self) -> None:
        """Open model and stores anew, and this chat in them."""
        self._room.hush()
        self._note_draft()
        self._drafts_on = False
        self._wanted = self._session_id
        self._basket = Basket()
        self._header.model = "opening…"
        await self.query(ErrorPanel).remove()
        await self._page.add(OpeningProgress())
        hushed = self._room.quiet()

        def work() -> None:
            self._write_drafts()
            self._room.reopen(self._wanted, hushed, self.post_message)

        self._prompt.replace_with("")
        self.run_worker(work, thread=True, group="open", exclusive=True)

    def on_progressed(self, event: Progressed) -> None:
        for progress in self.query(OpeningProgress):
            progress.show(event.stage, event.done, event.total)

    async def on_opened(self, event: Opened) -> None:
        engine = event.engine
        self._header.twin = engine.card.name or "Persona"
        self._header.model = model_line(engine.backend.info)
        await self.query(OpeningProgress).remove()
        await self.query(Notice).remove()
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
        if self._room.engine is None and not self._opening:
            await self.query(ErrorPanel).remove()
            self._header.model = "opening…"
            await self._page.add(OpeningProgress())
            self._open()

    # The prompt

    async def on_prompt_sent(self, event: Prompt.Sent) -> None:
        if self._busy():
            return
        if self._room.engine is None and not self._opening:
            self.notify("No model is open yet: see the message above.", severity="warning", markup=False)
            return
        self._prompt.replace_with("")
        if self._editing is not None:
            await self._send_edited(event.text)
        elif self.contrast and self._room.engine is not None:
            self._compare(event.text)
        else:
            await self._send(event.text)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        # Textual calls the base class's handler too
        self._menu.look(self._prompt.text)

    async def on_prompt_completing(self, event: Prompt.Completing) -> None:
        """A key for the menu of commands."""
        if not self._menu.open:
            return
        match event.key:
            case "up" | "down":
                self._menu.move(-1 if event.key == "up" else 1)
            case "escape":
                self._menu.look("")
            case "tab":
                self._prompt.replace_with(f"/{self._menu.taken.slash}")
            case "enter":
                await self._run_command(self._menu.taken)

    async def _run_command(self, command: keys.Action) -> None:
        self._menu.look("")
        self._prompt.replace_with("")
        await self.run_action(command.action)

    def on_prompt_dropped(self, event: Prompt.Dropped) -> None:
        self._import(event.paths)

    def on_prompt_up(self) -> None:
        """An empty prompt: pick a question, or take the last message back to change it."""
        for questions in self.query(Questions):
            questions.highlighted = len(questions.questions) - 1
            questions.focus()
            return
        mine = self.query(UserMessage)
        if mine:
            self._prompt.replace_with(mine.last().text)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if isinstance(event.option_list, Questions):
            self._prompt.focus()
            await self._send(event.option_list.questions[event.option_index])
        elif event.option_list is self._menu:
            await self._run_command(self._menu.taken)

    async def action_to_prompt(self) -> None:
        """Back to writing, with the newest line in view."""
        self._leave_editing()
        self._prompt.focus()
        await self._page.to_newest()

    # Past chats

    async def on_resumed(self, event: Resumed) -> None:
        if self._talk is None:
            await self._show(event.past)
            self._idle()

    async def _show(self, past: Past) -> None:
        engine = self._room.engine
        if engine is None:
            return
        self._leave_editing()
        turns = [turn for turn in past.turns if turn.active]
        self._session_id = past.session.id if past.session else None
        self._said = None
        self._show_title(past.session.title if past.session else "")
        self._status.used = 0
        self._status.usage = next((t.usage for t in reversed(turns) if t.usage), None)
        asked = [turn for turn in turns if turn.role == "user"]
        if asked:
            self.partner = asked[-1].correspondent or ""
        self._prompt.replace_with(past.draft)
        if turns:
            at = next((n for n, turn in enumerate(turns) if turn.id == past.at), None)
            await self._page.fill(self._makers().of(past.turns), at)
        else:
            await self._page.fill([partial(Welcome, self._questions, opening=False)])
        self._prompt.focus()

    def action_glass(self) -> None:
        """The exact prompt: the one of the running or last turn, or of what is written."""
        engine = self._room.engine
        if engine is None:
            self.notify("The prompt can be shown as soon as the model is open.", markup=False)
            return
        from persona.tui.care import Care
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
            GlassScreen(
                partial(look, engine, self._request(text), sent),
                engine.memory.around,
                Care(engine, self._session_id),
            )
        )

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
