"""Every action of every screen, once: key maps, the help sheet and the command palette are made from it.

Ids are what a user's own key map names, so they never change. Keys keep clear of the line editing
of the prompt (ctrl+a/e/k/u/w/d/x/c/v/z); ctrl+y there is redo, which moves to alt+y.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.binding import Binding, BindingType

if TYPE_CHECKING:
    from textual.app import App


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

    @property
    def slash(self) -> str:
        """Its name as a command: `/new`."""
        return self.id.partition(".")[2].replace("_", "-")


APP_ACTIONS: tuple[Action, ...] = (
    Action("app.palette", "ctrl+p", "command_palette", "palette", "every action by name"),
    Action("app.quit", "ctrl+q", "quit", "Leave", "everything is kept"),
    Action("app.interrupt", "ctrl+c", "help_quit", "How to leave", "where nothing is marked to be copied"),
)

PROMPT_ACTIONS: tuple[Action, ...] = (
    Action("prompt.send", "enter", "send", "Send", "what is written"),
    Action("prompt.newline", "ctrl+j,shift+enter", "newline", "New line", "what is written goes on under it"),
    Action("prompt.redo", "alt+y", "redo", "Redo", "what was undone with ctrl+z"),
)

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
    Action(
        "chat.message_up", "alt+up", "message(-1)", "To the message above", "and what can be done with it"
    ),
    Action("chat.message_down", "alt+down", "message(1)", "To the message below", "or back to the prompt"),
    Action("chat.edit", "alt+e", "edit", "Edit and resend", "a message of yours; the chat as it was is kept"),
    Action("chat.fork", "alt+b", "fork", "Fork from here", "a new chat that begins as this one does"),
    Action("chat.previous", "alt+comma", "alternative(-1)", "The reply before", "of several to one message"),
    Action("chat.next", "alt+full_stop", "alternative(1)", "The next reply", "of several to one message"),
    Action("chat.quote", "alt+q", "quote", "Quote", "a message, to answer it"),
    Action("chat.copy", "ctrl+y", "copy_reply", "Copy the message", "the one you are at, or the last reply"),
    Action("chat.code", "alt+c", "copy_code", "Copy the code", "the last block; click one to copy it"),
    Action("chat.folds", "ctrl+f", "toggle_folds", "Open or close the last details", "thinking, memories"),
    Action("chat.page_up", "pageup", "chat_page(-1)", "Scroll up", "a page"),
    Action("chat.page_down", "pagedown", "chat_page(1)", "Scroll down", "a page"),
    Action("chat.top", "ctrl+home", "chat_top", "To the top", "the first turn of all"),
    Action("chat.bottom", "ctrl+end", "chat_bottom", "To the newest", "and follow the reply again"),
    Action(
        "chat.compare", "f3", "compare", "Two replies, blind", "choose the better one; `persona ab tally`"
    ),
    Action("chat.draft", "f4", "draft", "Draft a reply", "three answers in your voice to what you paste"),
    Action("chat.as", "f5", "partner", "Talk as…", "one of your correspondents: style and memory follow"),
    Action("chat.model", "f8", "model", "Model", "choose or download the model that talks"),
    Action("chat.adapter", "alt+a", "adapter", "Adapter", "lay another over the model; `/adapter NAME`"),
    Action("chat.sampling", "f9", "sampling", "Sampling", "temperature and the like, for this run"),
    Action("chat.settings", "", "settings", "Settings", "every setting, with its meaning"),
    Action("chat.import", "", "import", "Import", "read an export; a file dropped here does the same"),
    Action("chat.training", "", "training", "Long jobs", "indexing, trainings and A/B runs, as they go"),
    Action("chat.export", "", "export", "Export this chat", "as Markdown, HTML or JSON"),
    Action("chat.rename", "", "rename_session", "Rename this chat", "give it another title"),
    Action("chat.delete", "", "delete_session", "Delete this chat", "it can be brought back until you leave"),
    Action("chat.undelete", "", "undelete_session", "Bring the deleted chat back", "the last one first"),
    Action("chat.theme", "", "app.change_theme", "Theme", "choose the colours"),
    Action("chat.retry", "", "retry_opening", "Open the model again", "after an error at the start"),
)

MESSAGE_ACTIONS: tuple[Action, ...] = (
    Action("message.up", "up", "screen.message(-1)", "Up", "the message above"),
    Action("message.down", "down", "screen.message(1)", "Down", "the message below, or the prompt"),
    Action("message.previous", "left", "screen.alternative(-1)", "The reply before", "of several"),
    Action("message.next", "right", "screen.alternative(1)", "The next reply", "of several"),
    Action("message.copy", "c", "screen.copy_reply", "Copy", "what was said", "Copy"),
    Action("message.edit", "e", "screen.edit", "Edit and resend", "a message of yours", "Edit"),
    Action("message.fork", "f", "screen.fork", "Fork", "a chat that goes on from here", "Fork"),
    Action("message.quote", "q", "screen.quote", "Quote", "into the prompt", "Quote"),
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

FACT_ACTIONS: tuple[Action, ...] = (
    Action("fact.pin", "p", "care('pin')", "Pin", "shown in every chat, or no more", "Pin"),
    Action("fact.correct", "c", "care('correct')", "Correct", "what was told stays to be seen", "Correct"),
    Action("fact.forget", "f", "care('forget_fact')", "Forget", "for good", "Forget"),
)

MEMORY_ACTIONS: tuple[Action, ...] = (
    Action("memory.out", "x", "care('leave_out')", "Leave out of this chat", "others find it", "Leave out"),
    Action("memory.forget", "f", "care('forget_memory')", "Forget", "everywhere, for good", "Forget"),
)

COMPARE_ACTIONS: tuple[Action, ...] = (
    Action("compare.left", "1,left", "pick('left')", "The left one", "is better", "Left"),
    Action("compare.right", "2,right", "pick('right')", "The right one", "is better", "Right"),
    Action("compare.alike", "3", "pick('alike')", "Alike", "neither is better", "Alike"),
    Action("compare.neither", "4", "pick('neither')", "Neither", "both are bad", "Neither"),
    Action("compare.close", "escape", "close", "Leave without a choice", "both are kept", "Leave"),
)

DRAFT_ACTIONS: tuple[Action, ...] = (
    Action("draft.make", "ctrl+r", "draft", "Draft", "three answers, anew each time", "Draft"),
    Action("draft.first", "alt+1", "choose(1)", "The first", "to change it", "1"),
    Action("draft.second", "alt+2", "choose(2)", "The second", "to change it", "2"),
    Action("draft.third", "alt+3", "choose(3)", "The third", "to change it", "3"),
    Action("draft.keep", "ctrl+y", "keep", "Copy and keep", "the reply as it is now", "Copy"),
    Action(
        "draft.close", "escape", "close", "Stop, or leave", "the drafts stay in the list of chats", "Leave"
    ),
)

FOLD_ACTIONS: tuple[Action, ...] = (
    Action("fold.open", "enter,space", "open", "Open or close", "what is under a heading"),
)

HELP_ACTIONS: tuple[Action, ...] = (
    Action("help.close", "escape,f1,q,enter", "dismiss", "Close", "the help sheet", "Close"),
)

CONFIRM_ACTIONS: tuple[Action, ...] = (
    Action("confirm.yes", "y", "answer(True)", "Yes", "do what is asked about", "Yes"),
    Action("confirm.no", "n,escape", "answer(False)", "No", "nothing changes", "No"),
)

LINE_ACTIONS: tuple[Action, ...] = (
    Action("line.keep", "enter", "keep", "Keep it", "the line as it is written", "Keep"),
    Action("line.close", "escape", "dismiss(None)", "Leave it", "nothing changes", "Cancel"),
)

PICK_ACTIONS: tuple[Action, ...] = (
    Action("pick.take", "enter", "take", "Take it", "the one under the bar", "Take"),
    Action("pick.close", "escape", "dismiss(None)", "Leave it", "nothing changes", "Cancel"),
    Action("pick.up", "up", "move(-1)", "Up", "the one above"),
    Action("pick.down", "down", "move(1)", "Down", "the one below"),
)

SAMPLING_ACTIONS: tuple[Action, ...] = (
    Action("sampling.take", "enter", "take", "Take it", "for this run", "Take"),
    Action("sampling.close", "escape", "dismiss(None)", "Leave it", "nothing changes", "Cancel"),
)

SETTINGS_ACTIONS: tuple[Action, ...] = (
    Action("settings.close", "escape", "close", "Back to the chat", "with what was set", "Back"),
)

STEP_ACTIONS: tuple[Action, ...] = (
    Action("step.close", "escape", "close", "Stop, or leave", "back to the chat", "Back"),
    Action("step.done", "ctrl+n", "go_on", "Do it", "what the step asks for", "Done"),
)

TRAINING_ACTIONS: tuple[Action, ...] = (
    Action("training.close", "escape", "dismiss(None)", "Back to the chat", "", "Back"),
)

FIRST_RUN_ACTIONS: tuple[Action, ...] = (
    Action("first_run.back", "escape", "back", "Back", "the step before, once nothing is going on", "Back"),
    Action("first_run.go_on", "ctrl+n", "go_on", "Continue", "do what the step asks for", "Continue"),
    Action("first_run.skip", "ctrl+s", "skip", "Skip", "go on without it", "Skip"),
)

WRITING: tuple[tuple[str, str], ...] = (
    ("up", "in an empty prompt: pick a question, or your last message"),
    ("/", "a command by name; tab completes it, enter runs it"),
)
"""What else keys do in the prompt: that is no action."""

# A focused text field would take these for itself.
_BEFORE_THE_FIELD = {"ctrl+y", "ctrl+f", "ctrl+d", "pageup", "pagedown"}

ALL: tuple[tuple[str, tuple[Action, ...]], ...] = (
    ("in the prompt", PROMPT_ACTIONS),
    ("everywhere", APP_ACTIONS),
    ("in the chat", ACTIONS),
    ("at a message", MESSAGE_ACTIONS),
    ("at a heading that opens", FOLD_ACTIONS),
    ("in the list of chats", SESSION_ACTIONS),
    ("in the glass box", GLASS_ACTIONS),
    ("at a fact, in the glass box", FACT_ACTIONS),
    ("at a memory, in the glass box", MEMORY_ACTIONS),
    ("between two replies", COMPARE_ACTIONS),
    ("drafting a reply", DRAFT_ACTIONS),
    ("where one of several is picked", PICK_ACTIONS),
    ("where a line is asked for", LINE_ACTIONS),
    ("where something is asked", CONFIRM_ACTIONS),
    ("in the sampling", SAMPLING_ACTIONS),
    ("in the settings", SETTINGS_ACTIONS),
    ("at an import, or the choice of a model", STEP_ACTIONS),
    ("at the training", TRAINING_ACTIONS),
    ("in the first run", FIRST_RUN_ACTIONS),
    ("in this sheet", HELP_ACTIONS),
)
"""Every action, by where it holds."""

BY_ID: Mapping[str, Action] = {action.id: action for _, actions in ALL for action in actions}


def in_force(app: "App[Any]", id: str) -> str:
    """The keys that do it now, as Textual writes several of them; "" where none does."""
    remapped: Mapping[str, str] = getattr(app, "remapped", {})
    return remapped.get(id, BY_ID[id].keys)


def hint(app: "App[Any]", id: str) -> str:
    """The key to name to the user, the first of several: `ctrl+r`, `esc`."""
    first = in_force(app, id).partition(",")[0]
    return "esc" if first == "escape" else first


def bindings(actions: Sequence[Action] = ACTIONS) -> list[BindingType]:
    """The key map of a screen. What has no key is there to be given one."""
    return [
        Binding(
            a.keys or "unbound",
            a.action,
            a.footer or a.title,
            id=a.id,
            show=bool(a.footer),
            priority=a.keys in _BEFORE_THE_FIELD or a.id.startswith(("draft.", "app.")),
            tooltip=f"{a.title}: {a.help}" if a.help else a.title,
        )
        for a in actions
    ]
