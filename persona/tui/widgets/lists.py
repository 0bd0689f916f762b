"""Lists in Markdown, each as one widget where its items hold nothing but text.

Textual makes four widgets of every item, which a page of long replies pays for at every layout.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.css.styles import RulesMap
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets._markdown import (  # these have no public name
    MarkdownBlock,
    MarkdownBulletList,
    MarkdownList,
    MarkdownListItem,
    MarkdownOrderedList,
    MarkdownParagraph,
)

from persona.tui.widgets.settled import Settled

_UNDER = "\N{NO-BREAK SPACE}"
"""Stands under a mark where its text goes on; no text of a list begins with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A paragraph of an item, behind its mark (`• `), or behind nothing of the same width."""

    mark: str
    text: Content


@dataclass
class Rows(Visual):
    """Rows whose texts wrap beside their marks."""

    rows: Sequence[Row]
    _wrapped: tuple[int, Content] = field(default=(0, Content()))

    def at(self, width: int) -> Content:
        """All of it in lines of so many cells."""
        if self._wrapped[0] != width:
            self._wrapped = (
                width,
                Content("\n").join(line for row in self.rows for line in _lines(row, width)),
            )
        return self._wrapped[1]

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self.at(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return max(len(row.mark) + row.text.get_optimal_width(rules, container_width) for row in self.rows)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.at(width).plain.count("\n") + 1


def _lines(row: Row, width: int) -> Iterator[Content]:
    first, *more = row.text.wrap(max(1, width - len(row.mark))) or [Content()]
    yield Content.styled(row.mark, ".mark") + first
    yield from (_UNDER * len(row.mark) + line for line in more)


def rows_of(block: MarkdownList) -> list[Row] | None:
    """The items of a list, and of those in it; None where one holds code, a quote or a table."""
    items = [item for item in block._blocks if isinstance(item, MarkdownListItem)]
    rows: list[Row] = []
    for item, mark in zip(items, _marks(block, items), strict=True):
        space = " " * len(mark)
        for number, part in enumerate(item._blocks):
            if isinstance(part, MarkdownParagraph):
                rows.append(Row(space if number else mark, part._content))
            elif isinstance(part, MarkdownList) and number and (inner := rows_of(part)) is not None:
                rows += [Row(space + row.mark, row.text) for row in inner]
            else:
                return None
    return rows or None


def _marks(block: MarkdownList, items: Sequence[MarkdownListItem]) -> list[str]:
    if not isinstance(block, MarkdownOrderedList):
        return [item.bullet for item in items]
    first = int(items[0].bullet) if items and items[0].bullet.isdecimal() else 1
    numbers = [f"{number}. " for number in range(first, first + len(items))]
    return [number.rjust(max(map(len, numbers)) + 1) for number in numbers]


class OneWidgetList(MarkdownList, Settled):
    """A list that shows its rows itself where it can."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"mark"}
    DEFAULT_CSS = """
    OneWidgetList { margin: 0 0 1 0; }
    OneWidgetList Horizontal, OneWidgetList Vertical { height: auto; width: 1fr; }
    OneWidgetList > .mark { color: $text-primary; }
    OneWidgetList:light > .mark { color: $text-secondary; }
    """

    def compose(self) -> ComposeResult:
        rows = rows_of(self)
        if rows is None:
            yield from super().compose()
        else:
            self._blocks.clear()
            self.update(Rows(rows))

    async def _update_from_block(self, block: MarkdownBlock) -> None:
        rows = rows_of(block) if isinstance(block, type(self)) and not self.children else None
        if rows is None:
            await super()._update_from_block(block)
        else:
            self._copy_context(block)
            self.update(Rows(rows))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        if not isinstance(self.visual, Rows):
            return super().get_selection(selection)
        selected = selection.extract(self.visual.at(self.content_size.width).plain)
        return _unwrapped(selected), "\n"


def _unwrapped(text: str) -> str:
    first, *lines = text.split("\n")
    return first + "".join(
        " " + line.lstrip(_UNDER) if line.startswith(_UNDER) else "\n" + line for line in lines
    )


class BulletList(OneWidgetList, MarkdownBulletList):
    """A list with bullets."""


class NumberedList(OneWidgetList, MarkdownOrderedList):
    """A list with numbers."""
