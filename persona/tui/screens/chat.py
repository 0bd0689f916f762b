"""The chat: what it is made of, how it opens, which conversation it shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Footer, OptionList, TextArea

from persona.config import Settings
from persona.tui import keys
from persona.tui.clocks import Clocks
from persona.tui.listening import Listening
from persona.tui.room import EngineRoom
from persona.tui.screens.doors import DoorsScreen
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.header import TwinHeader
from persona.tui.widgets.messages import UserMessage
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.slash import Offer, SlashMenu
from persona.tui.widgets.status import StatusBar
from persona.tui.widgets.welcome import OpeningProgress, Questions, Welcome

if TYPE_CHECKING:
    from persona.tui.glass import Glass


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
        self._questions, self._wanted = questions, session_id

    def compose(self) -> ComposeResult:
        yield TwinHeader()
        yield Conversation()
        yield SlashMenu(keys.ACTIONS, {"adapter": self._adapter_names})
        yield StatusBar()
        yield Prompt()
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        self._take_settings(self._settings)
        self._header.twin = "Persona"
        self._header.model = "opening…"
        self._listening = Listening(self)
        self._watch_place()
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
        self._leave_drafts()
        self._room.leave()

    @property
    def _menu(self) -> SlashMenu:
        return self.query_one(SlashMenu)

    # The prompt

    async def on_prompt_sent(self, event: Prompt.Sent) -> None:
        if self._busy():
            return
        if not self._opening and self._opened() is None:
            return
        if self._unsent.edited is not None:
            await self._send_edited(event.text)
            return
        self._prompt.replace_with("")
        if self.contrast and self._room.engine is not None:
            await self._compare(event.text)
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
                self._prompt.replace_with(self._menu.taken.typed)
            case "enter":
                await self._run_command(self._menu.taken)

    async def _run_command(self, command: Offer) -> None:
        self._menu.look("")
        self._prompt.replace_with("")
        await self.run_action(command.call)

    def on_prompt_dropped(self, event: Prompt.Dropped) -> None:
        self._take_dropped(event.paths)

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

    # What lies over it

    def action_glass(self) -> None:
        """The exact prompt: the one of the running or last turn, or of what is written."""
        engine = self._opened()
        if engine is None:
            return
        from persona.tui.care import Care
        from persona.tui.glass import Sent, look
        from persona.tui.origins import Origins
        from persona.tui.screens.glass import GlassScreen

        said, text = self._said, self._prompt.text.strip()
        sent = None
        if said is not None and said.ready is not None and (self._talk is not None or not text):
            sent = Sent(said.ready, said.memories, said.usage)
        elif self._talk is not None:
            self.notify("The prompt is still being made.", markup=False)
            return
        care, request = Care(engine, self._session_id), self._request(text)

        def load() -> "Glass":
            # what was sent holds what was forgotten since
            return look(engine, request, None if care.forgot else sent)

        def looked(_: None) -> None:
            if care.forgot and self._talk is None:
                self._leave_for(request.session_id)

        self.app.push_screen(GlassScreen(load, Origins(engine).around, care), looked)

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
