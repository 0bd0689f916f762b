"""The memories a reply was given, as a list that opens."""

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from knowledge.records import Memory, Neighbour
from knowledge.text import one_line, printable
from persona.chat.layout import ME, day, told_since
from persona.tui.widgets.fold import Fold

GONE = "no longer there"


class MemoryList(Fold):
    """ "3 memories", and under it each one: when, who, where, how well it matched and why, its words.

    They are fetched when the list is opened for the first time, by `load` in a worker thread.
    """

    DEFAULT_CSS = """
    MemoryList .memory { height: auto; margin: 0 0 1 0; padding: 0 1; border-left: outer $secondary 50%; }
    """

    def __init__(self, count: int, load: Callable[[], Sequence[Memory]]) -> None:
        super().__init__(f"{count} {'memory' if count == 1 else 'memories'}", classes="memories")
        self._load: Callable[[], Sequence[Memory]] | None = load

    def watch_opened(self) -> None:
        super().watch_opened()
        if self.opened and self._load is not None:
            load, self._load = self._load, None
            self.run_worker(self._fetch(load))

    async def _fetch(self, load: Callable[[], Sequence[Memory]]) -> None:
        worker = self.run_worker(load, thread=True)
        memories = await worker.wait()
        rows: list[Widget] = [Static(describe(m), classes="memory", markup=False) for m in memories]
        await self.contents.mount_all(rows or [Static(GONE, markup=False)])
        if self.opened:
            self.post_message(self.Opened(self))


def describe(memory: Memory) -> Content:
    """A memory in a few lines: its citation, its score and reason, and its words with the neighbours'."""
    who = ME if memory.is_self else _clean(memory.author)
    place = f"{_clean(memory.source)} {_clean(memory.conversation)}"
    head = f"[{memory.rank}] {day(memory.sent_at)} · {who} · {place}{_clean(told_since(memory))}"
    return Content("\n").join(
        [
            Content.styled(head, "$secondary"),
            Content.styled(f"score {memory.score:.2f} · {_clean(memory.why)}", "$foreground 55%"),
            *(_neighbour(n) for n in memory.before),
            Content(printable(memory.text)),
            *(_neighbour(n) for n in memory.after),
        ]
    )


def _neighbour(message: Neighbour) -> Content:
    who = ME if message.is_self else _clean(message.author)
    return Content.styled(f"{who}: {_clean(message.text)}", "$foreground 55%")


def _clean(text: str) -> str:
    return one_line(printable(text))
