"""Times named in a question ("in March 2024", "last spring", "two weeks ago"), resolved by rules.

Small models invent date ranges, so none is asked. English and German. What is found is a stretch of
time that boosts what was said in it; it never hides the rest, for people tell of things later.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = (
    ("january", "jan", "januar", "jaenner", "jänner"), ("february", "feb", "februar"),
    ("march", "mar", "märz", "maerz"),
    ("april", "apr"), ("may", "mai"), ("june", "jun", "juni"), ("july", "jul", "juli"), ("august", "aug"),
    ("september", "sep", "sept"), ("october", "oct", "oktober", "okt"), ("november", "nov"),
    ("december", "dec", "dezember", "dez"),
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_SEASON = {
    "spring": 3, "frühling": 3, "frühjahr": 3, "summer": 6, "sommer": 6, "autumn": 9, "fall": 9, "herbst": 9,
    "winter": 12,
}  # fmt: skip
_WEEKDAYS = (
    ("monday", "montag"), ("tuesday", "dienstag"), ("wednesday", "mittwoch"), ("thursday", "donnerstag"),
    ("friday", "freitag"), ("saturday", "samstag", "sonnabend"), ("sunday", "sonntag"),
)  # fmt: skip
_WEEKDAY = {name: number for number, names in enumerate(_WEEKDAYS) for name in names}
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "couple of": 2, "a couple of": 2, "a few": 3, "ein": 1,
    "eine": 1, "einem": 1, "einer": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6,
}  # fmt: skip
_DAYS_IN = {
    "day": 1, "days": 1, "tag": 1, "tage": 1, "tagen": 1, "week": 7, "weeks": 7, "woche": 7, "wochen": 7,
    "month": 30, "months": 30, "monat": 30, "monate": 30, "monaten": 30, "year": 365, "years": 365,
    "jahr": 365, "jahre": 365, "jahren": 365,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time from a question. start: None is "since ever". end: exclusive. said: its words."""

    start: datetime | None
    end: datetime | None
    said: str


def _any(names: dict[str, int]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_Found = Callable[[re.Match[str], datetime], tuple[datetime, datetime] | None]


def find(text: str, now: datetime) -> list[Span]:
    """The times named in `text`, seen from `now`, in order of appearance; never overlapping.

    "before", "until" open the start; "after", "since" open the end.
    """
    spans: list[tuple[int, Span]] = []
    rest = text
    for pattern, resolve in _RULES:
        for m in pattern.finditer(rest):
            stretch = resolve(m, now)
            if stretch is not None:
                spans.append((m.start(), _opened(stretch, text[: m.start()], m[0].strip())))
                rest = rest[: m.start()] + " " * len(m[0]) + rest[m.end() :]
    return [span for _, span in sorted(spans, key=lambda s: s[0])]


def without(text: str, spans: list[Span]) -> str:
    """`text` with the words that named a time taken out."""
    for span in spans:
        text = text.replace(span.said, " ", 1)
    return text


_BEFORE = re.compile(r"\b(?:before|until|till|by|prior to|vor|bis)\s+(?:the\s+|dem\s+)?$", re.IGNORECASE)
_AFTER = re.compile(r"\b(?:after|since|from|nach|seit|ab)\s+(?:the\s+|dem\s+)?$", re.IGNORECASE)


def _opened(stretch: tuple[datetime, datetime], before: str, said: str) -> Span:
    start, end = stretch
    if _BEFORE.search(before):
        return Span(None, start, said)
    if _AFTER.search(before):
        return Span(start, None, said)
    return Span(start, end, said)


def _day(now: datetime, offset: int = 0) -> tuple[datetime, datetime]:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=offset)
    return start, start + timedelta(days=1)


def _date(now: datetime, year: int, month: int, day: int = 1) -> datetime | None:
    try:
        return now.replace(year=year, month=month, day=day, hour=0, minute=0, second=0, microsecond=0)
    except ValueError:
        return None


