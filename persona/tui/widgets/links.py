"""Words that do something when they are clicked."""

from textual.content import Content
from textual.style import Style


def link(word: str, action: str) -> Content:
    """`word`, in the colour of links. action: as Textual writes it, `screen.fork`."""
    return Content.styled(word, "$primary").stylize(Style.from_meta({"@click": action}))


def links(*words: tuple[str, str]) -> Content:
    """Several of them in a row, each with its action. A frame can hold them, too."""
    return Content.styled("  ·  ", "$foreground 30%").join([link(*word) for word in words])
