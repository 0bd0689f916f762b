"""The long jobs: vectors, trainings and A/B runs, drawn as they go."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from persona import paths
from persona.lab.ab import last
from persona.tui.figures import ab_lines, index_lines, run_lines
from persona.tui.indexing import Indexing, Stopwatch
from persona.tui.plot import line
from persona.tui.screens import training
from persona.tui.screens.training import TrainingScreen
from persona.tui.training import Run
from tui.conftest import chat, make_app, opened, screen_text, wait_until
from tui.scripted import ScriptedEngine

WIDE = (110, 44)


async def long_jobs(pilot: Pilot[Any]) -> None:
    await opened(pilot)
    await chat(pilot).run_action("training")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen))


def braille(text: str) -> list[str]:
    """The lines of `text` that are plots, without their labels."""
    return [drawn for row in text.splitlines() if (drawn := "".join(c for c in row if "⠀" < c <= "⣿"))]


# Training


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a training reports to, looked at again at once."""
    monkeypatch.setattr(training, "SECONDS", 0.05)
    run = paths.data_dir() / "training" / "runs" / "starter-quality-1"
    run.mkdir(parents=True)
    return run / "metrics.jsonl"


def report(metrics: Path, *losses: tuple[int, float]) -> None:
    """Write as the trainer does, its last line still being written."""
    told = {"steps": 40, "tokens_per_second": 900, "seconds_left": 60}
    written = metrics.read_text("utf-8").rpartition("\n")[0] + "\n" if metrics.exists() else ""
    lines = "".join(json.dumps({"step": n, "loss": loss, **told}) + "\n" for n, loss in losses)
    metrics.write_text(f'{written}{lines}{{"step": 2', "utf-8")


async def test_training_is_plotted_while_it_runs(engine: ScriptedEngine, metrics: Path) -> None:
    report(metrics, *((n, 3 - n / 20) for n in range(1, 21)))
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await long_jobs(pilot)
        await wait_until(pilot, lambda: "update 20 of 40" in screen_text(pilot))
        assert "loss 2.950 → 2.000" in screen_text(pilot)
        before = braille(screen_text(pilot))
        assert before
        report(metrics, *((n, 4.0) for n in range(21, 31)))
        await wait_until(pilot, lambda: "update 30 of 40" in screen_text(pilot))
        assert "loss 2.950 → 4.000" in screen_text(pilot)
        after = braille(screen_text(pilot))
        assert after != before
        assert "Nothing was chosen blind yet" in screen_text(pilot)


async def test_a_training_that_diverges_does_not_end_the_app(engine: ScriptedEngine, metrics: Path) -> None:
    report(metrics, (1, 3.0), (2, float("nan")), (3, float("inf")), (4, 2.5))
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await long_jobs(pilot)
        await wait_until(pilot, lambda: "update 4 of 40" in screen_text(pilot))
        assert "2 of 4 are no numbers" in screen_text(pilot)
        assert braille(screen_text(pilot))


def test_losses_that_are_no_numbers_are_not_drawn() -> None:
    assert line([3, float("nan"), 1], 4, 2) == line([3, 1], 4, 2)
    assert line([float("nan"), float("-inf")], 4, 2) == []
    nothing = Run("gone", (float("nan"),), False, {"step": 1, "steps": 2})
    assert "1 of 1 are no numbers" in run_lines(nothing, 40).plain


def test_a_falling_line_falls() -> None:
    rows = line([3, 2, 1, 0], 4, 2)
    assert [len(row) for row in rows] == [4, 4]
    assert rows[0][0] != "⠀"
    assert rows[0][3] == "⠀"
    assert rows[1][3] != "⠀"
    assert line([], 4, 2) == []


def test_on_one_scale_the_smaller_line_lies_lower() -> None:
    small = line([1, 1], 2, 2, (0, 10))
    assert small[0] == "⠀⠀"
    assert small[1] != "⠀⠀"


# Indexing


async def test_indexing_is_told_with_rate_and_time_left(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SECONDS", 0.05)
    engine.unindexed = 3274
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await long_jobs(pilot)
        await wait_until(pilot, lambda: "256 of 3,274 messages" in screen_text(pilot))
        engine.indexed.set()
        await wait_until(pilot, lambda: "nothing waits to be indexed" in screen_text(pilot))


def test_the_rate_is_what_was_done_since_it_began() -> None:
    clock = iter([100.0, 102.0, 104.0])
    watch = Stopwatch(lambda: next(clock))
    assert watch.at(32, 1032) == Indexing(32, 1032, 0.0)
    assert watch.at(132, 1032).per_second == 50.0
    now = watch.at(232, 1032)
    assert (now.per_second, now.seconds_left) == (50.0, 16.0)
    assert "232 of 1,032 messages · 50 a second · 16 s left" in index_lines(now).plain


# A/B


FOUND: dict[str, Any] = {
    "script": "long.jsonl", "turns": 4, "probes": 2, "seed": 0, "start": "2026-11-01T00:00:00+00:00",
    "arms": {
        "off": {
            "turns": [{"prompt_tokens": n, "reply": "said off"} for n in (100, 400, 700, 1000)],
            "probes": {"asked": 2, "recalled": 0, "recall": 0.0, "interval": [0.0, 0.84], "in_prompt": 0,
                       "rows": [{"question": "asked?", "reply": "said"}]},
        },
        "extractive": {
            "turns": [{"prompt_tokens": n, "reply": "said"} for n in (100, 200, 150, 200)],
            "probes": {"asked": 2, "recalled": 1, "recall": 0.5, "interval": [0.01, 0.99], "in_prompt": 2,
                       "rows": []},
        },
    },
}  # fmt: skip


async def test_the_last_ab_run_is_drawn_with_its_tokens_and_recall(engine: ScriptedEngine) -> None:
    last.keep(FOUND)
    async with make_app(engine).run_test(size=WIDE) as pilot:
        await long_jobs(pilot)
        await wait_until(pilot, lambda: "long.jsonl, 4 turns, 2 probes" in screen_text(pilot))
        shown = screen_text(pilot)
        assert "recalled 0 of 2 · 95 %: 0% to 84%" in shown
        assert "recalled 1 of 2 · 95 %: 1% to 99%" in shown
        off, extractive = shown.split("extractive")
        assert "1,000" in off
        assert len(braille(off)) > len(braille(extractive))


def test_what_was_said_in_a_run_is_not_kept_with_its_figures() -> None:
    assert last.read() is None
    assert "No A/B run was finished yet" in ab_lines(last.read(), 60).plain
    last.keep(FOUND)
    kept = paths.last_ab_file().read_text(encoding="utf-8")
    assert "said" not in kept
    assert "asked?" not in kept


def test_an_arm_without_turns_or_probes_is_told_without_a_plot() -> None:
    probes = {"asked": 0, "recalled": 0, "recall": None, "interval": [0.0, 1.0], "in_prompt": 0}
    last.keep({**FOUND, "arms": {"oracle": {"turns": [], "probes": probes}}})
    lines = ab_lines(last.read(), 60).plain
    assert "no probes" in lines
    assert not braille(lines)
