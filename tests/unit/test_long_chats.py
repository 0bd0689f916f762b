"""Chats longer than the window: folded or dropped in batches, always within the budget."""

import re
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from house import NOW, House, chat, make_house, memory
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.chat.events import PromptReady, TurnRequest
from persona.config import Compression, MemorySettings
from persona.errors import SessionError


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path / "sessions.sqlite3")


def test_folding_keeps_the_prompt_within_budget_and_the_names_in_it(house: House) -> None:
    session_id = chat(house, 30)
    assert all(house.backend.count_prompt(p) <= 360 for p in house.backend.prompts)
    system = house.backend.prompts[-1].messages[0].content
    assert "Earlier in this chat:" in system
    assert re.search(r"- \(turn \d+\) user: My friend number \d+ is called Person\d+\.", system)
    assert len(house.sessions.turns(session_id)) == 60


def test_folding_happens_in_batches_and_the_prompt_only_grows_between_them(house: House) -> None:
    chat(house, 30)
    shown = [p.messages[:-1] for p in house.backend.prompts]
    grown = sum(b[: len(a)] == a for a, b in pairwise(shown))
    assert grown >= 20
    assert grown < 29


def test_a_wide_window_is_not_filled_with_history(tmp_path: Path) -> None:
    house = make_house(tmp_path / "s.sqlite3", context=8000, history_tokens=200)
    session_id = chat(house, 30)
    sizes = [house.backend.count_prompt(p) for p in house.backend.prompts]
    assert max(sizes[5:]) < min(sizes) + 200
    assert "Person29" in house.backend.prompts[-1].messages[-1].content
    house.say("all of it", session_id=session_id, compression="off")
    assert house.backend.count_prompt(house.backend.prompts[-1]) > max(sizes)


def test_off_drops_the_oldest_and_writes_no_summary(house: House) -> None:
    session_id = chat(house, 30, compression="off")
    assert house.sessions.summaries(session_id, "extractive") == []
    last = house.backend.prompts[-1]
    assert house.backend.count_prompt(last) <= 360
    assert "Earlier in this chat:" not in last.messages[0].content
    assert "Person28" in last.messages[-3].content
    shown = [p.messages[:-1] for p in house.backend.prompts]
    assert sum(b[: len(a)] == a for a, b in pairwise(shown)) >= 20


def test_without_compression_idle_work_read_another_window_than_the_question_had() -> None:
    house = make_house(Path(":memory:"), 460)
    chat(house, 30, compression="off")
    read = [p.messages for p in house.backend.prefilled[:-1]]
    asked = [p.messages for p in house.backend.prompts[1:]]
    assert all(later[: len(ready)] == ready for ready, later in zip(read, asked, strict=True))


@pytest.mark.parametrize("compression", ["off", "extractive"])
def test_what_is_prefilled_is_a_prefix_of_the_next_prompt(tmp_path: Path, compression: Compression) -> None:
    """With compression off the batches fell elsewhere for a message than for the prefill before it, and
    elsewhere again when a turn was read faster or slower: a fifth of the prompt was cached, at the median."""
    house = make_house(tmp_path / "s.sqlite3", context=900)
    house.engine.settings = house.engine.settings.model_copy(
        update={"memory": MemorySettings(budget_tokens=400)}
    )
    draws = Random(1)
    session_id, kept = None, []
    for n in range(60):
        house.backend.first_ms = draws.choice([8_000.0, 12_000.0, 20_000.0])
        text = f"I met Person{n}. " + "really " * draws.randint(2, 40)
        session_id = house.say(
            text, "oh " * draws.randint(2, 40), session_id=session_id, compression=compression
        ).session_id
        if house.backend.prefilled:
            ready = house.backend.prefilled[-1].messages
            kept.append(house.chat_prompts[-1].messages[: len(ready)] == ready)
        house.engine.idle(session_id)
    assert sum(kept) >= 0.95 * len(kept), kept


def test_the_strategy_can_change_from_turn_to_turn(house: House) -> None:
    session_id = chat(house, 20)
    house.say("off now", session_id=session_id, compression="off")
    assert "Earlier in this chat:" not in house.backend.prompts[-1].messages[0].content
    house.say("on again", session_id=session_id, compression="extractive")
    assert "Earlier in this chat:" in house.backend.prompts[-1].messages[0].content


def test_without_idle_time_a_turn_folds_only_when_it_must(house: House) -> None:
    session_id = None
    for n in range(30):
        session_id = house.say(f"I met Person{n} in Town{n}.", session_id=session_id).session_id
        prompt = house.backend.prompts[-1]
        assert house.backend.count_prompt(prompt) <= 360
        assert "Person" in prompt.messages[-1].content
    assert session_id
    assert house.sessions.summaries(session_id, "extractive")


def test_a_single_turn_that_is_too_long_is_cut_with_an_ellipsis(house: House) -> None:
    first = house.say("my words " * 100, "a reply " * 150)
    house.say("short", session_id=first.session_id)
    user, reply = house.backend.prompts[1].messages[1:3]
    assert user.content.endswith("…")
    assert reply.content.endswith("…")
    assert house.backend.count_prompt(house.backend.prompts[1]) <= 360
    assert house.sessions.turns(first.session_id)[1].text == "a reply " * 150


def test_memories_count_against_the_budget(house: House) -> None:
    house.shelf.holds = [memory(n, f"fact number {n}", words=10) for n in range(1, 20)]
    done = house.say("tell me all " * 20)
    assert 0 < len(done.memories) < 19
    assert house.backend.count_prompt(house.backend.prompts[0]) <= 360


_MOVES = st.tuples(
    st.integers(1, 120), st.integers(0, 200), st.sampled_from(["off", "extractive"]), st.booleans()
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_MOVES, min_size=1, max_size=14), st.integers(150, 900), st.integers(0, 5))
def test_whatever_is_said_the_prompt_keeps_its_budget(
    moves: list[tuple[int, int, Compression, bool]], context: int, memories: int
) -> None:
    house = make_house(Path(":memory:"), context)
    house.shelf.holds = [memory(n + 1, "I moved to Porto", words=n * 9) for n in range(memories)]
    session = house.sessions.create()
    for n, (asked, said, compression, idle) in enumerate(moves):
        house.backend.reply(f"Reply {n} of Person{n}. " * (said // 5))
        request = TurnRequest(f"I met Person{n}. " * asked, session.id, compression=compression, now=NOW)
        try:
            events = list(house.engine.turn(request))
        except SessionError:
            house.backend.say.queue.clear()
            continue
        [ready] = [e for e in events if isinstance(e, PromptReady)]
        assert house.backend.count_prompt(house.backend.prompts[-1]) == ready.tokens <= ready.budget
        assert ready.tokens + house.backend.samplings[-1].max_tokens <= context
        assert ready.prompt.messages[-1].content.endswith(request.text.strip())
        if idle:
            house.engine.idle(session.id)
