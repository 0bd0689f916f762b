"""Line plots as SVG text, for a page that loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 40, 12, 36
COLOURS = ("#3b6fd4", "#d4673b", "#2f9e6e", "#9a55c9", "#b58a00", "#c43b6f", "#2d93a8", "#6b6b6b")


@dataclass(frozen=True, slots=True)
class Point:
    """One value; low and high: its interval, None where it has none."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one arm, in order of x. place: its number among the arms, which gives its colour."""

    name: str
    points: Sequence[Point]
    place: int


def line_plot(
    series: Sequence[Series],
    *,
    x_label: str,
    top: float | None = None,
    ticks: Sequence[tuple[float, str]] = (),
) -> str:
    """One plot. top: the highest y shown, the largest value when left out. ticks: of the x axis, with
    their names; round numbers when left out. "" when there is nothing to draw."""
    points = [p for s in series for p in s.points]
    if not points:
        return ""
    highest = top or max(max(p.y, p.high or 0.0) for p in points) or 1.0
    first, last = min(p.x for p in points), max(p.x for p in points)
    span = (last - first) or 1.0

    def across(x: float) -> float:
        return round(LEFT + (x - first) / span * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - min(y, highest) / highest * (HEIGHT - TOP - BOTTOM), 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(x_label)}">']
    for y in _round_numbers(0.0, highest):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y)}" y2="{up(y)}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(y) + 4}" text-anchor="end">{y:g}</text>')
    for x, name in ticks or [(x, f"{x:g}") for x in _round_numbers(first, last)]:
        parts.append(
            f'<text x="{across(x)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(name)}</text>'
        )
    parts.append(f'<text x="{WIDTH // 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    for one in series:
        colour = COLOURS[one.place % len(COLOURS)]
        # arms that agree would hide one another: each is dashed in its own way
        dashes = f"{8 + 3 * one.place} {2 * one.place}" if one.place else "none"
        path = " ".join(f"{across(p.x)},{up(p.y)}" for p in one.points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8" '
            f'stroke-dasharray="{dashes}"><title>{escape(one.name)}</title></polyline>'
        )
        for p in one.points:
            x = across(p.x) + 3 * one.place
            if p.low is not None and p.high is not None:
                ends = f'y1="{up(p.low)}" y2="{up(p.high)}"'
                parts.append(f'<line x1="{x}" x2="{x}" {ends} stroke="{colour}"/>')
                parts.append(f'<circle cx="{x}" cy="{up(p.y)}" r="3" fill="{colour}"/>')
    return "".join([*parts, "</svg>"])


def _round_numbers(low: float, high: float) -> list[float]:
    """Four to eight multiples of 1, 2 or 5 times a power of ten in [low, high]."""
    span = (high - low) or 1.0
    power = 10 ** floor(log10(span / 4))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= 8)
    return [round(n * step, 10) for n in range(ceil(low / step), floor(high / step) + 1)]
