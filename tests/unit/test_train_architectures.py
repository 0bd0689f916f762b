"""Models other than Qwen3: a tiny random one of each kind, trained for real, and the way to a GGUF."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_architectures import KINDS, SHAPE, write_model, write_tokenizer

pytest.importorskip("trl", reason="the training extra is not installed")

from persona import config, models
from persona.backends.transformers import TransformersBackend
from persona.config import ModelSettings
from persona.errors import ModelError
from trainer import evaluate, run
from trainer.architectures import FOLDERS, architecture
from trainer.dataset import rows as files
from trainer.dataset.rows import Row
from trainer.engines.encode import Encoder
from trainer.engines.peft import PeftEngine
from trainer.export.converter import SCRIPT, convert
from trainer.export.export import MERGED, export, export_lora, runnable
from trainer.hardware import Device
from trainer.models import load, resolve
from trainer.recipe import Recipe
from trainer.tokens import PromptTokens

CPU = Device("cpu", "cpu", "test", 0, False)
QUICK = Recipe(epochs=6, batch=2, accumulation=1, max_steps=6, learning_rate=2e-2, rank=4, warmup_steps=0)


def row(n: int, *, thinking: bool = False) -> Row:
    asked = f"<memories>\n[1] me: Porto {n}\n</memories>\nwhere {n}?"
    messages = (("system", "You are Mira."), ("user", "hi"), ("assistant", "hey"), ("user", asked))
    return Row(str(n), "style", thinking, messages, f"porto, week {n}", "[1] me." if thinking else "")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    files.write(folder / files.TRAIN, [row(n, thinking=n % 2 == 0) for n in range(8)])
    files.write(folder / files.TEST, [row(n) for n in range(20, 22)])
    return folder


def train(data: Path, model: Path, recipe: Recipe = QUICK) -> run.Result:
    return run.run(data, resolve(str(model)), "test", recipe, PeftEngine(), CPU)


def test_every_kind_can_be_had() -> None:
    assert set(KINDS) == set(FOLDERS)
    for name, repo in FOLDERS.items():
        with pytest.raises(ModelError, match="from its folder") as refused:
            resolve(name)
        assert refused.value.hint is not None
        assert f"hf download {repo}" in refused.value.hint


@pytest.mark.parametrize("name", KINDS)
def test_a_row_of_every_kind_is_the_run_times_prompt_and_a_reply_without_thinking(
    name: str, tmp_path: Path
) -> None:
    kind = KINDS[name]
    folder = write_model(tmp_path / name, kind)
    encoder, backend = Encoder(folder), TransformersBackend(folder, ModelSettings())
    for thinking in (False, True):
        encoded = encoder.row(row(3, thinking=thinking))
        prompt = row(3, thinking=thinking).prompt
        expected = backend._encode(backend._text(prompt), template=True)
        assert list(encoded.ids[: encoded.prompt]) == expected == PromptTokens(folder).prompt(prompt)
        assert encoder.said(row(3, thinking=thinking)) == f"porto, week 3{kind.end}"
        assert encoded.ids[-1] in backend._ends, "what is learnt as the end must end a reply"
    backend.close()


QUICKLY = ("phi-3-mini", "llama-3.1-8b")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICKLY else pytest.mark.slow) for name in KINDS]
)
def test_every_kind_is_trained(name: str, tmp_path: Path, data: Path) -> None:
    result = train(data, write_model(tmp_path / name, KINDS[name]))
    assert result.outcome.steps == 6
    assert result.outcome.loss_last < result.outcome.loss_first
    settings = json.loads((result.adapter / "adapter_config.json").read_text())
    assert set(settings["target_modules"]) == KINDS[name].modules
    from safetensors import safe_open

    with safe_open(result.adapter / "adapter_model.safetensors", "pt") as weights:
        changed = {key.split(".lora_")[0].rpartition(".")[2] for key in weights.keys()}  # noqa: SIM118
    assert changed == KINDS[name].modules, "every one of them is there and has its adapter"


def test_gemma_with_its_eye_is_trained_as_the_text_model_it_holds(tmp_path: Path, data: Path) -> None:
    """The published Gemma 3 of 4B and more sees, too: its vision model has projections of the same names."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = KINDS["gemma-3-12b"]
    folder = tmp_path / "gemma"
    size = write_tokenizer(folder, kind)
    text = {**SHAPE, "vocab_size": size, **kind.shape}
    eye = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    shape = AutoConfig.for_model("gemma3", text_config=text, vision_config=eye, mm_tokens_per_image=4)
    whole = AutoModelForCausalLM.from_config(shape)
    whole.save_pretrained(folder)
    ids = torch.tensor([[3, 9, 40]])
    assert torch.allclose(whole.eval()(ids).logits, load(folder).eval()(ids).logits, atol=1e-5)
    result = train(data, folder, replace(QUICK, max_steps=1))
    merged = load(runnable(result.folder))
    assert type(merged).__name__ == "Gemma3ForCausalLM"
    assert not torch.allclose(merged(ids).logits, whole(ids).logits, atol=1e-3), "tuning must show"
    for name, weight in merged.named_parameters():
        if name.endswith("embed_tokens.weight"):
            assert torch.equal(weight, whole.get_input_embeddings().weight), "nothing was made up anew"


