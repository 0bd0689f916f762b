"""The head of the chat: whose twin, which model, and what is switched on."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from knowledge.text import one_line, printable
from persona.backends.base import ModelInfo

NARROW = 80
"""Below this many cells a screen is narrow: what stands side by side elsewhere stands one above the other."""

STARTER_NOTE = "starter model: a small reader, not a conversationalist"


def model_line(info: ModelInfo) -> str:
    """What a reader should know of the model."""
    if info.is_starter:
        return STARTER_NOTE
    size = info.parameters / 1e6
    amount = f"{size / 1000:.1f} B" if size >= 1000 else f"{size:.1f} M"
    return f"{one_line(printable(info.name))} · {info.architecture} · {amount} parameters"


class Switch(Static):
    """One switch with its state in words; a click flips it."""

    DEFAULT_CSS = """
    Switch { width: auto; height: 1; margin: 0 0 0 2; color: $foreground 55%; pointer: pointer; }
    Switch.-on { color: $foreground; }
    Switch:hover { text-style: underline; }
    """
    ALLOW_SELECT = False

    def __init__(self, name: str, action: str, id: str) -> None:
        super().__init__(id=id, markup=False)
        self._name = name
        self._action = action

    def show(self, on: bool, state: str) -> None:
        """`● memory on`, `○ thinking off`."""
        self.set_class(on, "-on")
        dot = ("● ", "$success") if on else ("○ ", "")
        self.update(Content.assemble(dot, f"{self._name} {state}"))

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.screen.run_action(self._action)


class TwinHeader(Vertical):
    """Two lines on a wide terminal; three on a narrow one, where the switches take one of their own."""

    SCOPED_CSS = False  # the screen knows how wide it is
    DEFAULT_CSS = """
    TwinHeader { dock: top; height: auto; padding: 0 1; background: $surface; }
    TwinHeader #who { height: 1; }
    TwinHeader #twin { width: auto; height: 1; text-style: bold; color: $primary; }
    TwinHeader #switches { width: 1fr; height: 1; align-horizontal: right; }
    TwinHeader #model { height: 1; color: $foreground 60%; text-overflow: ellipsis; text-wrap: nowrap; }
    .-narrow TwinHeader #who { layout: vertical; height: 2; }
    .-narrow TwinHeader #switches { align-horizontal: left; width: 100%; }
    .-narrow TwinHeader Switch { margin: 0 2 0 0; }
    """

    twin: reactive[str] = reactive("")
    partner: reactive[str] = reactive("")
    contrast: reactive[str] = reactive("")
    model: reactive[str] = reactive("")
    thinking: reactive[bool] = reactive(False)
    memory: reactive[bool] = reactive(True)
    compression: reactive[str] = reactive("off")

    def compose(self) -> ComposeResult:
        with Horizontal(id="who"):
            yield Static(id="twin", markup=False)
            with Horizontal(id="switches"):
                yield Switch("thinking", "toggle_thinking", "switch-thinking")
                yield Switch("memory", "toggle_memory", "switch-memory")
                yield Switch("compression", "cycle_compression", "switch-compression")
        yield Static(id="model", markup=False)

    def watch_twin(self) -> None:
        """Whose twin; who the user speaks as; and what two replies are compared in."""
        parts = [Content(one_line(printable(self.twin)))]
        if self.partner:
            parts.append(Content.styled(f" · you are {one_line(printable(self.partner))}", "$secondary"))
        if self.contrast:
            parts.append(Content.styled(f" · A/B: {self.contrast}", "$warning"))
        self.query_one("#twin", Static).update(Content("").join(parts))

    def watch_partner(self) -> None:
        self.watch_twin()

    def watch_contrast(self) -> None:
        self.watch_twin()

    def watch_model(self, model: str) -> None:
        self.query_one("#model", Static).update(Content(model))

    def watch_thinking(self, on: bool) -> None:
        self.query_one("#switch-thinking", Switch).show(on, "on" if on else "off")

    def watch_memory(self, on: bool) -> None:
        self.query_one("#switch-memory", Switch).show(on, "on" if on else "off")

    def watch_compression(self, mode: str) -> None:
        self.query_one("#switch-compression", Switch).show(mode != "off", mode)
