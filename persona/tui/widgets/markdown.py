"""Markdown that grows while it is read."""

from markdown_it import MarkdownIt
from textual import events
from textual.widgets import Markdown

from knowledge.text import printable


def _parser() -> MarkdownIt:
    # With HTML on, tags in a reply would vanish instead of being shown.
    return MarkdownIt("gfm-like", {"html": False})


class ReplyMarkdown(Markdown):
    """Untrusted Markdown: control characters are dropped, HTML is text, no link opens by itself."""

    DEFAULT_CSS = """
    ReplyMarkdown { padding: 0; margin: 0; background: transparent; }
    ReplyMarkdown > MarkdownBlock:last-child { margin-bottom: 0; }
    ReplyMarkdown MarkdownFence { margin: 0 0 1 0; }
    """

    def __init__(self, text: str = "", *, classes: str | None = None) -> None:
        super().__init__(printable(text), parser_factory=_parser, open_links=False, classes=classes)

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
