"""What every message of a chat is: who said it and when, and what can be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from textual import events
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from knowledge.text import one_line, printable
from persona.chat.layout import day
from persona.tui import keys
from persona.tui.widgets.links import link
from persona.tui.widgets.settled import Settled


@dataclass(frozen=True, slots=True)
class Link:
    """A word to click. action: of the screen, done with the message it stands on."""

    word: str
    action: str


class Head(Static, Settled):
    """`Mira Sol  12:00`, which of several replies it is, and links while the message has the attention.

    today: the day that needs no naming; that of the message where it is left out.
    """

    ALLOW_SELECT = False

    def __init__(
        self,
        name: str,
        when: datetime | None,
        style: str,
        links: Sequence[Link],
        today: date | None = None,
    ) -> None:
        super().__init__(markup=False)
        self._who = Content.styled(one_line(printable(name)), style)
        self._day = short_day(when.date(), today) if when and today else ""
        self._time = f"{when:%H:%M}" if when else ""
        self._links = links
        self._offered = False
        self._place, self._of = 1, 1

    def on_mount(self) -> None:
        self._show()

    def offer(self, on: bool) -> None:
        """Show the links, or not."""
        if on != self._offered:
            self._offered = on
            self._show()

    def number(self, place: int, of: int) -> None:
        """Say that this is reply `place` of `of`."""
        self._place, self._of = place, of
        self._show()

    def action_link(self, action: str) -> None:
        """A link was clicked."""
        if isinstance(self.parent, Said):
            self.post_message(Said.Asked(self.parent, action))

    def _show(self) -> None:
        line = self._line(self._day)
        if self._day and line.cell_length > self.size.width > 0:  # the links need the room more
            line = self._line("")
        self.update(line, layout=False)  # it has one line whatever it says

    def _line(self, day: str) -> Content:
        when = ", ".join(part for part in (day, self._time) if part)
        parts = [self._who, Content.styled(f"  {when}" if when else "", "$foreground 45%")]
        if self._of > 1:
            parts += [
                Content("  "),
                _link("‹", "alternative(-1)"),
                Content.styled(f" {self._place} of {self._of} ", "$foreground 60%"),
                _link("›", "alternative(1)"),
            ]
        if self._offered:
            for one in self._links:
                parts += [Content.styled("  ·  ", "$foreground 30%"), _link(one.word, one.action)]
        return Content("").join(parts)


class Said(Vertical, Settled, can_focus=True):
    """One message. Keys reach it with alt+up; a click leaves the focus where it is.

    turn_id: its id in the store, None while it is not stored.
    """

    BINDINGS = keys.bindings(keys.MESSAGE_ACTIONS)
    FOCUS_ON_CLICK = False
    DEFAULT_CSS = """
    Said { height: auto; margin: 1 0 0 0; padding: 0 1; }
    Said > Head { height: 1; }
    Said:focus { background: $primary 12%; }
    """

    class Asked(Message):
        """Something is to be done with this message."""

        def __init__(self, said: "Said", action: str) -> None:
            super().__init__()
            self.said, self.action = said, action

    def __init__(self, head: Head, turn_id: str | None = None) -> None:
        super().__init__()
        self.text = ""
        self.turn_id = turn_id
        self.head = head

    def on_enter(self, event: events.Enter) -> None:
        self.head.offer(True)

    def on_leave(self, event: events.Leave) -> None:
        self.head.offer(self.is_mouse_over or self.has_focus)

    def on_focus(self) -> None:
        self.head.offer(True)

    def on_blur(self) -> None:
        self.head.offer(self.is_mouse_over)


def short_day(when: date, today: date) -> str:
    """`12 March`, with the year where it is another; "" for today."""
    return "" if when == today else day(when).removesuffix(f" {today.year}")


def _link(word: str, action: str) -> Content:
    return link(word, f"link({action!r})")
