"""The plain look: no frames, bars or movement, plain characters for signs that a screen reader spells out.

What a sign means is said in words beside it in any case.
"""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_FRAMES = "│┃║╭╮╰╯┌┐└┘├┤┬┴┼▌▐▎▊▁▂▃▄▅▆▇█▔▏▕▀▖▗▘▝━─═╸╺⎯"
_SIGNS = {"▸": "+", "▾": "-", "▴": "^", "■": "*", "✗": "!", "●": " ", "○": " ", "→": ">", "‹": "<", "›": ">"}
_PLAIN = str.maketrans({**dict.fromkeys(_FRAMES, " "), **_SIGNS})


class Plain(LineFilter):
    """Takes frames and signs out of every line, cell by cell, so that nothing moves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The line in plain characters."""
        return [Segment(text.translate(_PLAIN), style, control) for text, style, control in segments]