def _months(now: datetime, year: int, month: int, count: int = 1) -> tuple[datetime, datetime]:
    first = now.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    last = month - 1 + count
    return first, first.replace(year=year + last // 12, month=last % 12 + 1)


def _full_date(m: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    named = m.groupdict()
    month = int(named["month"]) if named["month"].isdigit() else _MONTH[named["month"].lower()]
    year = int(named["year"]) if named.get("year") else _latest_year(now, month, int(named["day"]))
    start = _date(now, year, month, int(named["day"]))
    return None if start is None else (start, start + timedelta(days=1))


def _latest_year(now: datetime, month: int, day: int = 1) -> int:
    return now.year if (month, day) <= (now.month, now.day) else now.year - 1


def _month(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    month = _MONTH[m["month"].lower()]
    year = m.groupdict().get("year")
    which = (m.groupdict().get("which") or "").lower()
    if which in ("last", "letzten", "letzter", "vergangenen"):
        return _months(now, now.year - (month >= now.month), month)
    return _months(now, int(year) if year else _latest_year(now, month), month)


def _season(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    first = _SEASON[m["season"].lower()]
    if m.groupdict().get("year"):
        return _months(now, int(m["year"]), first, 3)
    which = (m.groupdict().get("which") or "").lower()
    year = now.year if (now.month >= first) else now.year - 1
    start, end = _months(now, year, first, 3)
    if which.startswith(("last", "letzt", "vergangen")) and end > now:
        return _months(now, year - 1, first, 3)
    return start, end


def _year(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    return _months(now, int(m["year"]), 1, 12)


def _ago(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    said = m["count"].lower()
    unit = _DAYS_IN[m["unit"].lower()]
    count = int(said) if said.isdigit() else _NUMBERS[said]
    day, _ = _day(now, -min(count * unit, 365 * 100))
    slack = timedelta(days={1: 0, 7: 4, 30: 16, 365: 120}[unit])
    return day - slack, day + slack + timedelta(days=1)


def _named(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    word = " ".join(m[0].lower().split())
    if word in ("yesterday", "gestern"):
        return _day(now, -1)
    if word in ("the day before yesterday", "vorgestern"):
        return _day(now, -2)
    if word in ("today", "heute"):
        return _day(now)
    today, _ = _day(now)
    if "week" in word or "woche" in word:
        monday = today - timedelta(days=now.weekday())
        start = monday - timedelta(days=0 if word.startswith(("this", "diese")) else 7)
        return start, start + timedelta(days=7)
    earlier = not word.startswith(("this", "diese"))
    if "month" in word or "monat" in word:
        year, month = (now.year, now.month - 1) if earlier else (now.year, now.month)
        return _months(now, *((year, month) if month else (year - 1, 12)))
    return _months(now, now.year - earlier, 1, 12)


def _weekday(m: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    back = (now.weekday() - _WEEKDAY[m["weekday"].lower()]) % 7 or 7
    return _day(now, -back)


def _rule(pattern: str, resolve: _Found) -> tuple[re.Pattern[str], _Found]:
    return re.compile(pattern, re.IGNORECASE), resolve


_M, _S, _W, _N, _U = map(_any, (_MONTH, _SEASON, _WEEKDAY, _NUMBERS, _DAYS_IN))
_Y = r"(?P<year>(?:19|20)\d\d)"
_D = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?"
_LAST = r"(?P<which>last|this|letzte[nrs]?|diese[nrms]?|vergangene[nrs]?)"
_RULES: tuple[tuple[re.Pattern[str], _Found], ...] = (
    _rule(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b", _full_date),
    _rule(rf"\b{_D}\s+(?:of\s+)?(?P<month>{_M})\b\.?(?:,?\s+{_Y}\b)?", _full_date),
    _rule(rf"\b(?P<month>{_M})\.?\s+(?:the\s+)?{_D}\b(?:,?\s+{_Y}\b)?", _full_date),
    _rule(rf"\b(?P<month>{_M})\b\.?,?\s+(?:of\s+)?{_Y}\b", _month),
    _rule(rf"\b{_LAST}\s+(?P<month>{_M})\b", _month),
    _rule(rf"(?:(?<=\bin\s)|(?<=\bim\s)|(?<=\bsince\s)|(?<=\bseit\s))(?P<month>{_M})\b", _month),
    _rule(rf"\b(?P<season>{_S})\s+(?:of\s+)?{_Y}\b", _season),
    _rule(rf"\b{_LAST}\s+(?P<season>{_S})\b", _season),
    _rule(rf"\b(?P<count>\d{{1,3}}|{_N})\s+(?P<unit>{_U})\s+ago\b", _ago),
    _rule(rf"\bvor\s+(?P<count>\d{{1,3}}|{_N})\s+(?P<unit>{_U})\b", _ago),
    _rule(r"\bthe day before yesterday\b|\bvorgestern\b|\byesterday\b|\bgestern\b", _named),
    _rule(r"\btoday\b|\bheute\b", _named),
    _rule(r"\b(?:last|this) (?:week|month|year)\b", _named),
    _rule(r"\b(?:letzte[nrs]?|diese[nrms]?) (?:woche|monat|jahr)\b", _named),
    _rule(rf"\b(?:on|last|am|letzten)\s+(?P<weekday>{_W})\b", _weekday),
    _rule(rf"\b{_Y}\b", _year),
)
