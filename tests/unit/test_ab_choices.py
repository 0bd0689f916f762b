"""Blind choices: what is stored, what goes with a chat, the tally and the preference pairs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona.chat.opening import open_sessions
from persona.chat.store import SessionStore
from persona.cli.root import run
from persona.errors import PersonaError, SessionError
from persona.lab.ab import intervals
from persona.lab.ab.choices import Choice, ChoiceBook, Picked, Shown

AT = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)


@pytest.fixture
def sessions() -> Iterator[SessionStore]:
    store = open_sessions()
    yield store
    store.close()


def two_replies(
    sessions: SessionStore, session_id: str, arms: tuple[str, str] = ("off", "extractive")
) -> Choice:
    asked = sessions.add_user(session_id, "How are you?")
    left = sessions.add_reply(session_id, asked.number, text="Fine, thank you.", status="complete")
    right = sessions.add_reply(session_id, asked.number, text="meh", status="complete")
    return Choice(Shown(left.id, arms[0]), Shown(right.id, arms[1]), "left", AT)


def picked(choice: Choice, as_picked: Picked) -> Choice:
    return Choice(choice.left, choice.right, as_picked, choice.at)


def test_the_chosen_reply_is_in_force_and_the_pair_can_be_trained_on(sessions: SessionStore) -> None:
    chat, book = sessions.create(), ChoiceBook(sessions)
    first = two_replies(sessions, chat.id)
    book.record(first)
    assert [t.text for t in sessions.turns(chat.id)] == ["How are you?", "Fine, thank you."]
    second = two_replies(sessions, chat.id)
    book.record(picked(second, "right"))
    _, pair = book.preference_pairs()
    assert [m["content"] for m in pair["prompt"]] == ["How are you?", "Fine, thank you.", "How are you?"]
    assert pair["chosen"] == [{"role": "assistant", "content": "meh"}]
    assert pair["rejected"] == [{"role": "assistant", "content": "Fine, thank you."}]
    assert (pair["chosen_arm"], pair["rejected_arm"]) == ("extractive", "off")


def test_the_last_word_counts_and_goes_with_its_chat(sessions: SessionStore) -> None:
    chat, book = sessions.create(), ChoiceBook(sessions)
    choice = two_replies(sessions, chat.id)
    book.record(choice)
    book.record(picked(choice, "alike"))
    assert book.all() == [picked(choice, "alike")]
    assert list(book.preference_pairs()) == []
    sessions.delete(chat.id)
    assert book.all() == []


def test_only_two_replies_to_one_message_can_be_chosen_between(sessions: SessionStore) -> None:
    chat, book = sessions.create(), ChoiceBook(sessions)
    one, other = two_replies(sessions, chat.id), two_replies(sessions, chat.id)
    with pytest.raises(SessionError):
        book.record(Choice(one.left, other.right, "left", AT))
    with pytest.raises(SessionError):
        book.record(Choice(one.left, one.left, "left", AT))
    with pytest.raises(PersonaError):
        book.record(picked(one, "both"))  # type: ignore[arg-type]
    assert book.all() == []


def test_the_tally_counts_arms_not_sides(
    sessions: SessionStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat, book = sessions.create(), ChoiceBook(sessions)
    for n in range(8):
        arms = ("off", "extractive") if n % 2 else ("extractive", "off")
        book.record(picked(two_replies(sessions, chat.id, arms), "left" if n % 2 else "right"))
    for other in ("alike", "neither"):
        book.record(picked(two_replies(sessions, chat.id), other))  # type: ignore[arg-type]
    file = tmp_path / "pairs.jsonl"
    assert run(["ab", "tally", "--json", "--export", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    [pair] = found["pairs"]
    assert (pair["a"], pair["chosen_a"], pair["b"], pair["chosen_b"]) == ("extractive", 0, "off", 8)
    assert (pair["ties"], pair["neither"], found["choices"]) == (1, 1, 10)
    # 8 of 8: the upper end for a is 1 - 0.025 ** (1 / 8)
    assert pair["interval"] == [0.0, 0.3694]
    assert pair["p_value"] == round(2 / 2**8, 4)
    assert found["left"] == {"picked": 4, "of": 8, "interval": [0.157, 0.843]}
    assert len(file.read_text().splitlines()) == 8
    assert run(["ab", "tally"]) == 0
    assert "extractive or off" in capsys.readouterr().out


def test_nothing_chosen_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ab", "tally", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == []


def test_intervals_of_little() -> None:
    assert intervals.proportion(0, 0) == (0.0, 1.0)
    assert intervals.proportion(5, 20) == (0.0866, 0.491)  # as scipy.stats.binomtest has it
    assert (intervals.sign_test(0, 0), intervals.sign_test(4, 4), intervals.sign_test(3, 9)) == (
        1.0,
        1.0,
        0.146,
    )
    assert intervals.of_median([]) == (0.0, 0.0)
    low, high = intervals.of_median([1.0, 2.0, 3.0, 4.0, 100.0])
    assert 1.0 <= low <= 3.0 <= high <= 100.0
