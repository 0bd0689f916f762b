"""A chat as something that is kept: its draft, its title, deleting it and bringing it back."""

from contextlib import suppress
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import TextArea

from knowledge.text import one_line, printable
from persona.chat.views import View, keep_view
from persona.errors import PersonaError
from persona.tui.basket import Basket
from persona.tui.calls import in_thread
from persona.tui.drafts import Unsent, joined
from persona.tui.room import DraftRead, EngineRoom, Failed
from persona.tui.screens.reading import ReadingScreen
from persona.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from persona.chat.store import SessionStore
    from persona.tui.door import ChatEngine
    from persona.tui.screens.sessions import Choice

DELETED = "“{title}” is deleted. It can be brought back until you leave: {how}."


class KeepingScreen(ReadingScreen):
    """The chat at hand is `_session_id`, None where it is not begun yet."""

    def __init__(self, room: EngineRoom) -> None:
        super().__init__()
        self._room = room
        self._session_id: str | None = None
        self._chat_title = ""
        self._view = View()
        self._basket = Basket()
        self._unsent = Unsent()
        self._drafts = room.drafts
        self._drafts.failed = lambda error: self.post_message(Failed(error))
        self._draft_read = False
        self._typed_before = ""
        """What was typed before the stored draft was read, which must not be written over."""

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    @property
    def _sessions(self) -> "SessionStore | None":
        return self._room.engine.sessions if self._room.engine is not None else None

    def _busy(self) -> bool:
        """Whether a reply is being written, which the user is then told."""
        return False

    def _opened(self) -> "ChatEngine | None":
        """The engine; None while there is none, which the user is then told."""
        if self._room.engine is None:
            self.notify("That can be done as soon as the model is open.", markup=False)
        return self._room.engine

    def _show_title(self, title: str) -> None:
        self._chat_title = one_line(printable(title))
        self._prompt.border_subtitle = Content(self._chat_title)

    # How it is read

    async def _leave_as(self, left: View) -> None:
        """Have the next one who opens this chat find it so."""
        if left != self._view:
            self._view = left
            await self._keep_view()

    async def _keep_view(self) -> None:
        """Store it; a chat that is not begun has nothing to store it with."""
        if self._session_id is not None and self._sessions is not None:
            await in_thread(self, keep_view, self._sessions, self._session_id, self._view)

    # Drafts

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self._note_draft()

    def _note_draft(self) -> None:
        """Have what is written stored soon."""
        words = self._unsent.words(self._prompt.text)
        if self._draft_read:
            self._drafts.note(self._session_id, words)
        else:
            self._typed_before = words

    def on_draft_read(self, event: DraftRead) -> None:
        """Go on with what was written, and with what was typed since."""
        if self._draft_read:
            return  # a model is opened anew; the prompt is as the user left it
        self._draft_read = True
        self._session_id = event.session_id
        self._prompt.replace_with(joined(event.text, self._prompt.text))
        self._note_draft()

    def _give_back(self) -> None:
        """What was sent and could not be stored stands in the prompt again: nobody has these words but us."""
        if self._unsent.sending:
            self._prompt.replace_with(joined(self._unsent.sent(), self._prompt.text))

    def _leave_drafts(self) -> None:
        """The app closes. Blocks."""
        with suppress(PersonaError):  # there is nobody left to tell
            if not self._draft_read and self._typed_before:
                self._drafts.note(None, joined(self._drafts.read(None), self._typed_before))
        self._drafts.close()

    # Other chats

    def action_new_session(self) -> None:
        """Begin an empty chat; the one before is stored."""
        self._leave_for(None)

    def action_sessions(self) -> None:
        """The list of chats."""
        engine = self._opened()
        if engine is None:
            return
        from persona.tui.screens.sessions import SessionsScreen

        chats = SessionsScreen(engine.sessions, self._basket, self._session_id, self._busy)
        self.app.push_screen(chats, self._chosen)

    async def _chosen(self, choice: "Choice | None") -> None:
        """What the list of chats came to; a chat that was deleted there is left in any case."""
        if choice is not None:
            self._leave_for(choice.session_id, choice.turn_id)
        elif self._session_id is not None and self._session_id in self._basket:
            self._leave_for(None)
        elif self._session_id is not None and self._sessions is not None:
            session = await in_thread(self, self._sessions.get, self._session_id)
            self._show_title(session.title if session is not None else self._chat_title)

    def _leave_for(self, session_id: str | None, turn_id: str | None = None) -> None:
        """Read another chat, or this one to show another place; None begins one. Resumed comes of it."""
        if self._busy() or self._room.engine is None:
            return
        self._room.hush()
        self._note_draft()

        def work() -> None:
            self._room.resume(session_id, turn_id, self.post_message)

        self.run_worker(work, thread=True, group="resume", exclusive=True)

    # Title, deleting

    async def action_rename_session(self) -> None:
        """Give this chat another title."""
        if self._session_id is None:
            self.notify("This chat is not begun yet; its first message names it.", markup=False)
            return
        from persona.tui.screens.line import LineScreen

        self.app.push_screen(LineScreen("rename the chat", self._chat_title), self._renamed)

    async def _renamed(self, title: str | None) -> None:
        if title and self._session_id is not None and self._sessions is not None:
            session = await in_thread(self, self._sessions.rename, self._session_id, title)
            if session is not None:
                self._show_title(session.title)

    async def action_delete_session(self) -> None:
        """Delete this chat, and begin an empty one."""
        if self._session_id is None or self._sessions is None or self._busy():
            return
        await in_thread(self, self._basket.put, self._sessions, self._session_id)
        if self._session_id in self._basket:
            said = DELETED.format(title=self._chat_title, how="“Bring the deleted chat back” in the palette")
            self.notify(said, markup=False)
            self._leave_for(None)

    async def action_undelete_session(self) -> None:
        """Bring the chat that was deleted last back, and go on with it."""
        if self._sessions is None or self._busy():
            return
        session = await in_thread(self, self._basket.take_back, self._sessions)
        if session is None:
            self.notify("There is no deleted chat to bring back.", markup=False)
        else:
            self._leave_for(session.id)
