"""From an adapter to files that llama.cpp runs: merged and, if asked, quantised; or a LoRA file."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from persona.errors import ModelError
from trainer import run as running
from trainer.architectures import architecture
from trainer.dataset import rows as files
from trainer.engines.encode import Encoder
from trainer.export.converter import convert
from trainer.export.from_gguf import METADATA
from trainer.export.gguf import Header, write_qwen3
from trainer.export.lora import write_lora
from trainer.export.modelfile import write_modelfile
from trainer.export.quantise import KINDS, quantise
from trainer.models import as_folder, folder_template, load

MERGED = "merged"

MANNER = {"general.sampling.temp": 1.0, "general.sampling.min_p": 0.5}
"""How a starter that learned a manner is to be drawn. What reads is greedy, but the likeliest words alone are
nobody's manner (Holtzman et al. 2020, arXiv:1904.09751); min-p leaves what it is sure of as it is (Nguyen et
al. 2024, arXiv:2407.01082). Chosen on test rows that the report does not use, and on the sample's questions
(docs/LOG.md)."""

_COMPARED_TOKENS = 256
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


@dataclass(frozen=True, slots=True)
class Exported:
    """max_logit_difference: of the F16 file against the merged weights, over one prompt."""

    gguf: Path
    quantisation: str
    modelfile: Path
    max_logit_difference: float

    def as_json(self) -> dict[str, Any]:
        """The document that `persona train export --json` prints."""
        return {
            "gguf": str(self.gguf),
            "bytes": self.gguf.stat().st_size,
            "quantisation": self.quantisation,
            "modelfile": str(self.modelfile),
            "max_logit_difference": round(self.max_logit_difference, 5),
        }


def export(run: Path, quantisation: str = "F16", out: Path | None = None) -> Exported:
    """Merge the adapter of a finished run into its base and write it as a GGUF.

    Raises TrainingError for an unfinished run, ModelError where llama.cpp's converter is wanted and is not
    there or fails; the merged model then lies in the run's folder.
    """
    result = running.load(run)
    base = as_folder(Path(running.config_of(run)["decides"]["model"]))
    own = architecture(base).own_writer
    out = out or run / f"{run.name}-{quantisation.lower()}.gguf"
    plain = out if quantisation == "F16" else run / f"{run.name}-f16.gguf"
    model = merged(base, result.adapter)
    if own:
        write_model(model, base, plain, name=_tuned_name(base, run), asked=_drawn(base, run))
    else:
        convert(_saved(model, base, run), plain)
    difference = logit_difference(model, plain, _prompt(run, base))
    if KINDS[quantisation] is not None:
        quantise(plain, out, quantisation)
    modelfile = write_modelfile(out.with_suffix(".Modelfile"), out, qwen3=own)
    return Exported(out, quantisation, modelfile, difference)


def export_lora(run: Path, out: Path | None = None) -> Path:
    """Write the adapter alone. Raises ModelError where it must be merged."""
    from transformers import AutoConfig

    result = running.load(run)
    base = as_folder(Path(running.config_of(run)["decides"]["model"]))
    if not architecture(base).own_writer:
        raise ModelError(
            f"the adapter of a {architecture(base).kind} model cannot be written as a LoRA file here",
            "leave `--lora` out; or give `model.adapter` the adapter's folder, over the model's folder",
        )
    out = out or run / f"{run.name}-lora.gguf"
    write_lora(out, result.adapter, AutoConfig.from_pretrained(base), run.name, _drawn(base, run))
    return out


def runnable(run: Path) -> Path:
    """The tuned model of a finished run as this program opens it: a GGUF, or a folder where the GGUF would
    want llama.cpp's converter."""
    base = as_folder(Path(running.config_of(run)["decides"]["model"]))
    if architecture(base).own_writer:
        return export(run).gguf
    return _saved(merged(base, running.load(run).adapter), base, run)


def _saved(model: Any, base: Path, run: Path) -> Path:
    """The merged model as a folder beside the run, with the tokenizer and the template of its base."""
    folder = run / MERGED
    part = folder.with_name(f"{MERGED}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part, save_original_format=False)
    for name in _TOKENIZER:
        if (base / name).is_file():
            shutil.copy(base / name, part / name)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def merged(base: Path, adapter: Path) -> Any:
    """The base model with the adapter's changes in its weights, in float32."""
    import torch
    from peft import PeftModel

    model = load(base, dtype=torch.float32)
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().eval()


def write_model(
    model: Any, base: Path, out: Path, *, name: str, asked: Mapping[str, float] | None = None
) -> None:
    """Write a Qwen3 model with the tokenizer, template and keys of the folder `base`, in one step.

    asked: keys for what it asks to be drawn with, where that is not what its family is.
    """
    keys = _metadata(base).get("keys", {})
    header = Header(
        name=name,
        trained_context=keys.pop("persona.trained_context", model.config.max_position_embeddings),
        memory_tokens=keys.pop("persona.memory_tokens", None),
        chat_template=folder_template(base),
        extra={**keys, **(asked or {})},
    )
    part = out.with_name(out.name + ".part")
    write_qwen3(part, model.config, model.state_dict(), base / "tokenizer.json", header)
    part.replace(out)


def logit_difference(model: Any, gguf: Path, ids: Sequence[int]) -> float:
    """The largest difference of any logit between `model` and the file, over the tokens `ids`."""
    import torch
    from llama_cpp import llama_cpp as lib

    from persona.backends.llama_engine import LlamaEngine

    # The run time's half-precision cache would add its own rounding to the file's.
    engine = LlamaEngine(
        str(gguf),
        n_ctx=len(ids) + 8,
        logits_all=True,
        verbose=False,
        type_k=lib.GGML_TYPE_F32,
        type_v=lib.GGML_TYPE_F32,
    )
    try:
        engine.eval(list(ids))
        theirs = np.array(engine.scores[: len(ids)])
    finally:
        engine.close()
    with torch.no_grad():
        ours = model(torch.tensor([list(ids)])).logits[0].float().numpy()
    return float(np.abs(ours - theirs[:, : ours.shape[1]]).max())


def _prompt(run: Path, base: Path) -> list[int]:
    """A prompt to compare logits over: one of the run's own rows, else plain words."""
    row = next(iter(_rows(run)), files.Row("", "style", False, (("user", "hello"),), "hi"))
    return list(Encoder(base).row(row).ids[:_COMPARED_TOKENS])


def _drawn(base: Path, run: Path) -> Mapping[str, float]:
    """What the tuned model asks to be drawn with: a starter that learned to talk, not one for tasks."""
    is_starter = _metadata(base).get("keys", {}).get("persona.starter") is True
    return MANNER if is_starter and any(row.is_talk for row in _rows(run)) else {}


def _rows(run: Path) -> list[files.Row]:
    """What the run was taught, where it is still there."""
    data = Path(running.config_of(run)["dataset"]) / files.TRAIN
    return files.read(data) if data.is_file() else []


def _metadata(base: Path) -> dict[str, Any]:
    file = base / METADATA
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return data


def _tuned_name(base: Path, run: Path) -> str:
    return f"{_metadata(base).get('name', base.name)}-tuned-{run.name.rpartition('-')[2]}"
