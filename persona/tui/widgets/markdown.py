"""Markdown that grows while it is read."""

from markdown_it import MarkdownIt
from textual import events
from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Markdown
from textual.widgets._markdown import MarkdownParagraph
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from knowledge.text import printable
from persona.tui.bubbles import apart, is_burst
from persona.tui.widgets.lists import BulletList, NumberedList
from persona.tui.widgets.settled import Settled


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


class Paragraph(MarkdownParagraph, Settled):
    """A paragraph."""


OURS: dict[str, type[MarkdownBlock]] = {
    "paragraph_open": Paragraph,
    "fence": Code,
    "code_block": Code,
    "bullet_list_open": BulletList,
    "ordered_list_open": NumberedList,
}


class ReplyMarkdown(Markdown, Settled):
    """Untrusted Markdown: control characters are dropped, HTML is text, no link opens by itself.

    bubbles: show messages in a row as such.
    """

    DEFAULT_CSS = """
    ReplyMarkdown { padding: 0; margin: 0; background: transparent; }
    ReplyMarkdown MarkdownFence { margin: 0 0 1 0; }
    ReplyMarkdown.-burst > MarkdownParagraph {
        width: auto; max-width: 100%; padding: 0 1; background: $primary 12%;
    }
    """

    def __init__(self, text: str = "", *, bubbles: bool = False) -> None:
        super().__init__(parser_factory=_parser, open_links=False)
        self._text = printable(text)
        self._bubbles = bubbles
        self.set_class(self._is_burst, "-burst")

    def compose(self) -> ComposeResult:
        """The blocks of what is there from the start, so that they come with the message. Textual would bring
        them later, one message at a time, and lay out the whole page for each."""
        self._theme = self.app.theme
        self._markdown = self._shown
        lines = self._markdown.splitlines()
        self._last_parsed_line = len(lines) - (1 if lines and lines[-1] else 0)
        yield from self._parse_markdown(_parser().parse(self._markdown))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Without the blank line under the last block. A rule for the last child would have Textual look up
        the style of every block anew whenever one is added."""
        height = super().get_content_height(container, viewport, width)
        return height - self.children[-1].styles.margin.bottom if self.children else height

    def on_mount(self, event: events.Mount) -> None:
        event.prevent_default()  # or Textual parses it all again

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        """What shows a block."""
        return OURS.get(block_name) or super().get_block_class(block_name)

    @property
    def code(self) -> str:
        """The last block of code, "" where there is none."""
        blocks = self.query(Code)
        return blocks.last().code if blocks else ""

    @property
    def _is_burst(self) -> bool:
        return self._bubbles and is_burst(self._text)

    @property
    def _shown(self) -> str:
        return apart(self._text) if self._is_burst else self._text

    async def add(self, fragment: str) -> None:
        """Append a piece; only the last block is parsed again, unless the piece changes what the rest is."""
        self._text += printable(fragment)
        self.set_class(self._is_burst, "-burst")
        shown = self._shown
        if shown.startswith(self.source):
            await self.append(shown[len(self.source) :])
        else:
            await self.update(shown)

    async def finish(self, text: str) -> None:
        """Show the whole text, parsed as one: what piecewise parsing got wrong is mended."""
        self._text = printable(text)
        self.set_class(self._is_burst, "-burst")
        await self.update(self._shown)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """A label may hide where it leads: say it, and leave opening it to the reader."""
        event.stop()
        address = printable(event.href)
        self.app.copy_to_clipboard(address)
        self.app.notify(address, title="Link copied", markup=False)

    def on_click(self, event: events.Click) -> None:
        event.stop()
