"""The starter model on the sample questions, through the engine that every door uses.

The bounds lie a little under what was measured when the model was shipped (models/README.md).
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from persona import config, paths
from persona.chat.engine import Engine
from persona.chat.events import TurnFinished, TurnRequest
from persona.chat.opening import beside, open_engine
from persona.demo import DEMO_QUESTIONS
from trainer.starter.evaluate import Answer, ask, questions

RIGHT = 0.72
DOES_NOT_KNOW = 7
BY_HEART = 0.2
NOW = datetime(2026, 10, 31, 18, tzinfo=UTC)
ROWS = questions()


@pytest.fixture(scope="module")
def mira(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine over a copy of the sample twin's home."""
    if not paths.starter_model().is_file():
        pytest.skip(f"no starter model at {paths.starter_model()} (build it: make starter)")
    home = tmp_path_factory.mktemp("mira") / "home"
    shutil.copytree(sample_home, home)
    with pytest.MonkeyPatch.context() as patch, closing(_open(home, patch)) as engine:
        yield engine


def _open(home: Path, patch: pytest.MonkeyPatch) -> Engine:
    patch.setenv("PERSONA_HOME", str(home))
    patch.setenv("PERSONA_MODEL__THREADS", "1")
    return open_engine(config.load())


@pytest.fixture(scope="module")
def plain(mira: Engine) -> list[Answer]:
    """Every question asked without thinking."""
    return [ask(mira, row) for row in ROWS]


@pytest.fixture(scope="module")
def thinking(mira: Engine) -> list[Answer]:
    """Every question asked with thinking."""
    return [ask(mira, row, thinking=True) for row in ROWS]


def share_right(answers: list[Answer]) -> float:
    """The share of right replies among the questions that can be answered."""
    judged = [a.right for a in answers if a.kind != "unknown"]
    return sum(judged) / len(judged)


def test_answers_from_the_messages(plain: list[Answer]) -> None:
    assert share_right(plain) >= RIGHT


def test_says_so_where_it_does_not_know(plain: list[Answer]) -> None:
    assert sum(a.right for a in plain if a.kind == "unknown") >= DOES_NOT_KNOW


@pytest.mark.parametrize("order", list(permutations(DEMO_QUESTIONS)))
def test_what_the_app_proposes_is_answered_in_any_order(mira: Engine, order: tuple[str, ...]) -> None:
    """Asked second, "Where do you live now?" had "i'm afraid of moths" for an answer."""
    values = dict(zip(DEMO_QUESTIONS, ("bica", "costa atlas", "galão"), strict=True))
    session: str | None = None
    for question in order:
        request = TurnRequest(question, session_id=session, seed=1, now=NOW)
        finished = next(e for e in mira.turn(request) if isinstance(e, TurnFinished))
        session = finished.session_id
        assert values[question] in finished.text.casefold()


def test_knows_little_without_memories(mira: Engine) -> None:
    answers = [ask(mira, row, memory=False) for row in ROWS if row["kind"] != "unknown"]
    assert share_right(answers) <= BY_HEART


def test_thinks_when_asked_to_and_only_then(plain: list[Answer], thinking: list[Answer]) -> None:
    assert all(a.thinking.strip() for a in thinking)
    assert not any(a.thinking.strip() for a in plain)


def test_no_tag_leaks(plain: list[Answer], thinking: list[Answer]) -> None:
    assert not any(a.leaked for a in (*plain, *thinking))


@pytest.mark.parametrize("changes", [{"kv_cache": "q8_0"}, {"speculative": "prompt_lookup"}])
def test_settings_of_the_engine_leave_it_as_right(
    mira: Engine, plain: list[Answer], changes: dict[str, str]
) -> None:
    some = slice(0, 12)
    other = beside(mira, mira.settings.model.model_copy(update=changes))
    try:
        answers = [ask(other, row) for row in ROWS[some]]
    finally:
        other.backend.close()
    if "speculative" in changes:
        assert [a.reply for a in answers] == [a.reply for a in plain[some]]
    assert sum(a.right for a in answers) >= sum(a.right for a in plain[some]) - 1
