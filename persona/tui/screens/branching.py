"""What can be done with one message: change it, fork there, page through its replies, copy, quote."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from textual.timer import Timer

from persona.tui import keys, quoting
from persona.tui.calls import in_thread
from persona.tui.history import Makers
from persona.tui.room import Past, Resumed
from persona.tui.screens.talking import TalkingScreen
from persona.tui.talk import Talk
from persona.tui.widgets.messages import TwinMessage, UserMessage
from persona.tui.widgets.said import Said
from persona.tui.widgets.welcome import Welcome

S = TypeVar("S", bound=Said)

PLACE_SECONDS = 0.5
"""How long the page must rest before it counts as what is read."""

EDITING = "change it; {send} asks it in a fork of this chat, {leave} leaves it"


class BranchingScreen(TalkingScreen):
    """The message at hand is the one whose link was clicked, else the focused one, else the last."""

    _clicked: Said | None = None
    _place_timer: Timer
    _questions: Sequence[str] = ()
    """What an empty chat offers to ask."""

    async def on_said_asked(self, event: Said.Asked) -> None:
        self._clicked = event.said
        try:
            await self.run_action(event.action)
        finally:
            self._clicked = None

    def _at_hand(self, kind: type[S]) -> S | None:
        for said in (self._clicked, self.focused):
            if isinstance(said, kind):
                return said
        found = [said for said in self.query(kind) if said.display]
        return found[-1] if found else None

    async def action_message(self, by: int) -> None:
        """To the message above (-1) or below (1); below the last one is the prompt."""
        said = [s for s in self._page.query(Said) if s.display]
        at = said.index(self.focused) if isinstance(self.focused, Said) else len(said)
        if by < 0 and at == 0:
            await self._page.show_earlier()
            said = [s for s in self._page.query(Said) if s.display]
            at = said.index(self.focused) if isinstance(self.focused, Said) else len(said)
        to = max(0, at + by)
        if to < len(said):
            said[to].focus(scroll_visible=False)
            self._page.bring(said[to])
        else:
            self._prompt.focus()
            await self._page.to_newest()

    # Editing

    def action_edit(self) -> None:
        """Change a message of the user's, and ask it instead."""
        mine = self._at_hand(UserMessage)
        if mine is None or mine.turn_id is None or self._busy():
            return
        self._unsent.edit(mine.turn_id, mine.text, self._prompt.text)
        self._prompt.replace_with(mine.text)
        send, leave = (keys.hint(self.app, id) for id in ("prompt.send", "chat.prompt"))
        self._prompt.border_title = EDITING.format(send=send, leave=leave)
        self._prompt.focus()

    def _leave_editing(self) -> bool:
        """Back to what was being written; whether anything was edited."""
        if self._unsent.edited is None:
            return False
        aside, self._unsent.edited = self._unsent.edited.aside, None
        self._prompt.border_title = ""
        self._prompt.replace_with(aside)
        return True

    async def _send_edited(self, text: str) -> None:
        """Ask `text` in place of the edited message, in a chat that begins as this one did."""
        if self._unsent.edited is None or self._opened() is None:
            return
        past = await in_thread(self, self._before, self._unsent.edited.turn_id)
        if past is not None:
            self._leave_editing()
            self._note_draft()
            await self._show(past)
            await self._send(text)

    def _before(self, turn_id: str) -> Past:
        """A chat that ends before this turn: a fork, or an empty one."""
        from persona.chat.branching import fork

        assert self._sessions is not None
        turn = self._sessions.turn(turn_id)
        if turn.number == self._sessions.turns(turn.session_id)[0].number:
            return Past(draft=self._drafts.read(None))
        forked = fork(self._sessions, turn.session_id, turn.number - 1)
        return Past(forked, self._sessions.turns(forked.id, alternatives=True))

    # Past chats

    async def on_resumed(self, event: Resumed) -> None:
        if self._talk is None:
            await self._show(event.past)
            self._idle()

    async def _show(self, past: Past) -> None:
        """Take `past` for the chat at hand."""
        engine = self._room.engine
        if engine is None:
            return
        turns = [turn for turn in past.turns if turn.active]
        session_id = past.session.id if past.session else None
        if session_id != self._session_id:  # else the prompt is as the user has it now
            self._leave_editing()
            self._session_id = session_id
            self._prompt.replace_with(past.draft)
        self._said, self._view = None, past.view
        self._show_title(past.session.title if past.session else "")
        self._status.used = 0
        self._status.usage = next((t.usage for t in reversed(turns) if t.usage), None)
        asked = [turn for turn in turns if turn.role == "user"]
        if asked:
            self.partner, self.channel = asked[-1].correspondent or "", past.channel
        if turns:
            wanted = past.at or past.view.at
            at = next((n for n, turn in enumerate(turns) if turn.id == wanted), None)
            await self._page.fill(self._makers().of(past.turns), at)
            if at is not None and not past.at:
                self._go_on_reading(turns[at].id)
        else:
            await self._page.fill([partial(Welcome, self._questions, opening=False)])
        self._prompt.focus()
        self.refresh_bindings()

    # Where the reader is

    def _watch_place(self) -> None:
        self._place_timer = self.set_interval(PLACE_SECONDS, self._note_place, pause=True)
        self.watch(self._page, "scroll_y", self._place_timer.reset, init=False)

    async def _note_place(self) -> None:
        self._place_timer.pause()
        await self._leave_as(replace(self._view, at=self._place()))

    def _place(self) -> str | None:
        """The turn at the top of the view, None where the newest line is in it."""
        if self._page.at_end:
            return None
        top = self._page.scroll_y
        below = (said for said in self._page.query(Said) if said.display and said.virtual_region.bottom > top)
        return next((said.turn_id for said in below if said.turn_id), None)

    def _go_on_reading(self, turn_id: str) -> None:
        """Have that turn at the top of the view, as it was; nobody asked for it, so it is not marked."""
        said = next(said for said in self._page.query(Said) if said.turn_id == turn_id)
        said.remove_class("-pointed")
        to = partial(self._page.scroll_to_widget, said, top=True, animate=False, immediate=True)
        self._page.call_after_refresh(to)

    # Forks and alternatives

    async def action_fork(self) -> None:
        """Go on in a chat of its own that has everything up to this message."""
        said = self._at_hand(Said)
        if said is None or said.turn_id is None or self._sessions is None or self._busy():
            return
        forked = await in_thread(self, self._forked, said.turn_id)
        if forked is not None:
            self.notify("This is a fork now; the chat as it was is in the list.", markup=False)
            self._leave_for(forked)

    def _forked(self, turn_id: str) -> str:
        from persona.chat.branching import fork

        assert self._sessions is not None
        turn = self._sessions.turn(turn_id)
        return fork(self._sessions, turn.session_id, turn.number).id

    async def action_alternative(self, by: int) -> None:
        """Show another reply to the same message, and go on with that one."""
        reply = self._at_hand(TwinMessage)
        if reply is None or reply.turn_id is None or self._busy():
            return
        focused = reply.has_focus
        made = await in_thread(self, self._other_reply, reply.turn_id, by)
        if made is None:
            return
        make, several = made
        if not several:
            again = keys.hint(self.app, "chat.regenerate")
            self.notify(f"There is one reply to this message; {again} asks for another.", markup=False)
            return
        other = make()
        self._page.stands_for(reply, make)
        await self._page.replace(reply, other)
        if focused:
            other.focus(scroll_visible=False)

    def _other_reply(self, reply_id: str, by: int) -> "tuple[partial[TwinMessage], bool]":
        from persona.chat.branching import alternatives, put_in_force

        assert self._sessions is not None
        replies = alternatives(self._sessions, reply_id)
        at = [t.id for t in replies].index(reply_id)
        if by and len(replies) > 1:
            put_in_force(self._sessions, replies[(at + by) % len(replies)].id)
        turn = replies[(at + by) % len(replies)]
        return partial(self._makers().reply, turn, replies), len(replies) > 1

    def _makers(self) -> Makers:
        assert self._room.engine is not None
        keep_open, bubbles = self._view.thinking_open, self._settings.tui.bubbles
        today = self._clocks.now().astimezone().date()
        return Makers(self._room.engine, self._header.twin, today, keep_open=keep_open, bubbles=bubbles)

    def _turn_over(self, talk: Talk) -> None:
        if talk.message.turn_id is not None:
            self.run_worker(self._number(talk.message), group="number")

    async def _number(self, reply: TwinMessage) -> None:
        """Say which of several replies this one is."""
        made = await in_thread(self, self._other_reply, reply.turn_id, 0)
        if made is not None and made[1]:
            make = made[0]
            replies = make.args[1]
            reply.head.number([t.id for t in replies].index(reply.turn_id) + 1, len(replies))
            self._page.stands_for(reply, make)

    # Words

    def action_copy_reply(self) -> None:
        """Put a message on the clipboard: the one at hand, or the last reply."""
        focused = isinstance(self._clicked or self.focused, Said)
        said = self._at_hand(Said) if focused else self._at_hand(TwinMessage)
        if said is not None and said.text:
            self.app.copy_to_clipboard(said.text)
            self.notify("The message is on the clipboard.", markup=False)

    def action_copy_code(self) -> None:
        """Put the last block of code on the clipboard, of the reply at hand or the last one with any."""
        if isinstance(self.focused, TwinMessage) and self.focused.code:
            code = self.focused.code
        else:
            code = next((r.code for r in reversed(self.query(TwinMessage)) if r.code), "")
        if code:
            self.app.copy_to_clipboard(code)
            self.notify("The code is on the clipboard.", markup=False)

    def action_quote(self) -> None:
        """Quote a message in the prompt."""
        said = self._at_hand(Said)
        if said is not None and said.text:
            rest = self._prompt.text.lstrip("\n")
            self._prompt.replace_with(f"{quoting.quote(said.text)}\n\n{rest}")
            self._prompt.focus()

    def action_to_turn(self, turn_id: str) -> None:
        """To a message of this chat."""
        for said in self._page.query(Said):
            if said.turn_id == turn_id and said.display:
                said.focus(scroll_visible=False)
                self._page.bring(said)
                return
        self._leave_for(self._session_id, turn_id)
