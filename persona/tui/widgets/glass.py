"""What opens in the glass box: a piece of the prompt, a memory, a fact, a summary."""

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from knowledge.facts import Fact
from knowledge.records import Memory, StoredMessage
from knowledge.text import one_line, printable
from persona.chat.layout import ME, day
from persona.tui import keys
from persona.tui.calls import in_thread
from persona.tui.glass import Block
from persona.tui.widgets.fold import Fold
from persona.tui.widgets.links import links
from persona.tui.widgets.memories import GONE, describe

AROUND = 3
"""Messages shown before and after a memory."""

LISTED = 12
"""Facts of one kind shown at once."""

_QUIET = "$foreground 60%"

Around = Callable[[str, int, int], Sequence[StoredMessage]]


class Text(Fold):
    """A title, and under it text as it is."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self._text = text

    def compose_contents(self) -> Sequence[Widget]:
        return [Static(Content(printable(self._text)), classes="verbatim", markup=False)]


class Remembered(Fold):
    """A memory: where it is from, why it was chosen, its words, and what was said around it."""

    ACTIONS = keys.MEMORY_ACTIONS
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
            ("forget", f"screen.forget_memory({id!r})"),
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
    """A fact: what it says, where and when it was told, and what can be done about it.

    here: whether in this chat.
    """

    ACTIONS = keys.FACT_ACTIONS
    BINDINGS = keys.bindings(keys.FACT_ACTIONS)

    def __init__(self, fact: Fact, *, here: bool) -> None:
        marks = [mark for mark, on in (("pinned", fact.pinned), ("corrected", fact.corrects)) if on]
        said = f"{fact.subject}: {fact.dated}" if fact.subject else fact.dated
        place = f"turn {fact.number}" if here else "another chat" if fact.session_id else "the archive"
        when = day(fact.told_at.astimezone())
        super().__init__(one_line(printable(" · ".join([*marks, said, f"{place}, {when}"]))))
        self._fact = fact

    def compose_contents(self) -> Sequence[Widget]:
        id = self._fact.id
        return [
            *(Static(printable(quote), classes="verbatim", markup=False) for quote in self._fact.quotes),
            Static(
                links(
                    ("unpin" if self._fact.pinned else "pin", f"screen.pin({id!r})"),
                    ("correct", f"screen.correct({id!r})"),
                    ("forget", f"screen.forget_fact({id!r})"),
                )
            ),
        ]

    async def action_care(self, action: str) -> None:
        """What a key on this fact does."""
        await self.screen.run_action(f"screen.{action}({self._fact.id!r})")


class MoreFacts(Fold):
    """Facts that are listed only once they are wanted."""

    def __init__(self, facts: Sequence[Fact], *, here: bool) -> None:
        super().__init__(f"{len(facts):,} more")
        self._facts: Sequence[Fact] | None = facts
        self._here = here

    def watch_opened(self) -> None:
        super().watch_opened()
        if self.opened and self._facts is not None:
            facts, self._facts = self._facts, None
            self.contents.mount_all(told(facts, here=self._here))


def told(facts: Sequence[Fact], *, here: bool) -> list[Widget]:
    """The first of `facts`, and the rest behind a fold: an archive tells thousands."""
    rest = facts[LISTED:]
    more = [MoreFacts(rest, here=here)] if rest else []
    return [*(Told(fact, here=here) for fact in facts[:LISTED]), *more]


class Summarised(Fold):
    """A summary: its words, the summaries it replaced, and the turns that were folded into it."""

    def __init__(self, block: Block) -> None:
        s = block.summary
        which = (
            f"turn {s.first_turn}"
            if s.first_turn == s.last_turn
            else f"turns {s.first_turn} to {s.last_turn}"
        )
        place = " · in this prompt" if block.in_prompt else " · not in this prompt"
        # said only where it is not to be expected of one in force, or of one that was replaced
        super().__init__(
            f"{which} · {s.strategy}, level {s.level}{place if block.in_prompt != s.in_force else ''}"
        )
        self._block: Block | None = block

    def watch_opened(self) -> None:
        super().watch_opened()
        # only now: a long chat has more turns under its summaries than anybody opens
        if self.opened and self._block is not None:
            block, self._block = self._block, None
            self.contents.mount_all(self._under(block))

    @staticmethod
    def _under(block: Block) -> list[Widget]:
        words = Static(Content(printable(block.summary.text)), classes="verbatim", markup=False)
        numbers = sorted({turn.number for turn in block.turns})
        turns = [
            Text(f"turn {n}" if n in block.cited else f"turn {n} · not cited", _said(block, n))
            for n in numbers
        ]
        return [words, *(Summarised(under) for under in block.replaced), *turns]


def _said(block: Block, number: int) -> str:
    who = {"user": "you", "assistant": "twin"}
    return "\n".join(f"{who[turn.role]}: {turn.text}" for turn in block.turns if turn.number == number)


def _line(message: StoredMessage, is_it: bool) -> Content:
    who = ME if message.is_self else message.author
    when = message.sent_at
    head = (f"{day(when)}, {when:%H:%M} {one_line(printable(who))}: ", "$secondary")
    return Content.assemble(head, (printable(message.text), "bold" if is_it else ""))
