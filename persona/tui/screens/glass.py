"""The glass box: the exact prompt by section with its tokens, and where every piece comes from."""

from collections.abc import Callable, Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Static

from knowledge.records import Memory, StoredMessage
from knowledge.text import one_line, printable
from persona.backends.base import Usage
from persona.chat.layout import ME, day
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.glass import Block, Glass
from persona.tui.screens.help import HelpScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.memories import GONE, describe

AROUND = 3
"""Messages shown before and after a memory."""

_BAR = 24
_QUIET = "$foreground 60%"

Around = Callable[[str, int, int], Sequence[StoredMessage]]


class GlassScreen(ModalScreen[None]):
    """load: gives what is to be seen, in a worker thread. around: the messages beside an archived one."""

    ACTIONS = keys.GLASS_ACTIONS
    BINDINGS = keys.bindings(keys.GLASS_ACTIONS)
    DEFAULT_CSS = """
    GlassScreen { background: $background; }
    GlassScreen > VerticalScroll {
        height: 1fr; padding: 0 1; border: round $primary; border-title-color: $primary;
        border-subtitle-color: $foreground 60%;
    }
    GlassScreen Static { height: auto; }
    GlassScreen .heading { margin: 1 0 0 0; color: $secondary; text-style: bold; }
    GlassScreen .verbatim { border-left: outer $secondary 50%; padding: 0 1; margin: 0 0 1 0; }
    GlassScreen Footer { background: $surface; }
    """

    def __init__(self, load: Callable[[], Glass], around: Around) -> None:
        super().__init__()
        self._load = load
        self._around = around

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as page:
            page.border_title = "glass box"
            yield Static("reading…", id="reading", markup=False)
        yield Footer(compact=True)

    async def on_mount(self) -> None:
        self.run_worker(self._show())

    async def _show(self) -> None:
        glass = await in_thread(self, self._load)
        if glass is None:
            self.dismiss(None)
            return
        page = self.query_one(VerticalScroll)
        page.border_subtitle = glass.heading
        await self.query_one("#reading").remove()
        await page.mount_all(list(self._parts(glass)))
        self.query(Fold).first().query_one("FoldTitle").focus()

    def _parts(self, glass: Glass) -> Iterator[Widget]:
        ready = glass.ready
        yield Static(figures(glass), markup=False)
        yield _heading("the prompt, in its order")
        for section in ready.prompt.sections:
            tokens = ready.section_tokens.get(section.name, 0)
            yield Text(share_line(section.name, tokens, ready.tokens), section.text)
        yield Static(
            Content.styled(f"  {share_line('template', glass.around, ready.tokens)}", _QUIET), markup=False
        )
        if glass.memories:
            yield _heading("memories, best first")
            yield from (Remembered(m, self._around) for m in glass.memories)
        if glass.blocks:
            yield _heading("summaries, and the turns they cite")
            yield from (Summarised(b) for b in glass.blocks)

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)

    def action_toggle_folds(self) -> None:
        """Open every section, or close them all."""
        folds = list(self.query(Fold))
        opened = not any(fold.opened for fold in folds)
        for fold in folds:
            fold.opened = opened

    def action_page(self, by: int) -> None:
        """A page up (-1) or down (1)."""
        page = self.query_one(VerticalScroll)
        page.scroll_page_up(animate=False) if by < 0 else page.scroll_page_down(animate=False)

    def action_help(self) -> None:
        """Show the help sheet."""
        self.app.push_screen(HelpScreen())


