"""The list of chats: search as you type over everything ever said, open, rename, delete, undo."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList
from textual.widgets.option_list import Option

from knowledge.text import one_line, printable
from persona.chat.layout import day
from persona.chat.store import Hit, Session, SessionStore
from persona.tui import keys
from persona.tui.basket import Basket
from persona.tui.calls import in_thread
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.keeping import DELETED
from persona.tui.screens.line import LineScreen

TYPING_SECONDS = 0.05
"""How long a search waits for the next key."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chat to go on with, None for a new one; turn_id: the message to show."""

    session_id: str | None
    turn_id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list: a chat, or a message in it."""

    choice: Choice
    title: str
    shown: Content


class Found(OptionList, can_focus=False):
    """The rows. Keys reach them from the search field, which keeps the focus."""

    DEFAULT_CSS = """
    Found { height: 1fr; border: none; padding: 0; background: transparent; }
    Found > .option-list--option { padding: 0 1; }
    Found > .option-list--option-highlighted { background: $primary 25%; color: $foreground; }
    """


class SessionsScreen(ModalScreen[Choice | None]):
    """Dismissed with what to open, or None.

    current: the chat at hand. busy: whether a reply is being written in it, which the user is then told.
    """

    ACTIONS = keys.SESSION_ACTIONS
    BINDINGS = keys.bindings(keys.SESSION_ACTIONS)
    DEFAULT_CSS = """
    SessionsScreen { background: $background; }
    SessionsScreen Input, SessionsScreen Input:focus {
        border: round $primary; background: $background; border-title-color: $primary;
        border-subtitle-color: $foreground 60%;
    }
    SessionsScreen Footer { background: $surface; }
    """

    def __init__(
        self, sessions: SessionStore, basket: Basket, current: str | None, busy: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._sessions = sessions
        self._basket = basket
        self._current = current
        self._busy = busy
        self._rows: list[Row] = []

    def compose(self) -> ComposeResult:
        yield Input(placeholder="Search everything ever said")
        yield Found(markup=False)
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        field = self.query_one(Input)
        field.border_title = "chats"
        field.focus()
        await self._fill("")

    # The list

    def on_input_changed(self, event: Input.Changed) -> None:
        self.run_worker(self._search(event.value), group="search", exclusive=True)

    async def _search(self, text: str) -> None:
        await asyncio.sleep(TYPING_SECONDS)
        await self._fill(text)

    async def _fill(self, text: str, keep: int = 0) -> None:
        """Show what is found for `text`, everything for an empty one. keep: the row to stay at."""
        found = await in_thread(self, look_up, self._sessions, text)
        if found is None:
            return
        chats, hits = found
        self._rows = [chat_row(s, self._current) for s in chats] + [hit_row(h) for h in hits]
        found_list = self.query_one(Found)
        found_list.set_options([Option(row.shown) for row in self._rows])
        if self._rows:
            found_list.highlighted = min(keep, len(self._rows) - 1)
        self.query_one(Input).border_subtitle = _count(len(chats), "chat") + (
            f" · {_count(len(hits), 'message')}" if text.strip() else ""
        )

    async def _refill(self) -> None:
        await self._fill(self.query_one(Input).value, self.query_one(Found).highlighted or 0)

    @property
    def _row(self) -> Row | None:
        at = self.query_one(Found).highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None

    def action_move(self, by: int) -> None:
        """To the row above (-1) or below (1)."""
        rows = self.query_one(Found)
        (rows.action_cursor_up if by < 0 else rows.action_cursor_down)()

    async def action_page(self, by: int) -> None:
        """A page up (-1) or down (1)."""
        await self.query_one(Found).run_action("page_up" if by < 0 else "page_down")

    # What is done with a row

    def action_open(self) -> None:
        """Go on with the chat of this row, at its message."""
        if self._row is not None:
            self.dismiss(self._row.choice)

    def on_input_submitted(self) -> None:
        self.action_open()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._rows[event.option_index].choice)

    def action_new(self) -> None:
        """Begin a new chat."""
        self.dismiss(Choice(None))

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)

    def action_rename(self) -> None:
        """Give the chat of this row another title."""
        if (row := self._row) is None or (session_id := row.choice.session_id) is None:
            return

        async def renamed(title: str | None) -> None:
            if title:
                await in_thread(self, self._sessions.rename, session_id, title)
                await self._refill()

        self.app.push_screen(LineScreen("rename the chat", row.title), renamed)

    async def action_delete(self) -> None:
        """Delete the chat of this row, with a way back."""
        if (row := self._row) is None or row.choice.session_id is None:
            return
        if row.choice.session_id == self._current and self._busy():
            return
        await in_thread(self, self._basket.put, self._sessions, row.choice.session_id)
        if row.choice.session_id in self._basket:
            undo = keys.hint(self.app, "sessions.undo")
            self.notify(DELETED.format(title=row.title, how=undo), markup=False)
        await self._refill()

    async def action_undo(self) -> None:
        """Bring the chat that was deleted last back."""
        session = await in_thread(self, self._basket.take_back, self._sessions)
        if session is not None:
            self.notify(f"“{session.title}” is back.", markup=False)
        await self._refill()

    def action_help(self) -> None:
        """Show the help sheet."""
        self.app.push_screen(HelpScreen())


def look_up(sessions: SessionStore, text: str) -> tuple[Sequence[Session], Sequence[Hit]]:
    """The chats whose title holds `text`, the latest used first, and the messages that hold its words."""
    wanted = text.strip().casefold()
    chats = [s for s in sessions.list() if wanted in s.title.casefold()]
    return chats, sessions.find(text)


def chat_row(session: Session, current: str | None) -> Row:
    """A chat: its title, when it was used last, how many messages it has."""
    title = one_line(printable(session.title)) or "(no message yet)"
    used = session.updated_at.astimezone()
    mark = ("● ", "$success") if session.id == current else ("", "")
    about = f"{day(used)}, {used:%H:%M} · {_count(session.turns, 'message')}"
    shown = Content.assemble(mark, (title, "bold"), "\n", (about, "$foreground 60%"))
    return Row(Choice(session.id), title, shown)


def hit_row(hit: Hit) -> Row:
    """A message: who said it in which chat and when, and the words around those that were searched."""
    title = one_line(printable(hit.title))
    who = "you" if hit.turn.role == "user" else "twin"
    said = hit.turn.created_at.astimezone()
    head = (f"{who} · {day(said)} · {title}\n", "$secondary")
    words = [(printable(f.text).replace("\n", " "), "bold $primary" if f.found else "") for f in hit.snippet]
    return Row(Choice(hit.turn.session_id, hit.turn.id), title, Content.assemble(head, *words))


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
