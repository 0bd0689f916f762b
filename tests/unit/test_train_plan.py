"""Presets, the ladder of memory, devices, the yardstick of style and the verdict."""

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from persona import machine
from persona.errors import ModelError, SettingsError
from persona.lab import doctor
from persona.machine import GIB, Gpu
from trainer import hardware, presets
from trainer.dataset.prepare import ENOUGH, SCARCE, warnings
from trainer.estimate import parameters_of
from trainer.evaluation.report import html, markdown, verdict
from trainer.evaluation.style import StyleScale
from trainer.hardware import Device
from trainer.models import resolve
from trainer.recipe import Recipe, ladder


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("highspeed", (1, 4, 2, 1e-3, 4, 8, 100)),
        ("quality", (3, 2, 4, 5e-4, 8, 16, 300)),
        ("bestaccuracy", (5, 1, 8, 2e-4, 16, 32, 1000)),
    ],
)
def test_the_promised_presets(name: str, values: tuple[float, ...]) -> None:
    r = presets.recipe(name)
    assert (r.epochs, r.batch, r.accumulation, r.learning_rate, r.rank, r.alpha, r.max_steps) == values


def test_a_model_of_a_few_million_weights_takes_larger_steps() -> None:
    cpu, card = (Device(kind, kind, "x", 6 * GIB, False) for kind in ("cpu", "cuda"))
    starter = parameters_of(resolve("starter"))
    assert [hardware.suited(device, starter) for device in (cpu, card)] == ["tiny", "tiny"]
    assert [hardware.suited(device, 600_000_000) for device in (cpu, card)] == ["quality", "qwen3"]
    assert presets.recipe("tiny").learning_rate > presets.recipe("quality").learning_rate


def test_every_preset_can_be_read_and_every_value_changed() -> None:
    for name in presets.names():
        assert presets.recipe(name).effective_batch == 8
    changed = presets.recipe(
        "trinity", ["rank=16", "dora=false", "modules=q_proj, v_proj", "learning_rate=1e-5", "max_steps=0"]
    )
    assert (changed.rank, changed.dora, changed.modules) == (16, False, ("q_proj", "v_proj"))
    assert (changed.learning_rate, changed.max_steps, changed.rslora) == (1e-5, 0, True)


@pytest.mark.parametrize(
    "change", ["rank", "rnk=3", "rank=many", "rank=0", "rank=-1", "dora=perhaps", "modules=x"]
)
def test_a_wrong_value_is_named(change: str) -> None:
    with pytest.raises(SettingsError):
        presets.recipe("quality", [change])
    with pytest.raises(SettingsError, match="bestest"):
        presets.recipe("bestest")


@pytest.mark.parametrize(("batch", "accumulation"), [(8, 1), (6, 2), (3, 4), (1, 8)])
def test_the_ladder_keeps_the_effective_batch_and_goes_down_to_the_end(batch: int, accumulation: int) -> None:
    begun = Recipe(batch=batch, accumulation=accumulation, sequence=3000, rank=64, alpha=64, dora=True)
    steps = list(ladder(begun))
    assert {s.recipe.effective_batch for s in steps} == {begun.effective_batch}
    last = steps[-1].recipe
    assert (last.batch, last.sequence, last.rank, last.dora, len(last.modules)) == (1, 512, 4, False, 2)
    assert last.alpha / last.rank == begun.alpha / begun.rank
    seen = [begun, *(s.recipe for s in steps)]
    assert len(set(seen)) == len(seen), "every step gives something up"
    assert all(s.said for s in steps)


def test_force_cpu() -> None:
    assert hardware.detect(force_cpu=True).kind == "cpu"


