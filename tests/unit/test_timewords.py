"""Times named in questions, seen from Saturday 21 November 2026."""

from datetime import UTC, datetime

import pytest

from knowledge import timewords

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)


def days(text: str) -> tuple[str, str]:
    (span,) = timewords.find(text, NOW)
    return (str(span.start.date()) if span.start else "", str(span.end.date()) if span.end else "")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("What happened in March 2025?", "2025-03-01", "2025-04-01"),
        ("What happened in december 2025", "2025-12-01", "2026-01-01"),
        ("Was war im März 2025?", "2025-03-01", "2025-04-01"),
        ("what did you do in May?", "2026-05-01", "2026-06-01"),
        ("was hast du im Dezember gemacht", "2025-12-01", "2026-01-01"),
        ("on 3 May", "2026-05-03", "2026-05-04"),
        ("on the 3rd of May 2025", "2025-05-03", "2025-05-04"),
        ("am 3. Mai 2025", "2025-05-03", "2025-05-04"),
        ("on December 24th", "2025-12-24", "2025-12-25"),
        ("on May 3, 2025", "2025-05-03", "2025-05-04"),
        ("2024-02-29 it was", "2024-02-29", "2024-03-01"),
        ("what did I say yesterday?", "2026-11-20", "2026-11-21"),
        ("vorgestern?", "2026-11-19", "2026-11-20"),
        ("two weeks ago you said", "2026-11-03", "2026-11-12"),
        ("vor zwei Wochen", "2026-11-03", "2026-11-12"),
        ("3 days ago", "2026-11-18", "2026-11-19"),
        ("last week", "2026-11-09", "2026-11-16"),
        ("this week", "2026-11-16", "2026-11-23"),
        ("letzten Monat", "2026-10-01", "2026-11-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("dieses Jahr", "2026-01-01", "2027-01-01"),
        ("last spring", "2026-03-01", "2026-06-01"),
        ("letzten Herbst", "2025-09-01", "2025-12-01"),
        ("in the summer of 2025", "2025-06-01", "2025-09-01"),
        ("last winter", "2025-12-01", "2026-03-01"),
        ("last March", "2026-03-01", "2026-04-01"),
        ("last Friday", "2026-11-20", "2026-11-21"),
        ("on Saturday", "2026-11-14", "2026-11-15"),
        ("in 2024", "2024-01-01", "2025-01-01"),
        ("before March 2025", "", "2025-03-01"),
        ("until 2025", "", "2025-01-01"),
        ("vor dem 3. Mai 2025", "", "2025-05-03"),
        ("since March", "2026-03-01", ""),
        ("after June 2025", "2025-06-01", ""),
    ],
)
def test_a_named_time_is_a_stretch_of_days(text: str, start: str, end: str) -> None:
    assert days(text) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "May I ask you something?",
        "you may march on",
        "what is your dog called",
        "she is my second sister",
        "order 20245 and 12025",
    ],
)
def test_no_time_is_made_up(text: str) -> None:
    assert timewords.find(text, NOW) == []


def test_a_day_that_does_not_exist_is_no_time() -> None:
    found = timewords.find("on 31 February 2025", NOW)
    assert [str(s.start and s.start.date()) for s in found] == ["2025-02-01"]


def test_several_times_come_in_order_and_leave_the_rest_of_the_question() -> None:
    text = "Did you move between March 2025 and last week?"
    spans = timewords.find(text, NOW)
    assert [s.said for s in spans] == ["March 2025", "last week"]
    assert timewords.without(text, spans).split() == ["Did", "you", "move", "between", "and", "?"]
