"""The commands that begin with a slash, offered while one is typed."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from persona.tui.keys import Action


class SlashMenu(OptionList, can_focus=False):
    """Shown while what is typed begins a command. Keys reach it from the prompt, which keeps the focus."""

    DEFAULT_CSS = """
    SlashMenu {
        display: none; height: auto; max-height: 8; border: round $foreground 30%; background: $surface;
        padding: 0 1; scrollbar-size-vertical: 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    SlashMenu > .option-list--option-highlighted { background: $primary 25%; color: $foreground; }
    """

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__(markup=False)
        self._actions = actions
        self._offered: list[Action] = []

    @property
    def open(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._offered)

    @property
    def taken(self) -> Action:
        """The command under the cursor."""
        return self._offered[self.highlighted or 0]

    def look(self, text: str) -> None:
        """Offer what `text` begins, nothing when it is no command."""
        begun = text[1:] if text.startswith("/") and "\n" not in text else None
        self._offered = [] if begun is None else [a for a in self._actions if a.slash.startswith(begun)]
        self.display = self.open
        if self.open:
            self.set_options(
                Option(
                    Content.assemble(
                        (f"/{a.slash:<14}", "bold $primary"), a.title, (f"  {a.help}", "$foreground 60%")
                    )
                )
                for a in self._offered
            )
            self.highlighted = 0

    def move(self, by: int) -> None:
        """To the command above (-1) or below (1)."""
        (self.action_cursor_up if by < 0 else self.action_cursor_down)()