def test_a_card_is_taken_only_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a limit would be a number in an estimate, and no smaller card could be tried on a larger one."""
    import torch

    taken: list[float] = []
    card = SimpleNamespace(name="T4", total_memory=16 * GIB)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda n: card)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", taken.append)
    whole = hardware.detect()
    assert (whole.memory, whole.bf16, taken) == (16 * GIB, False, [])
    assert hardware.detect(max_vram_gb=4).memory == 4 * GIB
    assert taken == [0.25]


@pytest.mark.parametrize(
    ("kind", "gib", "model"),
    [("cpu", 64, "starter"), ("cuda", 2, "starter"), ("cuda", 6, "qwen3-1.7b"), ("mps", 16, "qwen3-4b")],
)
def test_doctor_and_trainer_suggest_the_same_training(
    kind: hardware.Kind, gib: int, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(kind, kind, "x", gib * GIB, False)
    found = hardware.suggest(device)
    assert found.model == model
    assert found.preset in presets.names()
    weights = 2_000_000 if model == "starter" else 1_700_000_000
    assert hardware.suited(device, weights) == found.preset, "what `auto` takes"
    monkeypatch.setattr(machine, "gpus", lambda: [Gpu("x", gib * GIB)] if device.on_card else [])
    told = doctor.suggest()
    assert (told["training_model"], told["preset"]) == (found.model, found.preset)


def test_too_little_is_said() -> None:
    assert warnings(ENOUGH) == []
    assert "few" in warnings(SCARCE)[0]
    assert "too few" in warnings(SCARCE - 1)[0]


def _lower(rng: random.Random) -> str:
    return " ".join(rng.choice("hm well the sea is not cold and i like it".split()) for _ in range(6))


def _shouting(rng: random.Random) -> str:
    return (
        " ".join(rng.choice("You MUST come to our great party with all friends".split()) for _ in range(14))
        + "!!! 🎉"
    )


def test_the_nearer_manner_is_nearer_with_certainty() -> None:
    rng = random.Random(4)
    own, other = [_lower(rng) for _ in range(200)], [_shouting(rng) for _ in range(200)]
    scale = StyleScale([*own, *other])
    real, alike, unlike = (scale.count(x) for x in (own[:60], own[60:120], other[:60]))
    assert scale.distance(real, real) == 0
    assert scale.distance(alike, real) < 0.5 * scale.distance(unlike, real)
    gain = scale.compare(unlike, alike, real, samples=200)
    assert 0 < gain.low <= gain.value <= gain.high
    none = scale.compare(alike, scale.count(own[120:180]), real, samples=200)
    assert none.low < 0 < none.high


def _figures(**tuned: float) -> dict[str, object]:
    arm = {
        "nll": 4.0,
        "style_distance": 1.0,
        "fact_recall": 0.5,
        "abstention": 0.8,
        "thinking_kept": 1.0,
        "thinking_absent": 1.0,
        "repeated_training": None,
        "repeated_canaries": None,
    }
    arms = {name: dict(arm) for name in ("base", "base_memory", "tuned", "tuned_memory")}
    gain = {"value": 0.4, "low": tuned.pop("low", 0.2), "high": 0.6}
    arms["tuned_memory"] |= {"nll": 3.0, **tuned}
    sample = {"message": "a|b <b>*x*</b>", "owner": "hm", **dict.fromkeys(arms, "[x](y)")}
    return {
        "arms": arms,
        "style_gain": gain,
        "style_gain_memory": gain,
        "other_person_distance": 1.2,
        "asked": {"style": 1, "facts": 1, "unknown": 1, "likelihood": 1},
        "samples": [sample],
        "run": "test",
    }


@pytest.mark.parametrize(
    ("tuned", "begins", "says"),
    [
        ({}, "Tuning helped:", "nothing measured got worse"),
        ({"fact_recall": 0.3}, "Tuning helped:", "it hurt: recall of facts fell from 50% to 30%"),
        ({"low": -0.1}, "Tuning helped in part:", "than chance explains"),
        ({"low": -0.1, "nll": 4.4}, "Tuning did not help:", "10% more nats"),
    ],
)
def test_the_verdict_is_honest(tuned: dict[str, float], begins: str, says: str) -> None:
    said = verdict(_figures(**tuned))
    assert said.startswith(begins)
    assert says in said


def test_a_report_begins_with_the_verdict_and_shows_messages_as_text() -> None:
    figures = _figures()
    text = markdown({"verdict": "Tuning helped: x.", **figures})
    assert text.startswith("Tuning helped: x.\n")
    page = html(text)
    assert "<table>" in page
    assert "<b>*x*" not in page
    assert 'href="y"' not in page
    assert "a|b &lt;b&gt;*x*&lt;/b&gt;" in page


def test_a_model_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(ModelError, match="is a mamba model, which cannot be trained here"):
        resolve(str(tmp_path))


def test_a_recipe_is_a_value() -> None:
    assert replace(Recipe(), rank=4) != Recipe()
