"""A PEFT adapter as a GGUF that llama.cpp puts on its base model while running.

llama.cpp scales by alpha / rank, whatever the adapter was trained with: for rsLoRA, which scales by
alpha / √rank, alpha · √rank is stored.
Format: convert_lora_to_gguf.py in https://github.com/ggml-org/llama.cpp
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from persona.errors import ModelError

_PREFIX = "base_model.model."


def write_lora(
    out: Path, adapter: Path, config: Any, name: str, asked: Mapping[str, float] | None = None
) -> None:
    """Write the adapter in folder `adapter` for a Qwen3 base of `config`.

    asked: keys for what the model asks to be drawn with under it; llama.cpp itself reads none of an adapter.
    Raises ModelError for DoRA, which is more than two matrices: merge it.
    """
    from safetensors.numpy import load_file

    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("use_dora"):
        raise ModelError("a DoRA adapter cannot be a LoRA file", "export it merged: leave `--lora` out")
    rank, alpha = settings["r"], settings["lora_alpha"]
    writer = gguf.GGUFWriter(str(out), "qwen3")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(
        gguf.Keys.Adapter.LORA_ALPHA, alpha * math.sqrt(rank) if settings.get("use_rslora") else alpha
    )
    writer.add_name(name)
    for key, value in (asked or {}).items():
        writer.add_float32(key, value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    for key, weight in load_file(adapter / "adapter_model.safetensors").items():
        module, _, which = key.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".lora_")
        target = names.get_name(module, try_suffixes=(".weight",))
        if target is None or which not in ("A", "B"):
            raise ModelError(f"the adapter changes {key}, which a LoRA file cannot hold", "export it merged")
        writer.add_tensor(f"{target}.weight.lora_{which.lower()}", weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