class Text(Fold):
    """A title, and under it text as it is."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self._text = text

    def compose_contents(self) -> Sequence[Widget]:
        return [Static(Content(printable(self._text)), classes="verbatim", markup=False)]


class Remembered(Fold):
    """A memory: its place in the archive, why it was chosen, its words, and what was said around it."""

    def __init__(self, memory: Memory, around: Around) -> None:
        who = ME if memory.is_self else memory.author
        place = f"{memory.source} {memory.conversation}"
        head = f"[{memory.rank}] {memory.score:.2f} · {day(memory.sent_at)} · {who} · {place}"
        super().__init__(one_line(printable(head)))
        self._memory = memory
        self._around: Around | None = around

    def compose_contents(self) -> Sequence[Widget]:
        return [Static(describe(self._memory), classes="verbatim", markup=False)]

    def watch_opened(self) -> None:
        super().watch_opened()
        if self.opened and self._around is not None:
            around, self._around = self._around, None
            self.run_worker(self._fetch(around))

    async def _fetch(self, around: Around) -> None:
        found = await in_thread(self.screen, around, self._memory.id, AROUND, AROUND)
        lines = [_line(m, m.id == self._memory.id) for m in found or ()]
        told = Content("\n").join(lines) if lines else Content(GONE)
        await self.contents.mount(
            Static(Content.styled("the conversation around it", _QUIET), markup=False),
            Static(told, classes="verbatim around", markup=False),
        )


class Summarised(Fold):
    """A summary: its words, and each turn they cite."""

    def __init__(self, block: Block) -> None:
        s = block.summary
        since = "" if block.in_prompt else " · not in this prompt"
        which = (
            f"turn {s.first_turn}"
            if s.first_turn == s.last_turn
            else f"turns {s.first_turn} to {s.last_turn}"
        )
        super().__init__(f"{which} · {s.strategy}, level {s.level}{since}")
        self._block = block

    def compose_contents(self) -> Sequence[Widget]:
        summary = Static(Content(printable(self._block.summary.text)), classes="verbatim", markup=False)
        numbers = sorted({t.number for t in self._block.cited})
        return [summary, *(Text(f"turn {n}", self._turn(n)) for n in numbers)]

    def _turn(self, number: int) -> str:
        who = {"user": "you", "assistant": "twin"}
        return "\n".join(f"{who[t.role]}: {t.text}" for t in self._block.cited if t.number == number)


def figures(glass: Glass) -> Content:
    """Tokens against their budgets, and how much of the prompt the engine still knew."""
    ready = glass.ready
    lines = [f"{ready.tokens:,} of {ready.budget:,} tokens"]
    if (b := ready.shares) is not None:
        lines.append(f"window {b.window:,} = {b.prompt:,} for the prompt + {b.reply:,} kept for the reply")
        lines.append(
            f"in it: {b.base:,} fixed, up to {b.memory:,} for memories, up to {b.history:,} for history"
        )
    lines.append(
        _cached(glass.usage) if glass.usage else "not sent: nothing is cached or counted by the model"
    )
    return Content("\n").join(Content.styled(line, "" if n == 0 else _QUIET) for n, line in enumerate(lines))


def _cached(usage: Usage) -> str:
    whole = _percent(usage.cached_tokens, usage.prompt_tokens)
    text = f"cached: {usage.cached_tokens:,} of {usage.prompt_tokens:,} tokens ({whole})"
    if usage.stable_tokens:
        stable = min(usage.cached_tokens, usage.stable_tokens)
        text += f", {_percent(stable, usage.stable_tokens)} of what stays the same from turn to turn"
    return text


def share_line(name: str, tokens: int, total: int) -> str:
    """`memories        ━━━━──────  120  28%`."""
    full = round(_BAR * tokens / total) if total else 0
    bar = "━" * full + "─" * (_BAR - full)
    return f"{name:<15}{bar} {tokens:>6,} {_percent(tokens, total):>4}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "0%"


def _heading(text: str) -> Static:
    return Static(text, classes="heading", markup=False)


def _line(message: StoredMessage, is_it: bool) -> Content:
    who = ME if message.is_self else message.author
    when = message.sent_at
    head = (f"{day(when)}, {when:%H:%M} {one_line(printable(who))}: ", "$secondary")
    return Content.assemble(head, (printable(message.text), "bold" if is_it else ""))
