"""The glass box: the exact prompt by section with its tokens, and where every piece comes from."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Static

from knowledge.facts import Fact
from knowledge.records import Memory, StoredMessage
from knowledge.text import one_line, printable
from persona.backends.base import Usage
from persona.chat.layout import ME, day
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.care import Care
from persona.tui.glass import Block, Glass
from persona.tui.screens.confirm import ConfirmScreen
from persona.tui.screens.help import HelpScreen
from persona.tui.screens.line import LineScreen
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.links import links
from persona.tui.widgets.memories import GONE, describe

AROUND = 3
"""Messages shown before and after a memory."""

_BAR = 24
_QUIET = "$foreground 60%"

Around = Callable[[str, int, int], Sequence[StoredMessage]]


class GlassScreen(ModalScreen[None]):
    """load: gives what is to be seen, in a worker thread. around: the messages beside an archived one.
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
        if glass.facts:
            yield _heading("facts told in this chat")
            yield from (Told(f) for f in glass.facts)
        if glass.blocks:
            yield _heading("summaries, and the turns they cite")
            yield from (Summarised(b) for b in glass.blocks)

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

    def action_forget_fact(self, fact_id: str) -> None:
        """Take a fact away for good."""
        self._forget(partial(self._care.forget_fact, fact_id), "this fact and the sentence that tells it")

    async def action_leave_out(self, message_id: str) -> None:
        """Show this chat a memory no more."""
        await self._cared(await in_thread(self, self._care.leave_out, message_id))

    def action_forget_message(self, message_id: str) -> None:
        """Take a message out of every store for good."""
        self._forget(partial(self._care.forget_message, message_id), "this message, in every store")

    def _forget(self, forget: Callable[[], str], what: str) -> None:
        async def sure(yes: bool | None) -> None:
            if yes:
                await self._cared(await in_thread(self, forget))

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

    BINDINGS = keys.bindings(keys.MEMORY_ACTIONS)

    def __init__(self, memory: Memory, around: Around) -> None:
        who = ME if memory.is_self else memory.author
        place = f"{memory.source} {memory.conversation}"
        head = f"[{memory.rank}] {memory.score:.2f} · {day(memory.sent_at)} · {who} · {place}"
        super().__init__(one_line(printable(head)))
        self._memory = memory
        self._around: Around | None = around

    def compose_contents(self) -> Sequence[Widget]:
        id = self._memory.id
        can = links(
            ("leave out of this chat", f"screen.leave_out({id!r})"),
            ("forget", f"screen.forget_message({id!r})"),
        )
        return [Static(describe(self._memory), classes="verbatim", markup=False), Static(can)]

    async def action_care(self, action: str) -> None:
        """What a key on this memory does."""
        await self.screen.run_action(f"screen.{action}({self._memory.id!r})")

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


class Told(Fold):
    """A fact: what it says, when it was told, and what can be done about it."""

    BINDINGS = keys.bindings(keys.FACT_ACTIONS)

    def __init__(self, fact: Fact) -> None:
        mark = "pinned · " if fact.pinned else ""
        corrected = "corrected · " if fact.corrects else ""
        when = day(fact.told_at.astimezone())
        super().__init__(one_line(printable(f"{mark}{corrected}{fact.dated} · turn {fact.number}, {when}")))
        self._fact = fact

    def compose_contents(self) -> Sequence[Widget]:
        id = self._fact.id
        return [
            Static(
                links(
                    ("unpin" if self._fact.pinned else "pin", f"screen.pin({id!r})"),
                    ("correct", f"screen.correct({id!r})"),
                    ("forget", f"screen.forget_fact({id!r})"),
                )
            )
        ]

    async def action_care(self, action: str) -> None:
        """What a key on this fact does."""
        await self.screen.run_action(f"screen.{action}({self._fact.id!r})")


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
