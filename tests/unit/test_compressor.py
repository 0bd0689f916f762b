"""Extractive summaries: verbatim, cited, telling, and never above their tokens."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.sentences import sentences
from persona.chat import compressor
from persona.chat.compressor import Told, next_merge
from persona.chat.lines import Line
from persona.chat.store import Summary, Turn, TurnRole


def turn(number: int, text: str, role: TurnRole = "user") -> Turn:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    return Turn(f"t-{number}-{role}", "s-1", number, role, text, "", "complete", when)


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]|\n", text))


def extract(turns: Sequence[Turn], tokens: int, count: Callable[[str], int]) -> str:
    return "\n".join(map(str, compressor.extract(turns, tokens, count)))


def summary(n: int, level: int) -> Summary:
    return Summary(n, "extractive", level, n, n, "text", (f"t-{n}",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("it cost 3.50 at example.org. ok", ["it cost 3.50 at example.org.", "ok"]),
        ("no stop\nnext line", ["no stop", "next line"]),
        ("Wait... what?! Yes…", ["Wait...", "what?!", "Yes…"]),
        ("I saw Dr. Fontes at 9:30. bye", ["I saw Dr. Fontes at 9:30.", "bye"]),
        ("ask the Dr.\nor nobody, e.g. me, vs. ", ["ask the Dr.", "or nobody, e.g. me, vs."]),
        ("", []),
        ("...", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_the_telling_sentences_stay_and_the_rest_goes() -> None:
    turns = [
        turn(1, "Hi! How are you? My dog is called Rufus."),
        turn(1, "Hello, nice to see you.", "assistant"),
        turn(2, "What did I say about the flat?"),
        turn(2, "I don't know.", "assistant"),
        turn(3, "Ok. I decided to leave Acme on 3 May because of the commute."),
        turn(3, "Noted.", "assistant"),
    ]
    assert extract(turns, 200, count) == (
        "- (turn 1) user: My dog is called Rufus.\n"
        "- (turn 3) user: I decided to leave Acme on 3 May because of the commute."
    )


def test_the_users_words_come_before_replies() -> None:
    turns = [
        turn(1, "I moved to Porto with Jonas in 2024."),
        turn(1, "I moved to Leipzig with Maria in 2021.", "assistant"),
    ]
    one = extract(turns, 20, count)
    assert one == "- (turn 1) user: I moved to Porto with Jonas in 2024."
    assert extract(turns, 100, count).splitlines()[1].startswith("- (turn 1) me: I moved to Leipzig")


def test_what_was_said_twice_is_kept_once() -> None:
    turns = [turn(1, "My dog is called Rufus."), turn(2, "my dog is called Rufus!")]
    assert len(extract(turns, 200, count).splitlines()) == 1


def test_what_stands_further_up_is_not_said_again_unless_it_is_a_fact_told_anew() -> None:
    standing = [
        Line((1,), "user", "My dog is called Rufus."),
        Line((2,), "user", "The meeting on 3 May took ages, we decided to meet again."),
        Line((3,), "user", "I moved to Porto."),
    ]
    turns = [
        turn(8, "The meeting on 3 May took ages, we decided to meet again."),
        turn(8, "You told me: my dog is called Rufus.", "assistant"),
        turn(9, "I moved to Porto. My cat is called Rufus."),
    ]
    facts = {(turns[2].id, "I moved to Porto."): Told("I moved to Porto.", 0.9)}
    lines = compressor.extract(turns, 200, count, facts, standing=standing)
    assert [line.text for line in lines] == ["I moved to Porto.", "My cat is called Rufus."]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I'm vegan", True),
        ("ok, yes I am vegan now", True),
        ("my cat is Tom", True),
        ("ich habe eine neue Nummer: 0176 555", True),
        ("never mind", False),
        ("thanks, that was great!", False),
        ("Good morning, Mira", False),
        ("what is your name?", False),
        ("I don't know.", False),
    ],
)
def test_short_sentences(text: str, kept: bool) -> None:
    assert bool(extract([turn(1, text)], 200, count)) is kept


def test_nothing_telling_gives_nothing() -> None:
    assert extract([turn(1, "hi"), turn(1, "hello there", "assistant")], 200, count) == ""


_WORDS = st.sampled_from(
    ["I", "my", "dog", "Rufus", "2024", "Porto", "decided", "the", "because", "hello", "não", "É"]
) | st.sampled_from(["…", ".", "!", "?", "\n", ",", "3.5", "e.g."])


@settings(max_examples=150)
@given(st.lists(st.lists(_WORDS, max_size=25).map(" ".join), max_size=8), st.integers(0, 120))
def test_every_line_is_a_sentence_of_the_turn_it_cites(texts: list[str], tokens: int) -> None:
    turns = [turn(n, text) for n, text in enumerate(texts, 1)]
    made = extract(turns, tokens, count)
    assert count(made) <= tokens
    for line in made.splitlines():
        cited = re.fullmatch(r"- \(turn (\d+)\) user: (.+)", line)
        assert cited
        assert cited.group(2) in texts[int(cited.group(1)) - 1]


def test_a_run_of_marks_does_not_take_forever() -> None:
    assert len(sentences("a" + "!?" * 20_000 + " b")) == 2


def test_merging_takes_the_lowest_level_that_has_several() -> None:
    standing = [summary(1, 2), summary(2, 1), summary(3, 1), summary(4, 1)]
    assert [s.n for s in next_merge(standing)] == [2, 3, 4]
    assert [s.n for s in next_merge([summary(1, 2), summary(2, 1)])] == [1, 2]
    assert [s.n for s in next_merge([summary(1, 3)])] == [1]
