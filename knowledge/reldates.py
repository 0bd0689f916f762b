"""Relative dates in what somebody writes ("yesterday", "next Friday", "in two weeks"), resolved when it was
written, by rules: read again a month later they would be false. English and German.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta

_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_WEEKDAYS_DE = "montag dienstag mittwoch donnerstag freitag samstag sonntag".split()
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
            "eight": 8, "nine": 9, "ten": 10, "ein": 1, "eine": 1, "einem": 1, "einer": 1, "zwei": 2,
            "drei": 3, "vier": 4}  # fmt: skip
_DAY = {"today": 0, "tonight": 0, "this morning": 0, "this evening": 0, "heute": 0, "yesterday": -1,
        "last night": -1, "gestern": -1, "tomorrow": 1, "morgen früh": 1, "the day before yesterday": -2,
        "vorgestern": -2, "the day after tomorrow": 2, "übermorgen": 2}  # fmt: skip


def resolved(text: str, now: datetime) -> str:
    """`text` with what each relative date means behind it in brackets.

        I moved to Porto yesterday. -> I moved to Porto yesterday (20 November 2026).

    now: when `text` was written, in its author's time zone.
    """
    notes: dict[int, str] = {}
    taken = text
    for pattern, meaning in _RULES:
        for match in pattern.finditer(taken):
            said = meaning(match, now.date())
            if said and not text[match.end() :].lstrip().startswith("("):
                notes[match.end()] = f" ({said})"
            taken = taken[: match.start()] + "\0" * len(match[0]) + taken[match.end() :]
    for end in sorted(notes, reverse=True):
        text = text[:end] + notes[end] + text[end:]
    return text


def _written(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _named_day(match: re.Match[str], today: date) -> str:
    return _written(today + timedelta(days=_DAY[" ".join(match[0].lower().split())]))


def _weekday(match: re.Match[str], today: date) -> str:
    name = match["weekday"].lower()
    number = _WEEKDAYS.index(name) if name in _WEEKDAYS else _WEEKDAYS_DE.index(name)
    ahead = (number - today.weekday()) % 7 or 7
    return _written(today + timedelta(days=ahead - (7 if _is_past(match["which"]) else 0)))


def _stretch(match: re.Match[str], today: date) -> str:
    unit, step = match["unit"].lower(), -1 if _is_past(match["which"]) else 1
    if match["which"].lower().startswith(("this", "dies")):
        step = 0
    if unit in ("week", "woche"):
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=step)
        return f"the week of {_written(monday)}"
    if unit in ("month", "monat"):
        first = _months_on(today.replace(day=1), step)
        return f"{_MONTHS[first.month - 1]} {first.year}"
    return str(today.year + step)


def _counted(match: re.Match[str], today: date) -> str:
    said, unit = match["count"].lower(), match["unit"].lower()
    count = int(said) if said.isdigit() else _NUMBERS[said]
    count *= -1 if "ago" in match[0].lower() or match[0].lower().startswith("vor") else 1
    if unit.startswith(("day", "tag")):
        return _written(today + timedelta(days=count))
    if unit.startswith(("week", "woche")):
        return f"about {_written(today + timedelta(weeks=count))}"
    if unit.startswith(("month", "monat")):
        there = _months_on(today, count)
        return f"about {_MONTHS[there.month - 1]} {there.year}"
    return f"about {today.year + count}"


def _months_on(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def _is_past(which: str) -> bool:
    return which.lower().startswith(("last", "letzt", "vergangen"))


_Meaning = Callable[[re.Match[str], date], str]


def _rule(pattern: str, meaning: _Meaning) -> tuple[re.Pattern[str], _Meaning]:
    return re.compile(pattern, re.IGNORECASE), meaning


_ANY_DAY = "|".join(_WEEKDAYS + _WEEKDAYS_DE)
_ANY_NUMBER = "|".join(_NUMBERS)
_WHICH = r"(?P<which>last|next|letzte[nrs]?|nächste[nrs]?|vergangene[nrs]?|kommende[nrs]?)"
_WHICH_OR_THIS = _WHICH.replace("last|", "last|this|diese[nrs]?|")
_UNIT = r"(?P<unit>days?|weeks?|months?|years?|tag(?:en?)?|wochen?|monat(?:en?)?|jahr(?:en?)?)"
_COUNT = rf"(?P<count>\d{{1,2}}|{_ANY_NUMBER})"
_RULES = (
    _rule(r"\b" + "|".join(sorted((rf"{d}\b" for d in _DAY), key=len, reverse=True)).replace("|", r"|\b"),
          _named_day),
    _rule(rf"\b{_WHICH}\s+(?P<weekday>{_ANY_DAY})\b", _weekday),
    _rule(rf"\b{_WHICH_OR_THIS}\s+(?P<unit>week|month|year|woche|monat|jahr)\b", _stretch),
    _rule(rf"\b{_COUNT}\s+{_UNIT}\s+ago\b", _counted),
    _rule(rf"\bvor\s+{_COUNT}\s+{_UNIT}\b", _counted),
    _rule(rf"\bin\s+{_COUNT}\s+{_UNIT}\b(?!\s+(?:of|time\b\w))", _counted),
)  # fmt: skip
