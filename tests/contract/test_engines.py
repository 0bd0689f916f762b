"""One contract for every engine that trains: real rows in, an adapter out that changes what the base says.

There is no NVIDIA card here. `unsloth` runs its own code over a stand-in for the two functions of the
library that it calls, which do on a processor what Unsloth's do on a card; the library itself stays unrun.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl", reason="the training extra is not installed")

import torch

from trainer.dataset.rows import Row
from trainer.engines import choose
from trainer.engines.base import Engine, Job, StepReport, TrainingError
from trainer.engines.encode import Encoder
from trainer.engines.peft import PeftEngine
from trainer.engines.unsloth import UnslothEngine
from trainer.hardware import Device
from trainer.models import as_folder
from trainer.recipe import Recipe

CPU, CARD = Device("cpu", "cpu", "test", 0, False), Device("cuda", "cuda", "a card", 8 << 30, True)
RECIPE = Recipe(
    epochs=4, batch=2, accumulation=2, max_steps=6, learning_rate=5e-3, rank=4, alpha=8, warmup_steps=0
)


@dataclass
class StandIn:
    """What the library was asked for."""

    opened: dict[str, Any] = field(default_factory=dict)
    adapted: dict[str, Any] = field(default_factory=dict)

    def from_pretrained(self, *, model_name: str, **options: Any) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM

        self.opened = options
        return AutoModelForCausalLM.from_pretrained(model_name), None

    def get_peft_model(self, model: Any, **options: Any) -> Any:
        from peft import LoraConfig, get_peft_model

        self.adapted = dict(options)
        rank = options.pop("r")
        for word in ("use_gradient_checkpointing", "random_state"):
            options.pop(word)
        return get_peft_model(model, LoraConfig(r=rank, task_type="CAUSAL_LM", **options))


def _seen_by_the_engine() -> bool:
    """Whether there is a card: for the engine's own question, not for what then trains on the processor."""
    return bool(sys._getframe(1).f_globals["__name__"] == "trainer.engines.unsloth")


@pytest.fixture
def unsloth(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    module = ModuleType("unsloth")
    module.__spec__ = SimpleNamespace(name="unsloth")  # type: ignore[assignment]
    module.FastLanguageModel = stand_in  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "unsloth", module)
    monkeypatch.setattr(torch.cuda, "is_available", _seen_by_the_engine)
    return stand_in


@pytest.fixture(params=["peft", "unsloth"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "peft":
        return PeftEngine()
    request.getfixturevalue("unsloth")
    return UnslothEngine()


@pytest.fixture
def job(tmp_path: Path, tiny_model_path: Path) -> Job:
    base = as_folder(tiny_model_path)
    encoder = Encoder(base)
    rows = [
        encoder.row(Row(str(n), "style", False, (("user", f"where {n}?"),), f"porto, week {n}"))
        for n in range(8)
    ]
    return Job(base, rows, RECIPE, CPU, tmp_path / "adapter", tmp_path / "checkpoints")


def test_training_learns_and_saves_an_adapter_of_the_recipe(engine: Engine, job: Job) -> None:
    from peft import PeftConfig

    steps: list[StepReport] = []
    outcome = engine.train(job, steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert outcome.steps == 6
    assert outcome.loss_last < outcome.loss_first
    kept: Any = PeftConfig.from_pretrained(str(job.adapter))
    assert (kept.r, kept.lora_alpha, kept.use_rslora, kept.use_dora) == (4, 8, False, False)
    assert set(kept.target_modules) == set(RECIPE.modules)


def test_a_killed_training_goes_on_from_its_checkpoint(engine: Engine, job: Job) -> None:
    class Killed(Exception):
        pass

    def kill(step: StepReport) -> None:
        if step.step == 6:
            raise Killed

    longer = replace(job, recipe=replace(RECIPE, max_steps=8))
    with pytest.raises(Killed):
        engine.train(longer, kill)
    steps: list[int] = []
    assert engine.train(longer, lambda s: steps.append(s.step)).steps == 8
    assert steps[0] == 6, "the checkpoint is of step 5"


def test_unsloth_is_asked_for_what_the_recipe_says(unsloth: StandIn, job: Job) -> None:
    recipe = replace(RECIPE, four_bit=True, rslora=True, sequence=512, seed=7, max_steps=1)
    UnslothEngine().train(replace(job, recipe=recipe), lambda step: None)
    assert unsloth.opened == {"max_seq_length": 512, "load_in_4bit": True, "dtype": None}
    assert unsloth.adapted == {
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": recipe.dropout,
        "target_modules": list(recipe.modules),
        "bias": "none",
        "use_gradient_checkpointing": "unsloth",
        "use_rslora": True,
        "use_dora": False,
        "random_state": 7,
    }


def test_unsloth_without_a_card_is_refused_before_it_is_imported(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "unsloth", None)  # importing it would fail otherwise
    with pytest.raises(TrainingError, match="NVIDIA"):
        UnslothEngine().train(job, lambda step: None)
    with pytest.raises(TrainingError, match="NVIDIA"):
        choose.engine("unsloth", CPU)


@pytest.mark.parametrize(
    ("asked", "device", "taken"),
    [("auto", CARD, "unsloth"), ("auto", CPU, "peft"), ("peft", CARD, "peft"), ("unsloth", CARD, "unsloth")],
)
def test_auto_takes_unsloth_where_it_is_installed_and_has_a_card(
    unsloth: StandIn, asked: str, device: Device, taken: str
) -> None:
    assert choose.engine(asked, device).name == taken


def test_without_unsloth_a_card_is_trained_on_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[[str], object] = lambda name: None  # noqa: E731
    monkeypatch.setattr(choose, "find_spec", find)
    assert choose.engine("auto", CARD).name == "peft"
