"""The line under the chat: how full the context is, and how fast the last reply came."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from persona.backends.base import Usage
from persona.tui.widgets.header import NARROW

_FULL, _EMPTY = "━", "─"


class StatusBar(Static):
    """`context ━━━─────── 423 / 1,664 tokens · 31 tokens/s · first word 0.4 s`."""

    DEFAULT_CSS = """
    StatusBar { height: 1; padding: 0 1; color: $foreground 60%; background: $surface; }
    """

    used: reactive[int] = reactive(0)
    budget: reactive[int] = reactive(0)
    usage: reactive[Usage | None] = reactive(None)
    doing: reactive[str] = reactive("")
    indexing: reactive[str] = reactive("")

    def render(self) -> Content:
        narrow = self.size.width < NARROW
        parts = [self._meter(narrow)] if self.budget else []
        # what is going on now comes before what was: the end of the line may be cut off
        parts += [Content.styled(text, "$primary") for text in (self.doing, self.indexing) if text]
        if self.usage is not None:
            parts.append(Content(_speed(self.usage, narrow)))
        return Content(" · ").join(parts)

    def _meter(self, narrow: bool) -> Content:
        width = 8 if narrow else 14
        share = min(1.0, self.used / self.budget)
        full = max(1, round(width * share)) if self.used else 0
        colour = "$error" if share > 0.95 else "$warning" if share > 0.75 else "$success"
        label = "" if narrow else "context "
        amount = f" {self.used:,}/{self.budget:,}" if narrow else f" {self.used:,} of {self.budget:,} tokens"
        return Content.assemble(
            label, (_FULL * full, colour), (_EMPTY * (width - full), "$foreground 25%"), amount
        )


def _speed(usage: Usage, narrow: bool) -> str:
    first = usage.ttft_ms / 1000
    if narrow:
        return f"{usage.tokens_per_second:.0f} tok/s · {first:.1f} s"
    return f"{usage.tokens_per_second:.0f} tokens/s · first word after {first:.1f} s"
