"""Budgets: shares of a window that always add up, and text cut to exactly what fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queued_backend import QueuedBackend

from persona.backends.base import ChatMessage, ModelInfo, Prompt
from persona.chat.budget import Budget, TokenCounter, readable, share, window_of
from persona.chat.layout import HistoryTurn
from persona.errors import SessionError


@given(
    st.integers(64, 40_000),
    st.integers(1, 5_000),
    st.integers(0, 3_000),
    st.integers(0, 1_000),
    st.one_of(st.none(), st.integers(0, 3_000)),
    st.floats(0, 1),
)
def test_shares_add_up_and_keep_their_limits(
    window: int, reply: int, memory: int, style: int, read: int | None, part: float
) -> None:
    base = int(part * (window - min(reply, window // 4)))
    budget = share(window, base=base, reply=reply, memory=memory, style=style, read=read)
    assert budget.base + budget.memory + budget.style + budget.history + budget.reply == budget.window
    assert budget.style <= style
    assert budget.memory + budget.style <= (budget.prompt - base) / 3
    assert budget.style <= budget.memory + 1 or budget.memory == memory, "memories are not crowded out"
    assert read is None or budget.memory + budget.style <= read
    assert budget.reply <= window // 4
    assert budget.memory <= memory
    assert budget.memory <= (budget.prompt - base) / 3
    assert budget.history >= 0


def test_the_usual_budget_of_a_large_window() -> None:
    assert share(8192, base=300, reply=512, memory=600) == Budget(8192, 512, 300, 600)
    assert share(8192, base=300, reply=512, memory=600).history == 6780


def test_examples_of_style_have_a_budget_of_their_own() -> None:
    def rooms(**wanted: int) -> tuple[int, int]:
        budget = share(2048, base=248, reply=512, **wanted)
        return budget.memory, budget.style

    assert rooms(memory=0, style=150) == (0, 150)
    assert rooms(memory=200, style=150) == (200, 150)
    assert rooms(memory=600, style=150) == (279, 150), "a third of what is left is room for no more"
    assert rooms(memory=600, style=600) == (215, 214)
    assert rooms(memory=200, style=150, read=160) == (80, 80), "a slow machine reads less of both"


def test_a_small_reader_is_shown_no_more_memories_than_it_reads_well() -> None:
    def info(limit: int | None) -> ModelInfo:
        return ModelInfo("m", "qwen3", 1, 4096, memory_tokens=limit)

    assert readable(info(200), 600) == 200
    assert readable(info(200), 100) == 100
    assert readable(info(None), 600) == 600


def test_a_base_that_does_not_fit_says_what_to_do() -> None:
    with pytest.raises(SessionError, match="too long") as caught:
        share(400, base=301, reply=100, memory=0)
    assert "model.context" in caught.value.hint


@pytest.mark.parametrize(
    ("context", "trained", "expected"), [(8192, 2048, 2048), (1024, 2048, 1024), (512, None, 512)]
)
def test_the_window_is_what_both_engine_and_training_allow(
    context: int, trained: int | None, expected: int
) -> None:
    assert window_of(ModelInfo("m", "qwen3", 1, context, trained)) == expected


def test_an_exchange_costs_what_it_adds_to_a_prompt() -> None:
    backend = QueuedBackend()
    counter = TokenCounter(backend)
    ends = (ChatMessage("system", "rules"), ChatMessage("user", "now"))
    pair = (ChatMessage("user", "where do you live"), ChatMessage("assistant", "in Porto, since May"))
    with_it = backend.count_prompt(Prompt((ends[0], *pair, ends[1])))
    turn = HistoryTurn(pair[0].content, pair[1].content)
    assert counter.exchange(turn) == with_it - backend.count_prompt(Prompt(ends))


def test_a_stored_turn_is_counted_once() -> None:
    counter = TokenCounter(QueuedBackend())
    assert counter.turn("t-1", "three words here") == 3
    assert counter.turn("t-1", "its text never changes, so this is not looked at") == 3


@given(st.text(max_size=200), st.integers(0, 40))
def test_a_cut_text_fits_and_is_a_beginning(text: str, tokens: int) -> None:
    counter = TokenCounter(QueuedBackend())
    cut = counter.cut(text, tokens)
    assert counter.text(cut) <= tokens
    assert cut == text or cut == "" or (cut.endswith("…") and text.startswith(cut[:-1]))


def test_a_cut_text_is_as_long_as_fits() -> None:
    assert TokenCounter(QueuedBackend()).cut("one two three four five", 4) == "one two three…"
