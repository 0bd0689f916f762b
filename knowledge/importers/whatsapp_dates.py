"""The beginning of a WhatsApp line: date and time in the phone's own format, which the file never names.

All lines of one export have the same shape, so a line of another shape is somebody's text. Whether
the day or the month comes first is inferred from the whole file, and never guessed.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Order = Literal["ymd", "dmy", "mdy"]

_M = "[\u200e\u200f]*"
_HALF = r"[ap]\.?\s?m\.?|上午|下午|오전|오후|午前|午後|[صم]|[πμ]\.?μ\.?|SA|CH|d[eu]\."
_AFTERNOON = ("p", "下午", "오후", "午後", "م", "μ", "CH", "du")
_HEADER = re.compile(
    rf"""{_M}(?P<open>\[)?
    (?P<a>\d{{1,4}}){_M}(?P<sep>[./-][ ]?){_M}(?P<b>\d{{1,2}}){_M}(?P=sep){_M}(?P<c>\d{{1,4}})\.?
    {_M}(?P<comma>,?){_M}\s(?:(?:kl|klo|um|at|às|à|la)\s)?
    (?:(?P<before>{_HALF})\s?)?
    (?P<hour>\d{{1,2}})(?P<colon>[:.])(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d))?
    (?:\s?(?P<half>{_HALF}))?{_M}
    (?(open)\]|\s[-–])(?:[ ]|$)""",
    re.VERBOSE | re.IGNORECASE,
)
_A_JUMP = timedelta(days=1)
"""How far back the next line may lie: phones write some lines out of order, but not by days."""


@dataclass(frozen=True, slots=True)
class Header:
    """Date and time of one line as they stand there. parts: the date's three numbers. rest: what follows."""

    shape: tuple[object, ...]
    parts: tuple[int, int, int]
    year_first: bool
    year_digits: int
    hour: int
    minute: int
    second: int
    rest: str

    def moment(self, order: Order) -> datetime | None:
        """The naive time under this order, None where there is no such time."""
        a, b, c = self.parts
        year, month, day = {"ymd": (a, b, c), "dmy": (c, b, a), "mdy": (c, a, b)}[order]
        try:
            return datetime(
                year if self.year_digits == 4 else 2000 + year,
                month,
                day,
                self.hour,
                self.minute,
                self.second,
            )
        except ValueError:
            return None


def header(line: str) -> Header | None:
    """What stands at the beginning of `line`, None where no date and time stand there."""
    m = _HEADER.match(line)
    if not m:
        return None
    # Korean writes 19. 1. 20.; those who write the year last and blanks after dots write all of it
    year_first = len(m["a"]) == 4 or (m["sep"] == ". " and len(m["c"]) <= 2)
    year = m["a"] if year_first else m["c"]
    if len(year) not in (2, 4) or max(len(m["a"]), len(m["c"])) > max(2, len(year)):
        return None
    half = m["half"] or m["before"]
    bracket = bool(m["open"])
    shape = (bracket, m["sep"], year_first, len(year), m["comma"], m["colon"], bool(m["second"]), bool(half))
    return Header(
        shape,
        (int(m["a"]), int(m["b"]), int(m["c"])),
        year_first,
        len(year),
        _hour(int(m["hour"]), half),
        int(m["minute"]),
        int(m["second"] or 0),
        line[m.end() :],
    )


class DayOrder:
    """Which order the dates of a file have, learned line by line."""

    def __init__(self) -> None:
        self._fixed: Order | None = None
        self._only = {"dmy": 0, "mdy": 0}
        self._back = {"dmy": 0, "mdy": 0}
        self._last: dict[str, datetime] = {}
        self._alike = True

    def add(self, found: Header) -> None:
        """Take one line into account."""
        if found.year_first:
            self._fixed = "ymd"
            return
        if "." in str(found.shape[1]):
            self._fixed = "dmy"  # no locale that writes dots puts the month first (CLDR)
            return
        orders: tuple[Order, ...] = ("dmy", "mdy")
        read = {order: moment for order in orders if (moment := found.moment(order))}
        for order, moment in read.items():
            if len(read) == 1:
                self._only[order] += 1
            if moment < self._last.get(order, moment) - _A_JUMP:
                self._back[order] += 1
            self._last[order] = moment
        if len(set(read.values())) > 1:
            self._alike = False

    def result(self) -> Order | None:
        """The order, None where the file does not tell.

        A number above twelve tells, and so do dates that would run backwards under the other order.
        """
        for told in (self._only, self._turned()):
            if any(told.values()):
                return None if all(told.values()) else "dmy" if told["dmy"] else "mdy"
        return self._fixed or ("dmy" if self._alike else None)

    def _turned(self) -> dict[str, int]:
        """For each order, how often the other one runs backwards."""
        return {"dmy": self._back["mdy"], "mdy": self._back["dmy"]}


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    afternoon = half.lower().startswith(_AFTERNOON) or half.upper() == "CH"
    return hour % 12 + (12 if afternoon else 0) if hour <= 12 else hour
