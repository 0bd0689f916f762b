"""What is said in a chat: the user's messages, the twin's, and notices of the program."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from knowledge.records import Memory
from knowledge.text import one_line, printable
from persona.chat.events import Status
from persona.errors import PersonaError
from persona.tui import quoting
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.links import link
from persona.tui.widgets.memories import MemoryList
from persona.tui.widgets.said import Head, Link, Said
from persona.tui.widgets.settled import Settled

if TYPE_CHECKING:
    from persona.tui.widgets.markdown import ReplyMarkdown

STOPPED = "■ stopped"
CUT_SHORT = "■ unfinished"
BROKE_OFF = "✗ broke off; what was said is kept"

_MINE = (Link("edit", "edit"), Link("copy", "copy_reply"), Link("quote", "quote"), Link("fork", "fork"))
_THEIRS = (Link("copy", "copy_reply"), Link("quote", "quote"), Link("fork", "fork"))


class Words(Static, Settled):
    """What the user wrote, as it was written."""

    DEFAULT_CSS = """
    Words { height: auto; }
    """


@dataclass(frozen=True, slots=True)
class Quoted:
    """Who said what a message quotes, and the turn it is in."""

    name: str
    turn_id: str


class Quote(Static, Settled):
    """What a message quotes, under the name of who said it; a click goes there."""

    DEFAULT_CSS = """
    Quote { height: auto; padding: 0 1; border-left: outer $foreground 30%; color: $foreground 60%; }
    """

    def __init__(self, text: str, quoted: Quoted | None) -> None:
        lines = [Content(text)]
        if quoted is not None:
            name = one_line(printable(quoted.name))
            lines.insert(0, link(name, f"screen.to_turn({quoted.turn_id!r})"))
        super().__init__(Content("\n").join(lines), markup=False)


class UserMessage(Said):
    """A message of the user's. name: who they spoke as. quoted: what it quotes, where that is known.
    today: as for `Head`."""

    DEFAULT_CSS = """
    UserMessage { border-left: outer $secondary; }
    """

    def __init__(
        self,
        text: str,
        when: datetime | None,
        name: str = "you",
        turn_id: str | None = None,
        today: date | None = None,
        quoted: Quoted | None = None,
    ) -> None:
        super().__init__(Head(name, when, "bold $secondary", _MINE, today), turn_id)
        self.text = printable(text)
        self._quoted = quoted

    def compose(self) -> ComposeResult:
        yield self.head
        quote, words = quoting.split(self.text)
        if quote:
            yield Quote(quote, self._quoted)
        yield Words(Content(words), markup=False)


class Thinking(Fold):
    """The model's thinking: open while it thinks, closed once it is done."""

    DEFAULT_CSS = """
    Thinking ReplyMarkdown { color: $foreground 60%; text-style: italic; }
    """

    def __init__(
        self, text: str = "", *, seconds: float | None = None, live: bool = False, opened: bool = False
    ) -> None:
        super().__init__("thinking…", opened=live or opened, classes="thinking")
        self.body = _markdown(text)
        if not live:
            self.title = thinking_title(text, seconds)

    def compose_contents(self) -> Sequence[Widget]:
        return (self.body,)


def thinking_title(text: str, seconds: float | None) -> str:
    """`thought for 1.2 s · 34 words`; the time is left out where it is not known."""
    words = len(text.split())
    how_long = f" for {seconds:.1f} s" if seconds is not None else ""
    return f"thought{how_long} · {words} {'word' if words == 1 else 'words'}"


