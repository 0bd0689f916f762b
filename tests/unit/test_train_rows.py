"""Exchanges, questions, duplicates and the split: the archive's messages as rows."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from knowledge.records import Kind, StoredMessage
from trainer.dataset import rows as files
from trainer.dataset.dedupe import Seen
from trainer.dataset.exchanges import Exchange, Windows, exchanges
from trainer.dataset.facts import Rarity, asked, told
from trainer.dataset.rows import DatasetError, Row
from trainer.dataset.split import by_time

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
WINDOWS = Windows(burst=180, answer=3600, pause=7200, turns=2)


def message(
    minute: float,
    who: str,
    text: str,
    *,
    thread: str | None = None,
    place: str = "#general",
    **changes: object,
) -> StoredMessage:
    sent = START + timedelta(minutes=minute)
    made = StoredMessage(
        id=f"{place}:{minute}",
        source="slack",
        conversation_id=place,
        conversation=place,
        author_id=f"slack:{who}",
        author=who,
        is_self=who == "me",
        sent_at=sent,
        text=text,
        kind=Kind.SPEECH,
        thread=thread,
        reply_to=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def found(*messages: StoredMessage, windows: Windows = WINDOWS) -> list[Exchange]:
    return list(exchanges(messages, windows))


def spoken(exchange: Exchange, bubbles: bool = True) -> tuple[str, str]:
    return exchange.said.text(bubbles), exchange.reply.text(bubbles)


def test_a_burst_is_one_reply() -> None:
    (one,) = found(
        message(0, "Lena", "Soup?"),
        message(1, "me", "yes"),
        message(2, "me", "at ten"),
        message(9, "me", "late"),
    )
    assert spoken(one) == ("Soup?", "yes\nat ten")
    assert spoken(one, bubbles=False) == ("Soup?", "yes at ten")
    assert one.sources == ("#general:0", "#general:1", "#general:2")


def test_a_late_answer_is_none_unless_it_is_in_the_thread() -> None:
    late = [message(0, "Lena", "Soup?"), message(90, "me", "sorry, what soup")]
    assert found(*late) == []
    threaded = [replace(m, thread="#general:0") for m in late]
    assert [spoken(e) for e in found(*threaded)] == [("Soup?", "sorry, what soup")]


def test_the_context_ends_where_the_talk_broke() -> None:
    talk = [
        message(0, "Lena", "one"),
        message(1, "me", "1"),
        message(200, "Lena", "two"),
        message(201, "me", "2"),
        message(202, "Lena", "three"),
        message(203, "me", "3"),
    ]
    last = found(*talk)[-1]
    assert [side.text(True) for side in last.earlier] == ["two", "2"]
    assert len({e.episode for e in found(*talk)}) == 2


def test_of_several_others_it_is_said_who_said_what() -> None:
    (one,) = found(message(0, "Lena", "Soup?"), message(1, "Kofi", "Soup!"), message(2, "me", "soup"))
    assert one.said.text(True) == "Lena: Soup?\nKofi: Soup!"
    assert one.partner == "Kofi"


def test_a_channel_and_its_threads_do_not_mix() -> None:
    talk = [
        message(0, "Lena", "Who has a ladder?", thread="#general:0"),
        message(1, "Kofi", "Nice weather"),
        message(2, "me", "i do", thread="#general:0"),
        message(3, "me", "very"),
    ]
    assert sorted(spoken(e) for e in found(*talk)) == [
        ("Lena: Who has a ladder?\nKofi: Nice weather", "very"),
        ("Who has a ladder?", "i do"),
    ]


def test_records_and_notes_are_no_talk() -> None:
    assert found(message(0, "Lena", "joined", kind=Kind.SYSTEM), message(1, "me", "hi")) == []
    assert found(message(0, "Lena", "x", source="notes"), message(1, "me", "y", source="notes")) == []


@pytest.mark.parametrize("flag", ["forward", "patch", "quoted-only", "deleted", "superseded"])
def test_what_they_did_not_write_or_took_back_teaches_nothing(flag: str) -> None:
    assert found(message(0, "Lena", "Soup?"), message(1, "me", "a poem by Rilke", flags=(flag,))) == []


def _talks(number: int, every: float = 300) -> list[Exchange]:
    talk: list[StoredMessage] = []
    for n in range(number):
        talk += [message(n * every, "Lena", f"q{n}"), message(n * every + 1, "me", f"a{n}")]
    return found(*talk)


def test_nothing_of_the_test_is_older_or_of_a_talk_that_was_trained_on() -> None:
    split = by_time(_talks(50), 0.2)
    assert split is not None
    assert (len(split.train), len(split.test)) == (40, 10)
    newest = max(e.reply.end for e in split.train)
    assert newest < split.cutoff <= min(e.said.start for e in split.test)
    assert not {e.episode for e in split.train} & {e.episode for e in split.test}


def test_a_talk_across_the_cut_is_left_out() -> None:
    thread = [
        replace(message(minute, who, f"t{minute}"), thread="#general:0.5", conversation_id="#t")
        for minute, who in ((0.5, "Lena"), (1.5, "me"), (14_000, "Lena"), (14_001, "me"))
    ]
    split = by_time([*_talks(50), *found(*thread)], 0.2)
    assert split is not None
    assert split.straddling == 2
    kept = {m for e in (*split.train, *split.test) for m in e.sources}
    assert not kept & {m.id for m in thread}


def test_one_talk_alone_cannot_be_cut() -> None:
    assert by_time(_talks(1), 0.2) is None


@pytest.mark.parametrize(
    ("one", "other", "new"),
    [
        ("see you at ten at the pier", "See you at ten, at the pier!", False),
        ("see you at ten at the pier", "bring the blue ladder please", True),
        ("👍", "👍", False),
        ("👍", "🎉", True),
    ],
)
def test_near_duplicates(one: str, other: str, new: bool) -> None:
    seen = Seen()
    assert seen.add(one)
    assert seen.add(other) is new


def _filler(number: int) -> list[StoredMessage]:
    return [
        message(1000 + n, "Kofi", f"nothing much going on here today {n}", place="#x") for n in range(number)
    ]


def test_a_question_is_proved_by_words_it_does_not_give_away() -> None:
    talk = [message(0, "Lena", "Where did you buy the kayak?"), message(1, "me", "from Abílio, in Aveiro")]
    (question,) = asked(found(*talk), Rarity([*talk, *_filler(50)]))
    assert question.text == "Where did you buy the kayak?"
    assert set(question.expect) == {"Abílio", "Aveiro"}
    assert question.holder.id == "#general:1"


def test_what_was_told_can_be_asked_for() -> None:
    own = message(0, "me", "we decided to take the gooseberry kayak to Aveiro in autumn")
    (question,) = told([own], Rarity([own, *_filler(50)]), random.Random(1))
    assert question.category == "decision"
    assert question.answer == own.text
    assert question.expect
    assert all(word in own.text and word not in question.text for word in question.expect)
    assert list(told([message(0, "me", "ok")], Rarity([own]), random.Random(1))) == []


ROW = Row(
    id="1",
    category="fact",
    thinking=True,
    messages=(("system", "You are Mira."), ("user", "<memories>\n[1] a\n</memories>\nIt is noon.\nDog?")),
    reply="Bica",
    reasoning="[1] a",
    sources=("a", "b"),
    expect=("Bica",),
)


def test_rows_survive_their_file(tmp_path: Path) -> None:
    files.write(tmp_path / "train.jsonl", [ROW])
    assert files.read(tmp_path / "train.jsonl") == [ROW]
    line = json.loads((tmp_path / "train.jsonl").read_text())
    assert line["messages"][-1] == {"role": "assistant", "content": "Bica", "reasoning_content": "[1] a"}


def test_a_row_without_its_memories() -> None:
    assert ROW.shows_memories
    assert ROW.without_memories().messages[-1] == ("user", "It is noon.\nDog?")


@pytest.mark.parametrize(
    ("line", "prompt", "reply"),
    [
        ({"input": "call mum at 9", "output": {"intent": "call"}}, "call mum at 9", '{"intent": "call"}'),
        (
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hey"}]},
            "hi",
            "hey",
        ),
    ],
)
def test_plain_rows_of_others_are_read(tmp_path: Path, line: object, prompt: str, reply: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(line) + "\n\n")
    (row,) = files.read(file)
    assert (row.messages[-1][1], row.reply) == (prompt, reply)


@pytest.mark.parametrize(
    "lines",
    [
        ['{"input": "x"}'],
        ["{"],
        ['{"messages": []}'],
        ['{"messages": [{"role": "user", "content": "x"}]}'],
        ['{"messages": [{"role": "assistant", "content": "x"}]}'],
        ['{"input": 1, "output": "y"}'],
        ["[1]"],
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, lines: Sequence[str]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(['{"input": "a", "output": "b"}', *lines]))
    with pytest.raises(DatasetError, match="line 2"):
        files.read(file)
