"""A LoRA adapter for the tiny model, as a file."""

from pathlib import Path

import gguf
import numpy as np

HIDDEN, FFN = 64, 128


def write_adapter(file: Path, strength: float, hidden: int = HIDDEN) -> Path:
    """An adapter of rank 2 on one matrix of the tiny model."""
    rng = np.random.default_rng(5)
    writer = gguf.GGUFWriter(str(file), "qwen3")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 2.0)
    down = rng.standard_normal((2, FFN)).astype(np.float32)
    up = (strength * rng.standard_normal((hidden, 2))).astype(np.float32)
    writer.add_tensor("blk.1.ffn_down.weight.lora_a", down)
    writer.add_tensor("blk.1.ffn_down.weight.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