class TwinMessage(Said):
    """One reply, with its thinking above and its memories and figures below.

    It is filled piece by piece, in any order the engine chooses, and ended by `finish`.
    seconds: a running clock, for how long the thinking took. keep_open: whether thinking stays open
    once it is done. bubbles: whether several plain lines are several messages in a row. today: as for `Head`.
    """

    DEFAULT_CSS = """
    TwinMessage { border-left: outer $primary; }
    TwinMessage > .foot { height: auto; color: $foreground 55%; }
    TwinMessage.-failed { border-left: outer $error; }
    TwinMessage.-partial { border-left: outer $warning; }
    """

    def __init__(
        self,
        name: str,
        when: datetime | None,
        seconds: Callable[[], float] = time.monotonic,
        *,
        turn_id: str | None = None,
        keep_open: bool = False,
        bubbles: bool = True,
        today: date | None = None,
    ) -> None:
        super().__init__(Head(name, when, "bold $primary", _THEIRS, today), turn_id)
        self._bubbles = bubbles
        self.thinking_text = ""
        self._seconds = seconds
        self._keep_open = keep_open
        self._body: ReplyMarkdown | None = None
        self._thinking: Thinking | None = None
        self._thinking_since: float | None = None
        self._memories: MemoryList | None = None
        self._foot: Static | None = None

    def compose(self) -> ComposeResult:
        yield self.head
        parts = (self._thinking, self._body, self._memories, self._foot)
        yield from (part for part in parts if part is not None)

    def restore(
        self, text: str, thinking: str, status: Status, memories: int, load: Callable[[], Sequence[Memory]]
    ) -> None:
        """Take the form of a stored reply, before it is mounted. load: fetches its memories."""
        self.text, self.thinking_text = printable(text), printable(thinking)
        if thinking:
            self._thinking = Thinking(thinking, opened=self._keep_open)
        if text:
            self._body = _markdown(text, bubbles=self._bubbles)
        if memories:
            self._memories = MemoryList(memories, load)
        self.show_status(status, {"complete": "", "failed": BROKE_OFF}.get(status, CUT_SHORT))

    @property
    def code(self) -> str:
        """The last block of code in the reply, "" where there is none."""
        return self._body.code if self._body is not None else ""

    def phase(self, doing: str) -> None:
        """One line below: what is going on before there is anything to read, or how it ended."""
        if self._foot is None:
            if not doing:
                return
            self._foot = Static(classes="foot", markup=False)
            if self.is_attached:
                self.mount(self._foot)
        self._foot.update(Content(doing))
        self._foot.display = bool(doing)

    async def add_thinking(self, fragment: str) -> None:
        """More of the thinking."""
        if self._thinking is None:
            self._thinking = Thinking(live=True)
            self._thinking_since = self._seconds()
            await self.mount(self._thinking, after=0)
        self.thinking_text += fragment
        self.phase("")
        await self._thinking.body.add(fragment)

    async def add_text(self, fragment: str) -> None:
        """More of the reply; the first of it ends the thinking."""
        if self._body is None:
            self._body = _markdown(bubbles=self._bubbles)
            self._close_thinking()
            await self.mount(self._body, before=self._foot)
        self.text += fragment
        self.phase("")
        await self._body.add(fragment)

    async def finish(self, text: str, thinking: str) -> None:
        """Show reply and thinking as they were stored."""
        if thinking and self._thinking is None:
            await self.add_thinking(thinking)
        if text and self._body is None:
            await self.add_text(text)
        self.text, self.thinking_text = printable(text), printable(thinking)
        self._close_thinking()
        if self._thinking is not None:
            await self._thinking.body.finish(thinking)
        if self._body is not None:
            await self._body.finish(text)
        self.phase("")

    async def show_memories(self, memories: Sequence[Memory]) -> None:
        """List what the reply was given to read."""
        if memories and self._memories is None:
            self._memories = MemoryList(len(memories), lambda: memories)
            await self.mount(self._memories, before=self._foot)

    def show_status(self, status: Status, note: str = "") -> None:
        """status: complete, partial or failed, as stored. note: one line below the reply."""
        self.remove_class("-partial", "-failed")
        if status != "complete":
            self.add_class(f"-{status}")
        self.phase(note)

    def _close_thinking(self) -> None:
        if self._thinking is not None and self._thinking_since is not None:
            seconds = self._seconds() - self._thinking_since
            self._thinking.title = thinking_title(self.thinking_text, seconds)
            self._thinking.opened = self._thinking.opened and self._keep_open
            self._thinking_since = None


class Notice(Static):
    """Something the program has to say: what, and what to do about it."""

    DEFAULT_CSS = """
    Notice {
        height: auto; margin: 1 0 0 0; padding: 0 1; border: round $warning; border-title-color: $warning;
    }
    """

    def __init__(self, said: PersonaError, title: str = "") -> None:
        lines = [Content(printable(said.message))]
        if said.hint:
            lines.append(Content.assemble(("→ ", "$primary"), (printable(said.hint), "$foreground 80%")))
        super().__init__(Content("\n").join(lines), markup=False)
        self.border_title = title


class ErrorPanel(Notice):
    """What went wrong and what to do; the chat goes on."""

    DEFAULT_CSS = """
    ErrorPanel { border: round $error; border-title-color: $error; }
    """

    def __init__(self, error: PersonaError) -> None:
        super().__init__(error, "something went wrong")


def _markdown(text: str = "", *, bubbles: bool = False) -> "ReplyMarkdown":
    # its parser takes a seventh of what the app imports, and an empty chat has nothing to parse
    from persona.tui.widgets.markdown import ReplyMarkdown

    return ReplyMarkdown(text, bubbles=bubbles)
