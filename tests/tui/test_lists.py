"""Lists are one widget, and look, link and copy as Textual's own do."""

import pytest
from textual.app import App, ComposeResult
from textual.selection import SELECT_ALL
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock

from persona.tui.widgets.lists import OneWidgetList
from persona.tui.widgets.markdown import ReplyMarkdown
from tui.conftest import screen_text

LISTS = {
    "bullets": "before\n\n- one *thing*\n- and `another`\n\nbehind",
    "wrapped": "- a line that is too long for so narrow a page and goes on beside its mark\n- short",
    "nested": "- one\n  - in it, which also is too long for so narrow a page\n    1. deeper\n- two",
    "numbers": "9. nine\n10. ten is too long for so narrow a page and goes on under its words\n11. eleven",
    "loose": "- one\n\n  more of one\n\n- two",
    "broken": "- one  \n  goes on\n- two",
    "empty": "- \n- two",
    "quoted": "> - one\n> - two",
    "code": "- one\n\n  ```\n  ls\n  ```\n- two",
    "inner first": "- - inner\n- two",
}


class Textuals(ReplyMarkdown):
    """With Textual's own lists."""

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        return Markdown.get_block_class(self, block_name)


class Page(App[None]):
    """Nothing but a reply."""

    def __init__(self, reply: ReplyMarkdown) -> None:
        super().__init__()
        self.reply = reply

    def compose(self) -> ComposeResult:
        yield self.reply


async def drawn(reply: ReplyMarkdown, *pieces: str) -> str:
    """What is shown of it, with these said after it was there."""
    async with Page(reply).run_test(size=(40, 24)) as pilot:
        for piece in pieces:
            await reply.add(piece)
        await pilot.pause()
        await pilot.pause()
        return screen_text(pilot).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
async def test_a_list_looks_as_textuals_own(text: str) -> None:
    shown = await drawn(ReplyMarkdown(text))
    assert shown.strip()
    assert shown == await drawn(Textuals(text))
    assert shown == await drawn(ReplyMarkdown(), text[:9], text[9:20], text[20:])


@pytest.mark.parametrize("text", [LISTS["nested"], LISTS["numbers"]])
async def test_a_list_is_one_widget(text: str) -> None:
    async with Page(ReplyMarkdown(text)).run_test(size=(40, 24)) as pilot:
        assert [len(found.query("*")) for found in pilot.app.query(OneWidgetList)] == [0]


async def test_what_is_copied_from_a_list_is_not_broken_where_it_wraps() -> None:
    async with Page(ReplyMarkdown(LISTS["wrapped"])).run_test(size=(40, 24)) as pilot:
        copied = pilot.app.query_one(OneWidgetList).get_selection(SELECT_ALL)
        assert copied == (LISTS["wrapped"].replace("- ", "• "), "\n")


async def test_a_link_in_a_list_is_copied_with_a_click() -> None:
    async with Page(ReplyMarkdown("- one\n- [here](https://example.org)")).run_test(size=(40, 24)) as pilot:
        await pilot.click(OneWidgetList, offset=(3, 1))
        await pilot.pause()
        assert pilot.app.clipboard == "https://example.org"
