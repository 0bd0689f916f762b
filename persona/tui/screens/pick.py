"""Picks one of several, with search as you type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from knowledge.text import one_line, printable
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.widgets.links import links

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """One to pick. name: searched. about: shown beside it."""

    value: T
    name: str
    about: str = ""


class PickScreen(ModalScreen[Pick[T] | None]):
    """Dismissed with what was picked, or None. load: gives the picks, in a thread. what: above the field."""

    DEFAULT_CSS = """
    PickScreen { align: center middle; background: $background 70%; }
    PickScreen > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 80%; background: $surface;
        border: round $primary; border-title-color: $primary; padding: 0 1;
    }
    PickScreen Input, PickScreen Input:focus { border: none; height: 1; background: $surface; padding: 0; }
    PickScreen OptionList {
        height: auto; max-height: 16; border: none; padding: 0; background: transparent; margin: 1 0 0 0;
    }
    PickScreen OptionList > .option-list--option-highlighted {
        background: $primary 25%; color: $foreground;
    }
    """
    ACTIONS = keys.PICK_ACTIONS
    BINDINGS = keys.bindings(keys.PICK_ACTIONS)

    def __init__(self, what: str, load: Callable[[], Sequence[Pick[T]]]) -> None:
        super().__init__()
        self._what = what
        self._load = load
        self._all: Sequence[Pick[T]] = ()
        self._shown: list[Pick[T]] = []

    def compose(self) -> ComposeResult:
        from textual.containers import Vertical

        with Vertical() as box:
            box.border_title = self._what
            box.border_subtitle = links(
                (f"leave it ({keys.hint(self.app, 'pick.close')})", "screen.dismiss(None)")
            )
            yield Input(placeholder="type to search")
            rows = OptionList(markup=False)
            rows.can_focus = False
            yield rows

    async def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._all = await in_thread(self, self._load) or ()
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, text: str) -> None:
        wanted = text.casefold().split()
        self._shown = [p for p in self._all if all(w in p.name.casefold() for w in wanted)]
        rows = self.query_one(OptionList)
        rows.set_options(
            Option(
                Content.assemble(
                    (one_line(printable(p.name)), "bold"),
                    (f"  {one_line(printable(p.about))}", "$foreground 60%"),
                )
            )
            for p in self._shown
        )
        rows.highlighted = 0 if self._shown else None

    def action_move(self, by: int) -> None:
        """To the row above (-1) or below (1)."""
        rows = self.query_one(OptionList)
        (rows.action_cursor_up if by < 0 else rows.action_cursor_down)()

    def on_input_submitted(self) -> None:
        self.action_take()

    def action_take(self) -> None:
        """Give the one under the bar."""
        at = self.query_one(OptionList).highlighted
        if at is not None and self._shown:
            self.dismiss(self._shown[at])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])
