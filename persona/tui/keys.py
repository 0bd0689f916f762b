"""Every action of the chat, once: the key map, the help sheet and the command palette are made from it.

Ids are what a user's own key map names, so they never change. Keys keep clear of the line editing
of the prompt (ctrl+a/e/k/u/w/d/x/c/v/z); ctrl+y there is redo, which moves to alt+y.
"""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """id: for remapping. action: of the chat screen. title, help: in palette and help sheet.
    footer: the short word in the footer, empty where it is not shown."""

    id: str
    keys: str
    action: str
    title: str
    help: str
    footer: str = ""


ACTIONS: tuple[Action, ...] = (
    Action("chat.help", "f1", "help", "Help", "every key on one sheet", "Help"),
    Action("chat.stop", "escape", "stop", "Stop the reply", "what was said so far is kept", "Stop"),
    Action("chat.prompt", "escape", "to_prompt", "Back to the prompt", "and to the newest line"),
    Action("chat.thinking", "ctrl+t", "toggle_thinking", "Thinking", "let the model think first", "Think"),
    Action("chat.memory", "ctrl+g", "toggle_memory", "Memory", "look things up in the archive", "Memory"),
    Action(
        "chat.compression",
        "ctrl+o",
        "cycle_compression",
        "Compression",
        "how old turns are folded: extractive, off",
        "Compress",
    ),
    Action("chat.regenerate", "ctrl+r", "regenerate", "Answer again", "a new reply in its place", "Again"),
    Action("chat.copy", "ctrl+y", "copy_reply", "Copy the last reply", "to the clipboard"),
    Action("chat.new", "ctrl+n", "new_session", "New chat", "the old one is kept", "New"),
    Action("chat.folds", "ctrl+f", "toggle_folds", "Open or close the last details", "thinking, memories"),
    Action("chat.page_up", "pageup", "chat_page(-1)", "Scroll up", "a page"),
    Action("chat.page_down", "pagedown", "chat_page(1)", "Scroll down", "a page"),
    Action("chat.top", "ctrl+home", "chat_top", "To the top", "the first turn shown"),
    Action("chat.bottom", "ctrl+end", "chat_bottom", "To the newest", "and follow the reply again"),
    Action("chat.theme", "", "app.change_theme", "Theme", "choose the colours"),
    Action("chat.retry", "", "retry_opening", "Open the model again", "after an error at the start"),
)

PROMPT_KEYS: tuple[tuple[str, str], ...] = (
    ("enter", "send"),
    ("ctrl+j", "new line (shift+enter too, where the terminal tells it apart)"),
    ("up", "in an empty prompt: pick a question, or your last message"),
    ("ctrl+p", "command palette"),
    ("ctrl+q", "leave"),
)

# A focused text area would take these for itself.
_BEFORE_THE_PROMPT = {"ctrl+y", "ctrl+f", "pageup", "pagedown"}


def bindings() -> list[BindingType]:
    """The key map of the chat screen."""
    return [
        Binding(
            a.keys,
            a.action,
            a.footer or a.title,
            id=a.id,
            show=bool(a.footer),
            priority=a.keys in _BEFORE_THE_PROMPT,
            tooltip=f"{a.title}: {a.help}",
        )
        for a in ACTIONS
        if a.keys
    ]
