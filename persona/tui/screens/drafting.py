"""Drafts a reply: paste a message, read three answers in your voice, choose, change, copy."""

import threading
from collections.abc import Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static, TextArea

from knowledge.text import printable
from persona.backends.base import TextDelta
from persona.chat.drafting import DRAFTS, drafts, keep
from persona.chat.events import TurnFinished, TurnRequest, TurnStarted
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.door import ChatEngine
from persona.tui.drafts import Drafts
from persona.tui.feed import Ended, Feed
from persona.tui.listening import Listening

SENDER, MESSAGE, REPLY = FIELDS = ("from", "message", "reply")
"""What is written in these is a draft, too, and there again when the screen is."""


def place(field: str) -> str:
    """Where the draft of a field lies."""
    return f"drafting a reply: {field}"


class DraftBox(VerticalScroll, can_focus=False):
    """One draft; a click takes it."""

    DEFAULT_CSS = """
    DraftBox { width: 1fr; height: 1fr; border: round $foreground 30%; padding: 0 1; pointer: pointer; }
    DraftBox:hover, DraftBox.-chosen { border: round $primary; }
    DraftBox Static { height: auto; }
    """

    class Chosen(Message):
        """The user takes this one."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.border_title = f"{number}"
        self.text = ""

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def show(self, text: str) -> None:
        """This is the draft so far."""
        self.text = printable(text)
        self.query_one(Static).update(Content(self.text))

    def on_click(self) -> None:
        self.post_message(self.Chosen(self.number))


class DraftScreen(ModalScreen[str | None]):
    """Dismissed with the id of the chat the drafts are in, None where none was made.

    request: the options to draft with; its correspondent is the sender to begin with, its text the message,
    unless something is written already. written: what is, by `place`.
    """

    ACTIONS = keys.DRAFT_ACTIONS
    BINDINGS = keys.bindings(keys.DRAFT_ACTIONS)
    DEFAULT_CSS = """
    DraftScreen { background: $background; }
    DraftScreen Input, DraftScreen TextArea { border: round $foreground 30%; background: $background; }
    DraftScreen Input:focus, DraftScreen TextArea:focus { border: round $primary; }
    DraftScreen TextArea { height: 6; padding: 0 1; }
    DraftScreen #drafts { height: 1fr; min-height: 5; }
    DraftScreen.-narrow #drafts { layout: vertical; }
    DraftScreen.-narrow TextArea { height: 4; }
    DraftScreen Footer { background: $surface; }
    """

    _listening: Listening

    def __init__(
        self, engine: ChatEngine, request: TurnRequest, drafts: Drafts, written: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._engine = engine
        self._request = request
        self._drafts, self._written = drafts, written
        self._cancel = threading.Event()
        self._feed: Feed | None = None
        self._session_id: str | None = None
        self._made: list[TurnFinished] = []
        self._chosen: int | None = None

    def compose(self) -> ComposeResult:
        begun = self._written[SENDER] or self._request.correspondent or ""
        sender = Input(begun, placeholder="who sent it (may stay empty)", id=SENDER)
        sender.border_title = "from"
        pasted = self._written[MESSAGE] or self._request.text
        message = TextArea(pasted, id=MESSAGE, soft_wrap=True, show_line_numbers=False)
        message.border_title = "the message"
        reply = TextArea(self._written[REPLY], id=REPLY, soft_wrap=True, show_line_numbers=False)
        reply.border_title = "your reply"
        yield sender
        yield message
        with Horizontal(id="drafts"):
            for number in range(1, DRAFTS + 1):
                yield DraftBox(number)
        yield reply
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._listening = Listening(self)
        self.query_one("#message").focus()

    def on_unmount(self) -> None:
        self._cancel.set()

    @property
    def _boxes(self) -> list[DraftBox]:
        return list(self.query(DraftBox))

    # What is written

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        drafted = "" if self._chosen is None else printable(self._made[self._chosen].text)
        text = event.text_area.text
        untouched = event.text_area.id == REPLY and text == drafted
        self._note(event.text_area.id, "" if untouched else text)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._note(event.input.id, event.value)

    def _note(self, field: str | None, text: str) -> None:
        if field in FIELDS:
            self._drafts.note(place(field), text)

    # Drafting

    def action_draft(self) -> None:
        """Have the drafts made; those of before stay in their chat."""
        text = self.query_one("#message", TextArea).text.strip()
        if not text or self._feed is not None:
            return
        self._cancel = threading.Event()
        self._made, self._session_id, self._chosen = [], None, None
        for box in self._boxes:
            box.show("")
            box.remove_class("-chosen")
        sender = self.query_one("#from", Input).value.strip()
        request = TurnRequest(
            text,
            thinking=self._request.thinking,
            memory=self._request.memory,
            compression=self._request.compression,
            sampling=self._request.sampling,
            correspondent=sender or None,
            channel=self._request.channel if sender == self._request.correspondent else None,
        )
        self._feed = Feed(self._listening.wake)
        own = self._engine.backend.default_sampling(bool(request.thinking))
        start = partial(drafts, self._engine, request, self._cancel, temperature=own.temperature)
        self._listening.run(start, self._feed)

    async def on_feed_ready(self) -> None:
        if self._feed is None:
            return
        for event in self._feed.drain():
            box = self._boxes[min(len(self._made), DRAFTS - 1)]
            match event:
                case TurnStarted(session_id=session_id):
                    self._session_id = session_id
                    self._note(SENDER, "")
                    self._note(MESSAGE, "")
                case TextDelta(text=text):
                    box.show(box.text + text)
                case TurnFinished():
                    box.show(event.text)
                    self._made.append(event)
                case Ended(error=error):
                    self._feed = None
                    self._listening.rest()
                    if error is not None:
                        self.notify(error.hint, title=error.message, severity="error", markup=False)

    # Choosing

    def on_draft_box_chosen(self, event: DraftBox.Chosen) -> None:
        self.action_choose(event.number)

    def action_choose(self, number: int) -> None:
        """Take a draft to change it."""
        if number > len(self._made):
            return
        self._chosen = number - 1
        for box in self._boxes:
            box.set_class(box.number == number, "-chosen")
        reply = self.query_one("#reply", TextArea)
        drafted = printable(self._made[number - 1].text)
        reply.replace(drafted, (0, 0), reply.document.end)  # can be undone, unlike setting it
        reply.move_cursor(reply.document.end)
        reply.focus()

    async def action_keep(self) -> None:
        """Copy the reply; what was made of the draft is kept, as a preference."""
        text = self.query_one("#reply", TextArea).text.strip()
        if not text:
            choose = [keys.hint(self.app, f"draft.{which}") for which in ("first", "second", "third")]
            self.notify(f"Choose a draft first: {', '.join(choose)}.", markup=False)
            return
        if self._chosen is None:
            self.app.copy_to_clipboard(text)
            self.notify("It is on the clipboard; no draft was chosen to keep it with.", markup=False)
            return
        draft = self._made[self._chosen]
        if await in_thread(self, keep, self._engine.sessions, draft.reply_turn_id, text) is not None:
            self._note(REPLY, "")
            self.app.copy_to_clipboard(text)
            self.notify("It is on the clipboard, and kept: `persona ab tally --export FILE`.", markup=False)

    def action_close(self) -> None:
        """Stop what is being made; leave, if nothing is."""
        if self._feed is not None:
            self._cancel.set()
        else:
            self.dismiss(self._session_id)