def test_a_kind_that_nobody_tried_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}', encoding="utf-8")
    with pytest.raises(ModelError, match="mamba") as refused:
        resolve(str(tmp_path))
    assert "phi3" in str(refused.value.hint)


@pytest.mark.slow
def test_another_kind_is_evaluated_and_talks_as_a_folder(tmp_path: Path, data: Path) -> None:
    result = train(data, write_model(tmp_path / "phi3", KINDS["phi-3-mini"]), replace(QUICK, max_steps=2))
    figures = evaluate.evaluate(result.folder, [], limit=1)
    assert figures["asked"]["style"] == 1
    assert architecture(runnable(result.folder)).kind == "phi3"


# To a GGUF


def little_script(file: Path, body: str) -> Path:
    """A converter: a program that is really called, and only writes down with what."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/usr/bin/env python3\nimport pathlib, sys\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


WRITES = "pathlib.Path(sys.argv[sys.argv.index('--outfile') + 1]).write_text(' '.join(sys.argv))"


def test_without_llama_cpps_converter_it_says_where_to_get_it(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = train(
        data, write_model(tmp_path / "llama", KINDS["tinyllama-1.1b"]), replace(QUICK, max_steps=1)
    )
    with pytest.raises(ModelError, match=f"{SCRIPT} is not on PATH") as refused:
        export(result.folder)
    assert "train.converter" in str(refused.value.hint)
    folder = result.folder / MERGED
    assert str(folder) in str(refused.value.hint)
    assert models.use(str(folder)) == folder, "what was merged is not lost"
    assert not list(result.folder.rglob("*.gguf*"))
    with pytest.raises(ModelError, match="a llama model cannot be written as a LoRA file"):
        export_lora(result.folder)
    config.set_value("train.converter", str(tmp_path / "gone.py"))
    with pytest.raises(ModelError, match=r"no converter at .*gone\.py"):
        export(result.folder)


@pytest.mark.parametrize("by", ["setting", "path"])
def test_the_converter_is_found_and_called(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = little_script(tmp_path / "llama.cpp" / SCRIPT, WRITES)
    if by == "setting":
        config.set_value("train.converter", str(script))
    else:
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    out = tmp_path / "me.gguf"
    convert(tmp_path / "merged", out)
    assert out.read_text() == f"{script} {tmp_path / 'merged'} --outfile {out}.part --outtype f16"
    assert not list(tmp_path.glob("*.part"))


def test_a_converter_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    script = little_script(tmp_path / SCRIPT, f"{WRITES}\nsys.exit('no module named sentencepiece')")
    config.set_value("train.converter", str(script))
    with pytest.raises(ModelError, match="no module named sentencepiece"):
        convert(tmp_path, tmp_path / "me.gguf")
    assert not list(tmp_path.glob("me.gguf*"))


@pytest.mark.slow
def test_llama_cpps_own_converter_writes_the_tuned_model(tmp_path: Path, data: Path) -> None:
    if not shutil.which(SCRIPT):
        pytest.skip(f"llama.cpp's {SCRIPT} is not on PATH")
    result = train(data, write_model(tmp_path / "llama", KINDS["tinyllama-1.1b"]))
    exported = export(result.folder)
    assert exported.max_logit_difference <= 0.02
    assert exported.modelfile.read_text() == f"FROM ./{exported.gguf.name}\n"
