"""A/B runs over a scripted model: what each arm is shown, what is counted, and that a stop loses nothing."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from house import Shelf
from queued_backend import QueuedBackend

from persona.backends.base import Prompt, Sampling
from persona.config import ChatSettings, MemorySettings, ModelSettings, Settings
from persona.lab import plots
from persona.lab.ab import arms, figures, intervals, page
from persona.lab.ab.run import ArmResult, Course, begun, forget, run, unfinished
from persona.lab.ab.script import Probe, Say, Script

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SAID = [
    Say(f"My friend number {n} is called Person{n} and lives in a house by the sea.") for n in range(1, 13)
]
PROBE = Probe("What is friend number 1 called?", ("Person1",), (1,))
SCRIPT = Script("friends", (*SAID[:2], PROBE, *SAID[2:], PROBE, Probe("And nobody?", ("Zorro",))))
BASE = Settings(chat=ChatSettings(reply_tokens=40), memory=MemorySettings(enabled=False, budget_tokens=100))


class Parrot(QueuedBackend):
    """Says back what it was shown of Person1, or that it does not know."""

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: Any) -> Any:
        shown = "\n".join(m.content for m in prompt.messages)
        asked = prompt.messages[-1].content
        self.reply("Person1 it is <b>." if "Person1 " in shown and "?" in asked else "I don't know.")
        return super().stream(prompt, sampling, cancel)


@pytest.fixture
def models(tmp_path: Path) -> list[Parrot]:
    """Every model that was opened."""
    return []


def measure(
    tmp_path: Path, models: list[Parrot], *names: str, script: Script = SCRIPT, **given: Any
) -> list[ArmResult]:
    def opener(settings: ModelSettings) -> Parrot:
        models.append(given.get("model") or Parrot(context=400))
        return models[-1]

    chosen = arms.chosen(",".join(names))
    report = given.get("report", lambda now: None)
    course = Course(script, 7, START)
    folder = tmp_path / "ab"
    results = run(course, chosen, BASE, Shelf(), folder, report, opener, given.get("stop"))  # type: ignore[arg-type]
    forget(course, chosen, BASE, folder)
    return results


def said(result: ArmResult) -> list[tuple[str, int]]:
    """What does not depend on how fast it went, or on what the engine had kept."""
    return [(row.reply, row.prompt_tokens) for row in result.rows]


def test_a_probe_leaves_the_conversation_as_it_was(tmp_path: Path, models: list[Parrot]) -> None:
    [result] = measure(tmp_path, models, "off")
    assert [t.turn for t in result.turns] == list(range(1, 13))
    third = models[0].prompts[3]
    assert "friend number 3" in third.messages[-1].content
    assert not any("called?" in m.content for m in third.messages)
    assert len({s.seed for s in models[0].samplings}) == len(SCRIPT.steps)
    assert models[0].closed
    assert list((tmp_path / "ab").iterdir()) == []


def test_recall_tells_what_was_dropped_and_what_was_kept(tmp_path: Path, models: list[Parrot]) -> None:
    found = figures.document(
        Course(SCRIPT, 7, START), measure(tmp_path, models, "off", "extractive", "oracle")
    )
    off, extractive, oracle = (found["arms"][name]["probes"] for name in ("off", "extractive", "oracle"))
    assert [p["recalled"] for p in off["rows"]] == [True, False, False]
    assert [p["recalled"] for p in extractive["rows"]] == [True, True, False]
    assert [p["in_prompt"] for p in extractive["rows"]] == [True, True, False]
    assert [p["age"] for p in extractive["rows"]] == [1, 11, None]
    # the oracle is not asked what nothing proves
    assert (oracle["asked"], oracle["recalled"]) == (2, 2)
    assert (off["of_oracle"], extractive["of_oracle"]) == (0.5, 1.0)
    assert (off["of_oracle_interval"], extractive["of_oracle_interval"]) == ((0.0, 1.0), (1.0, 1.0))
    assert extractive["against"]["off"]["only_here"] == 1
    totals = found["arms"]["extractive"]["totals"]
    assert totals["prompt_tokens_most"] <= totals["window"] == 400
    assert found["arms"]["oracle"]["turns"] == []


def test_arms_that_are_done_are_not_run_again(tmp_path: Path, models: list[Parrot]) -> None:
    def stop(now: Any) -> None:
        if now.stage == "oracle":
            raise KeyboardInterrupt

    names = ("off", "extractive", "abstractive", "oracle")
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path, models, *names, report=stop)
    done = len(models)
    results = measure(tmp_path, models, *names)
    assert [bool(model.prompts) for model in models[done:]] == [False, False, False, True]
    assert [result.arm.name for result in results] == list(names)


def test_no_arm_exceeds_what_the_model_was_trained_on(tmp_path: Path, models: list[Parrot]) -> None:
    long = tuple(
        Say(f"My friend number {n} lives by the sea. " + "He likes the tide. " * 9) for n in range(16)
    )
    probes = tuple(Probe(f"Where does friend number {n} live?", ("sea",), (n + 1,)) for n in range(0, 16, 5))
    script = Script("long", (*long[:11], *probes[:2], *long[11:], *probes[2:]))
    for name in ("off", "extractive", "abstractive", "voice", "oracle"):
        model = Parrot(context=4000, trained=500, summarise=lambda prompt: "- (turn 1) user: by the sea")
        measure(tmp_path / name, models, name, script=script, model=model)
        room = [
            model.count_prompt(p) + (s.max_tokens or 0)
            for p, s in zip(model.prompts, model.samplings, strict=True)
        ]
        assert max(room) <= 500, f"{name}: what it was asked and allowed to say"


def test_the_model_is_counted_when_it_summarises(tmp_path: Path, models: list[Parrot]) -> None:
    model = Parrot(context=400, summarise=lambda prompt: "- (turn 1) user: Person1")
    [result] = measure(tmp_path, models, "abstractive", model=model)
    calls = sum(t.summary_calls for t in result.turns)
    assert 0 < calls < 12
    assert next(t.turn for t in result.turns if t.summary_calls) > 1


def test_a_reply_that_is_given_is_what_the_chat_goes_on_from(tmp_path: Path, models: list[Parrot]) -> None:
    script = Script("given", (Say("Hello", "Ahoy there"), Say("And now?")))
    [result] = measure(tmp_path, models, "extractive", script=script)
    assert result.turns[0].reply == "Ahoy there"
    assert models[0].prompts[1].messages[2].content == "Ahoy there"


@pytest.mark.parametrize("stopped_at", [1, 3, 9, 13])
def test_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path, models: list[Parrot], stopped_at: int) -> None:
    class Stopped(Exception):
        pass

    def stop(now: Any) -> None:
        if now.done == stopped_at:
            raise Stopped

    [whole] = measure(tmp_path / "whole", models, "extractive")
    with pytest.raises(Stopped):
        measure(tmp_path, models, "extractive", report=stop)
    course, chosen = Course(SCRIPT, 7, START), arms.chosen("extractive")
    assert unfinished(course, chosen, BASE, tmp_path / "ab")
    tomorrow = Course(SCRIPT, 7, START + timedelta(days=1))
    assert begun(tomorrow, chosen, BASE, tmp_path / "ab") == START
    assert begun(Course(SCRIPT, 8, START), chosen, BASE, tmp_path / "ab") is None
    rows = next((tmp_path / "ab").rglob("rows.jsonl"))
    with rows.open("a") as out:
        out.write('{"step": 99, "turn"')  # what a kill leaves
    before = len(models)
    [gone_on] = measure(tmp_path, models, "extractive")
    assert len(models[before].prompts) == len(SCRIPT.steps) - stopped_at
    assert said(gone_on) == said(whole)
    assert not unfinished(course, chosen, BASE, tmp_path / "ab")


def test_an_interrupt_leaves_the_step_for_the_next_time(tmp_path: Path, models: list[Parrot]) -> None:
    stop = threading.Event()

    def after_nine(now: Any) -> None:
        if now.done == 9:
            stop.set()

    [whole] = measure(tmp_path / "whole", models, "extractive")
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path, models, "extractive", report=after_nine, stop=stop)
    assert models[-1].closed
    [gone_on] = measure(tmp_path, models, "extractive")
    assert said(gone_on) == said(whole)
    assert len(models[-1].prompts) == len(SCRIPT.steps) - 9


def test_a_turn_that_was_killed_is_run_again(tmp_path: Path, models: list[Parrot]) -> None:
    class Dying(Parrot):
        def stream(self, prompt: Prompt, sampling: Sampling, cancel: Any) -> Any:
            if len(self.prompts) == 8:
                raise RuntimeError("killed")
            return super().stream(prompt, sampling, cancel)

    [whole] = measure(tmp_path / "whole", models, "extractive")
    with pytest.raises(RuntimeError):
        measure(tmp_path, models, "extractive", model=Dying(context=400))
    [gone_on] = measure(tmp_path, models, "extractive")
    assert said(gone_on) == said(whole)


def test_the_page_holds_everything_and_runs_nothing(tmp_path: Path, models: list[Parrot]) -> None:
    found = figures.document(Course(SCRIPT, 7, START), measure(tmp_path, models, "off", "oracle"))
    shown = page.html(found)
    assert shown.count("<svg") == 4
    assert "Person1 it is &lt;b&gt;." in shown
    assert "<b>." not in shown
    assert "<script" not in shown
    assert "http" not in shown.replace("http-equiv", "")
    assert "friend number 12" in shown


def test_the_page_shows_every_interval_and_arm_against_arm(tmp_path: Path, models: list[Parrot]) -> None:
    """The cached share's interval and McNemar's test were in the JSON alone, the oracle's ratio had none."""
    found = figures.document(
        Course(SCRIPT, 7, START), measure(tmp_path, models, "off", "extractive", "oracle")
    )
    found["arms"]["off"]["totals"]["cached_share_interval"] = (0.1234, 0.5678)
    shown = page.html(found)
    assert "0.123–0.568" in shown
    assert "<br><small>0.00–1.00</small>" in shown
    row = '<td>off</td><td>extractive</td><td class="n">3</td><td class="n">0</td><td class="n">1</td>'
    assert row in shown
    assert "1.0000</td>" in shown


def test_the_ratio_to_the_oracle_is_drawn_in_pairs() -> None:
    both = [(True, True)] * 27 + [(False, True)] * 3 + [(True, False)] * 2
    low, high = intervals.of_ratio(both) or (0.0, 0.0)
    assert low < 29 / 30 < high
    assert 0.8 < low < 0.9
    assert 1.0 < high < 1.15
    assert intervals.of_ratio([(True, False)] * 5) is None
    assert intervals.of_ratio([]) is None


def test_a_plot_keeps_its_points_inside() -> None:
    points = [plots.Point(n, 10.0**n) for n in range(5)]
    drawn = plots.line_plot([plots.Series("a & b", points, 0)], x_label="turn")
    assert "a &amp; b" in drawn
    [line] = [part for part in drawn.split('"') if part.count(",") == 5]
    places = [tuple(map(float, pair.split(","))) for pair in line.split()]
    assert all(0 <= x <= plots.WIDTH and 0 <= y <= plots.HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert plots.line_plot([], x_label="turn") == ""
