"""Where the user writes."""

import os
from collections.abc import Callable
from pathlib import Path

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from knowledge.text import printable
from persona.tui import keys
from persona.tui.first_run_inputs import export_paths

_MENU_KEYS = {"up", "down", "tab", "enter", "escape"}


class Prompt(TextArea):
    """Grows with its text up to eight lines. Enter sends; ctrl+j and shift+enter start a new line.

    completing: says whether a menu of commands is open, which then gets the keys that move in it.
    """

    DEFAULT_CSS = """
    Prompt {
        height: auto; min-height: 3; max-height: 10; padding: 0 1;
        border: round $foreground 30%; background: $background;
    }
    Prompt:focus { border: round $primary; }
    """

    ACTIONS = keys.PROMPT_ACTIONS
    BINDINGS = keys.bindings(keys.PROMPT_ACTIONS)

    class Sent(Message):
        """The user sends this."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Up(Message):
        """The up key in an empty prompt."""

    class Completing(Message):
        """A key for the menu of commands, while one is offered."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Dropped(Message):
        """A file or folder was dropped on the terminal, which pastes its path."""

        def __init__(self, paths: tuple[Path, ...]) -> None:
            super().__init__()
            self.paths = paths

    def __init__(self) -> None:
        super().__init__(
            placeholder="Write a message",
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
        )
        self.completing: Callable[[], bool] = lambda: False

    async def _on_key(self, event: events.Key) -> None:
        if event.key in _MENU_KEYS and self.completing():
            event.stop()
            event.prevent_default()
            self.post_message(self.Completing(event.key))
            return
        if event.key.startswith("alt+"):
            event.prevent_default()  # a terminal sends its letter along, which is no text
            return
        # A priority binding would overtake letters typed just before it while the app is busy.
        if any(b.action == "send" for b in self._bindings.key_to_bindings.get(event.key, ())):
            event.stop()
            event.prevent_default()
            self.action_send()

    def action_send(self) -> None:
        """Send what is written, unless it is blank."""
        if self.text.strip():
            self.post_message(self.Sent(self.text.strip()))

    def action_newline(self) -> None:
        """Insert a line break at the cursor."""
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up; in an empty prompt there is nowhere to go, so others may use it."""
        if self.text or select:
            super().action_cursor_up(select)
        else:
            self.post_message(self.Up())

    def replace_with(self, text: str) -> None:
        """Put `text` in place of everything, the cursor behind it."""
        self.text = printable(text)
        self.move_cursor(self.document.end)

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual hands the same event to the base class next, which would insert it as it is.
        event.text = printable(event.text)
        paths = export_paths(event.text) if _is_path(event.text) else ()
        dropped = tuple(path for path in paths if os.path.exists(path))
        if dropped:
            event.prevent_default()
            event.stop()
            self.post_message(self.Dropped(dropped))


def _is_path(text: str) -> bool:
    """Whether this is a path as terminals paste it, and not a word that happens to name a file here."""
    return text.strip().lstrip("'\"").startswith(("/", "~", "file://")) or text.strip()[1:3] == ":\\"
