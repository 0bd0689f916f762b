"""A/B arms with adapters of their own, under the real engines."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from house import Shelf
from tiny_model import write_scripted_qwen3

from persona.config import ChatSettings, MemorySettings, ModelSettings, Settings
from persona.errors import ModelError
from persona.lab.ab import arms
from persona.lab.ab.run import ArmResult, Course, run
from persona.lab.ab.script import Say, Script
from trainer.export.from_gguf import write_folder


def measure(tmp_path: Path, arms_file: str, **options: Any) -> list[ArmResult]:
    """One turn under each arm, with the real engines."""
    file = tmp_path / "arms.toml"
    file.write_text(arms_file, encoding="utf-8")
    course = Course(Script("hello", (Say("Where do you live?"),)), 7, datetime(2026, 11, 2, 9, tzinfo=UTC))
    base = Settings(
        model=ModelSettings(threads=1),
        chat=ChatSettings(reply_tokens=16),
        memory=MemorySettings(enabled=False),
    )
    chosen = arms.chosen(str(file))
    return run(course, chosen, base, Shelf(), tmp_path / "ab", lambda _: None, **options)  # type: ignore[arg-type]


def test_an_arm_lays_a_peft_folder_over_a_models_folder(tmp_path: Path) -> None:
    peft, torch = pytest.importorskip("peft"), pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    scripted = write_scripted_qwen3(tmp_path / "scripted.gguf", ["In", " Porto.", "<|im_end|>"])
    folder, adapter = write_folder(scripted, tmp_path / "base"), tmp_path / "adapter"
    model = AutoModelForCausalLM.from_pretrained(folder)
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["down_proj"]))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.fill_(100.0)
    tuned.save_pretrained(adapter)
    plain, mine = measure(
        tmp_path,
        f'[plain]\nmodel.name = "{folder}"\n[mine]\nmodel.name = "{folder}"\nmodel.adapter = "{adapter}"\n',
    )
    assert plain.turns[0].reply == "In Porto."
    assert mine.turns[0].reply != "In Porto."


def test_an_arm_whose_adapter_does_not_fit_is_refused_before_any_arm_runs(
    tiny_model_path: Path, tmp_path: Path
) -> None:
    def opener(_: ModelSettings) -> Any:
        raise AssertionError("an arm was run")

    folder = write_folder(tiny_model_path, tmp_path / "base")
    lora = tmp_path / "me-lora.gguf"
    lora.write_bytes(b"GGUF")
    for model, adapter, said in (
        (tiny_model_path, tmp_path / "gone.gguf", "there is no adapter at"),
        (folder, tmp_path / "gone", "there is no PEFT adapter at"),
        (folder, lora, "there is no PEFT adapter at"),
    ):
        with pytest.raises(ModelError, match=said):
            measure(
                tmp_path,
                f'[plain]\nmodel.name = "{model}"\n'
                f'[mine]\nmodel.name = "{model}"\nmodel.adapter = "{adapter}"\n',
                opener=opener,
            )
