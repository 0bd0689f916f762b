"""Markdown that grows while it is read."""

from markdown_it import MarkdownIt
from textual import events
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from knowledge.text import printable


def _parser() -> MarkdownIt:
    # With HTML on, tags in a reply would vanish instead of being shown.
    return MarkdownIt("gfm-like", {"html": False})


class Code(MarkdownFence):
    """A block of code; a click copies it."""

    DEFAULT_CSS = """
    Code { pointer: pointer; }
    Code:hover { background: $primary 15%; }
    """

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.app.copy_to_clipboard(self.code)
        self.app.notify("The code is on the clipboard.", markup=False)


class ReplyMarkdown(Markdown):
    """Untrusted Markdown: control characters are dropped, HTML is text, no link opens by itself."""

    DEFAULT_CSS = """
    ReplyMarkdown { padding: 0; margin: 0; background: transparent; }
    ReplyMarkdown > MarkdownBlock:last-child { margin-bottom: 0; }
    ReplyMarkdown MarkdownFence { margin: 0 0 1 0; }
    """

    def __init__(self, text: str = "", *, classes: str | None = None) -> None:
        super().__init__(printable(text), parser_factory=_parser, open_links=False, classes=classes)

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        """What shows a block."""
        block = super().get_block_class(block_name)
        return Code if block is MarkdownFence else block

    @property
    def code(self) -> str:
        """The last block of code, "" where there is none."""
        blocks = self.query(Code)
        return blocks.last().code if blocks else ""

    async def add(self, fragment: str) -> None:
        """Append a piece; only the last block is parsed again."""
        await self.append(printable(fragment))

    async def finish(self, text: str) -> None:
        """Show the whole text, parsed as one: what piecewise parsing got wrong is mended."""
        await self.update(printable(text))

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """A label may hide where it leads: say it, and leave opening it to the reader."""
        event.stop()
        address = printable(event.href)
        self.app.copy_to_clipboard(address)
        self.app.notify(address, title="Link copied", markup=False)

    def on_click(self, event: events.Click) -> None:
        event.stop()
