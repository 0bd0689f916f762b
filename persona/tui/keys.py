"""Every action of every screen, once: key maps, the help sheet and the command palette are made from it.

Ids are what a user's own key map names, so they never change. Keys keep clear of the line editing
of the prompt (ctrl+a/e/k/u/w/d/x/c/v/z); ctrl+y there is redo, which moves to alt+y.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """id: for remapping. action: of the screen. title, help: in palette and help sheet.
    footer: the short word in the footer, empty where it is not shown."""

    id: str
    keys: str
    action: str
    title: str
    help: str
    footer: str = ""


ACTIONS: tuple[Action, ...] = (
    Action("chat.help", "f1", "help", "Help", "every key on one sheet", "Help"),
    Action("chat.glass", "f2", "glass", "Glass box", "the exact prompt, by section, and why", "Prompt"),
    Action("chat.sessions", "ctrl+s", "sessions", "Chats", "search, resume, rename, delete", "Chats"),
    Action("chat.new", "ctrl+n", "new_session", "New chat", "the old one is kept", "New"),
    Action("chat.regenerate", "ctrl+r", "regenerate", "Answer again", "a new reply in its place", "Again"),
    Action("chat.stop", "escape", "stop", "Stop the reply", "what was said so far is kept", "Stop"),
    Action("chat.prompt", "escape", "to_prompt", "Back to the prompt", "and to the newest line"),
    Action("chat.thinking", "ctrl+t", "toggle_thinking", "Thinking", "let the model think first", "Think"),
    Action("chat.memory", "ctrl+g", "toggle_memory", "Memory", "look things up in the archive", "Memory"),
    Action(
        "chat.compression",
        "ctrl+o",
        "cycle_compression",
        "Compression",
        "how old turns are folded: extractive, abstractive, off",
        "Compress",
    ),
    Action("chat.copy", "ctrl+y", "copy_reply", "Copy the last reply", "to the clipboard"),
    Action("chat.folds", "ctrl+f", "toggle_folds", "Open or close the last details", "thinking, memories"),
    Action("chat.page_up", "pageup", "chat_page(-1)", "Scroll up", "a page"),
    Action("chat.page_down", "pagedown", "chat_page(1)", "Scroll down", "a page"),
    Action("chat.top", "ctrl+home", "chat_top", "To the top", "the first turn shown"),
    Action("chat.bottom", "ctrl+end", "chat_bottom", "To the newest", "and follow the reply again"),
    Action("chat.rename", "", "rename_session", "Rename this chat", "give it another title"),
    Action("chat.delete", "", "delete_session", "Delete this chat", "it can be brought back until you leave"),
    Action("chat.undelete", "", "undelete_session", "Bring the deleted chat back", "the last one first"),
    Action("chat.theme", "", "app.change_theme", "Theme", "choose the colours"),
    Action("chat.retry", "", "retry_opening", "Open the model again", "after an error at the start"),
)

SESSION_ACTIONS: tuple[Action, ...] = (
    Action("sessions.close", "escape", "close", "Back to the chat", "nothing changes", "Back"),
    Action("sessions.open", "enter", "open", "Open", "a chat, or a message where it was said", "Open"),
    Action("sessions.new", "ctrl+n", "new", "New chat", "the old ones are kept", "New"),
    Action("sessions.rename", "ctrl+r", "rename", "Rename", "give the chat another title", "Rename"),
    Action("sessions.delete", "ctrl+d", "delete", "Delete", "the whole chat", "Delete"),
    Action("sessions.undo", "ctrl+z", "undo", "Undo", "bring the deleted chat back, until you leave", "Undo"),
    Action("sessions.up", "up", "move(-1)", "Up", "the row above"),
    Action("sessions.down", "down", "move(1)", "Down", "the row below"),
    Action("sessions.page_up", "pageup", "page(-1)", "Page up", "a page of rows"),
    Action("sessions.page_down", "pagedown", "page(1)", "Page down", "a page of rows"),
    Action("sessions.help", "f1", "help", "Help", "every key on one sheet", "Help"),
)

GLASS_ACTIONS: tuple[Action, ...] = (
    Action("glass.close", "escape,f2", "close", "Back to the chat", "", "Back"),
    Action("glass.folds", "ctrl+f", "toggle_folds", "Open or close everything", "every section", "All"),
    Action("glass.next", "tab", "app.focus_next", "Next section", "enter opens it"),
    Action("glass.previous", "shift+tab", "app.focus_previous", "Previous section", ""),
    Action("glass.page_up", "pageup", "page(-1)", "Page up", "a page"),
    Action("glass.page_down", "pagedown", "page(1)", "Page down", "a page"),
    Action("glass.help", "f1", "help", "Help", "every key on one sheet", "Help"),
)

PROMPT_KEYS: tuple[tuple[str, str], ...] = (
    ("enter", "send"),
    ("ctrl+j", "new line (shift+enter too, where the terminal tells it apart)"),
    ("up", "in an empty prompt: pick a question, or your last message"),
    ("ctrl+p", "command palette"),
    ("ctrl+q", "leave"),
)

# A focused text field would take these for itself.
_BEFORE_THE_FIELD = {"ctrl+y", "ctrl+f", "ctrl+d", "pageup", "pagedown"}


def bindings(actions: Sequence[Action] = ACTIONS) -> list[BindingType]:
    """The key map of a screen."""
    return [
        Binding(
            a.keys,
            a.action,
            a.footer or a.title,
            id=a.id,
            show=bool(a.footer),
            priority=a.keys in _BEFORE_THE_FIELD,
            tooltip=f"{a.title}: {a.help}" if a.help else a.title,
        )
        for a in actions
        if a.keys
    ]
