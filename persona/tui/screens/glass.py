"""The glass box: the exact prompt by section with its tokens, and where every piece comes from."""

from collections.abc import Callable, Iterator
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Static

from persona.backends.base import Usage
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.care import Care
from persona.tui.glass import TOLD_HERE, Glass
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.glass import Around, Remembered, Summarised, Text, told

_BAR = 24
_QUIET = "$foreground 60%"


class GlassScreen(ModalScreen[None]):
    """load: gives what is to be seen, in a worker thread. around: what was said beside a memory.
    care: looks after what is seen."""

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

    def __init__(self, load: Callable[[], Glass], around: Around, care: Care) -> None:
        super().__init__()
        self._load = load
        self._around = around
        self._care = care

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
        for place, facts in glass.facts.items():
            if facts:
                yield _heading(f"facts {place}")
                yield from told(facts, here=place == TOLD_HERE)
        if glass.blocks:
            yield _heading("summaries, down to the turns")
            yield from (Summarised(b) for b in glass.blocks)
        if glass.replies:
            yield _heading("what the model said of earlier prompts")
            lines = [f"turn {t.number}: {_cached(t.usage)}" for t in glass.replies if t.usage]
            yield Text(f"{len(lines):,} replies, the newest first", "\n".join(lines))

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)

    # Looking after it

    async def action_pin(self, fact_id: str) -> None:
        """Have a fact shown in every chat, or no more."""
        await self._cared(await in_thread(self, self._care.pin, fact_id))

    async def action_correct(self, fact_id: str) -> None:
        """Write down what holds in place of a fact."""

        async def corrected(text: str | None) -> None:
            if text is not None:
                await self._cared(await in_thread(self, self._care.correct, fact_id, text))

        old = await in_thread(self, self._care.fact_text, fact_id)
        if old is not None:
            self.app.push_screen(LineScreen("what holds instead", old), corrected)

    async def action_forget_fact(self, fact_id: str) -> None:
        """Take a fact away for good."""
        what = await in_thread(self, self._care.fact_goes_with, fact_id)
        self._forget(partial(self._care.forget_fact, fact_id), what)

    async def action_leave_out(self, memory_id: str) -> None:
        """Show this chat a memory no more."""
        await self._cared(await in_thread(self, self._care.leave_out, memory_id))

    async def action_forget_memory(self, memory_id: str) -> None:
        """Take a memory out of every store for good."""
        what = await in_thread(self, self._care.memory_goes_with, memory_id)
        self._forget(partial(self._care.forget_memory, memory_id), what)

    def _forget(self, forget: Callable[[], str], what: str | None) -> None:
        async def sure(yes: bool | None) -> None:
            if yes:
                await self._cared(await in_thread(self, forget))

        if what is not None:
            self.app.push_screen(ConfirmScreen(f"Forget {what}, for good?"), sure)

    async def _cared(self, said: str | None) -> None:
        """Say what was done, and show things as they are now."""
        if said is not None:
            self.notify(said, markup=False)
            # not here: what is taken off the page may be waiting for this
            self.run_worker(self._show_anew(), exclusive=True)

    async def _show_anew(self) -> None:
        page = self.query_one(VerticalScroll)
        await page.remove_children()
        await page.mount(Static("reading…", id="reading", markup=False))
        await self._show()

    def action_toggle_folds(self) -> None:
        """Open every section, then what came to light in them; close them all once nothing is closed."""
        folds = list(self.query(Fold))
        opened = not all(fold.opened for fold in folds)
        for fold in folds:
            fold.opened = opened

    def action_page(self, by: int) -> None:
        """A page up (-1) or down (1)."""
        page = self.query_one(VerticalScroll)
        page.scroll_page_up(animate=False) if by < 0 else page.scroll_page_down(animate=False)

    def action_help(self) -> None:
        """Show the help sheet."""
        self.app.push_screen(HelpScreen())


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
