"""A line drawn with braille dots, four rows and two columns of them to a cell. Knows nothing of Textual."""

from collections.abc import Sequence
from math import isfinite

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def finite(values: Sequence[float]) -> list[float]:
    """Those that can be drawn: a training that diverges reports losses that are no numbers."""
    return [value for value in values if isfinite(value)]


def line(
    values: Sequence[float], width: int, height: int, scale: tuple[float, float] | None = None
) -> list[str]:
    """`values` in order as `height` lines of `width` cells, the largest at the top; [] for none.

    Only finite ones are drawn. scale: what lies at the bottom and at the top, the least and the largest of
    them unless given.
    """
    values = finite(values)
    if not values or width < 1 or height < 1:
        return []
    across, down = 2 * width, 4 * height
    low, high = scale or (min(values), max(values))
    span = (high - low) or 1.0
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for x in range(across):
        value = values[round(x * (len(values) - 1) / max(1, across - 1))]
        y = round((down - 1) * (high - value) / span)
        # the line is closed upwards and downwards, so that a jump leaves no gap
        first, last = (y, y) if before is None else sorted((before, y))
        for dot in range(first, last + 1):
            cells[dot // 4][x // 2] |= _DOTS[dot % 4][x % 2]
        before = y
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells]
