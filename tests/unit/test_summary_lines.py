"""The lines of a summary: read, written, and dropped when their turns do not hold them."""

from datetime import UTC, datetime

import pytest

from persona.chat.lines import Line, by_number, grounded, parse
from persona.chat.store import Turn, TurnRole


def turn(number: int, text: str, role: TurnRole = "user") -> Turn:
    when = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return Turn(f"t-{number}-{role}", "s-1", number, role, text, "", "complete", when)


SAID = by_number(
    [
        turn(3, "My sister Lena moved to Porto yesterday, the rent is 640 euros."),
        turn(3, "Tell Lena hello from Jonas!", "assistant"),
        turn(4, "ich wohne jetzt in der Goethestraße 12"),
    ]
)


def test_lines_are_read_and_written() -> None:
    text = "Sure!\n- (turn 3) user: Lena moved\n* (Turns 3, 4)   both  moved\n- turn 3: no\n(turn 4) ME: hi\n"
    lines = parse(text)
    assert lines == [
        Line((3,), "user", "Lena moved"),
        Line((3, 4), None, "both moved"),
        Line((4,), "me", "hi"),
    ]
    assert [str(line) for line in lines] == [
        "- (turn 3) user: Lena moved",
        "- (turns 3, 4) both moved",
        "- (turn 4) me: hi",
    ]
    assert parse("\n".join(map(str, lines))) == lines


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("- (turn 3) user: My sister Lena moved to Porto.", True),
        ("- (turn 3) user: sister Lena moved on 20 November 2026", True),
        ("- (turn 3) Lena pays 640 euros of rent", True),
        ("- (turns 3, 4) Lena's rent is 640, Goethestraße 12", True),
        ("- (turn 3) user: Lena moved to Lisbon", False),
        ("- (turn 3) user: the rent is 650 euros", False),
        ("- (turn 3) user: Jonas and Lena moved to Porto", False),
        ("- (turn 3) me: Jonas says hello to Lena", True),
        ("- (turn 4) user: my sister moved", False),
        ("- (turn 3, 9) Lena moved", False),
        ("- (turn 7) user: Lena moved", False),
        ("- (turn 3) user: lovely weather, many greetings and kisses", False),
        ("- (turn 3) user: it is what it is", False),
    ],
)
def test_a_line_must_be_in_its_turns(text: str, holds: bool) -> None:
    [line] = parse(text)
    assert grounded(line, SAID) is holds
