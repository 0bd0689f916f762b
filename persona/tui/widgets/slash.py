"""The commands that begin with a slash, offered while one is typed, and what may stand behind one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from knowledge.text import one_line, printable
from persona.tui.keys import Action


@dataclass(frozen=True, slots=True)
class Offer:
    """A command to take. argument: what stands behind its name, "" where nothing does."""

    action: Action
    argument: str = ""

    @property
    def typed(self) -> str:
        """It as it would be typed in full."""
        return f"/{self.action.slash}{f' {self.argument}' if self.argument else ''}"

    @property
    def call(self) -> str:
        """It as an action of the screen."""
        return f"{self.action.action}({self.argument!r})" if self.argument else self.action.action


class SlashMenu(OptionList, can_focus=False):
    """Shown while what is typed begins a command. Keys reach it from the prompt, which keeps the focus.

    arguments: for a command's name, what may stand behind it; whatever else is typed there may, too.
    """

    DEFAULT_CSS = """
    SlashMenu {
        display: none; height: auto; max-height: 8; border: round $foreground 30%; background: $surface;
        padding: 0 1; scrollbar-size-vertical: 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    SlashMenu > .option-list--option-highlighted { background: $primary 25%; color: $foreground; }
    """

    def __init__(
        self, actions: Sequence[Action], arguments: Mapping[str, Callable[[], Sequence[str]]]
    ) -> None:
        super().__init__(markup=False)
        self._actions = actions
        self._arguments = arguments
        self._offered: list[Offer] = []
        self._known: dict[str, Sequence[str]] = {}

    @property
    def open(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._offered)

    @property
    def taken(self) -> Offer:
        """The command under the cursor."""
        return self._offered[self.highlighted or 0]

    def look(self, text: str) -> None:
        """Offer what `text` begins, nothing when it is no command."""
        is_command = text.startswith("/") and "\n" not in text
        self._offered = list(self._begun(text[1:])) if is_command else []
        self.display = self.open
        if self.open:
            self.set_options(Option(_row(offer)) for offer in self._offered)
            self.highlighted = 0

    def _begun(self, text: str) -> Iterator[Offer]:
        name, space, argument = text.partition(" ")
        if not space:
            self._known.clear()
            yield from (Offer(a) for a in self._actions if a.slash.startswith(name))
            return
        for action in self._actions:
            if action.slash == name and name in self._arguments:
                if name not in self._known:  # once for all that is typed behind it: it may read the disk
                    self._known[name] = self._arguments[name]()
                known = [known for known in self._known[name] if known.startswith(argument)]
                yield from (Offer(action, known) for known in known)
                if argument.strip() and argument.strip() not in known:
                    yield Offer(action, argument.strip())

    def move(self, by: int) -> None:
        """To the command above (-1) or below (1)."""
        (self.action_cursor_up if by < 0 else self.action_cursor_down)()


def _row(offer: Offer) -> Content:
    typed = Content.styled(f"{one_line(printable(offer.typed)):<15}", "bold $primary")
    if offer.argument:
        return typed
    action = offer.action
    return Content.assemble(typed, action.title, (f"  {action.help}", "$foreground 60%"))
