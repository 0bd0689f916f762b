"""A small GGUF writer for the Qwen3 architecture (llama.cpp's own converter is not on PyPI).

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself beyond its shape; `extra` keys go in as they are. memory_tokens: most
    tokens of memories that the model reads well, None for no limit of its own."""

    name: str
    trained_context: int
    memory_tokens: int | None
    chat_template: str
    extra: Mapping[str, bool | str | float] = field(default_factory=dict)


def write_qwen3(
    out: Path, config: Any, weights: Mapping[str, torch.Tensor], tokenizer: Path, header: Header
) -> None:
    """Write `weights` (Hugging Face names) as an F16 GGUF; norms stay F32.

    config: a `Qwen3Config`. tokenizer: a tokenizer.json with a byte-level BPE.
    Raises KeyError for a tensor that the architecture does not know.
    """
    writer = gguf.GGUFWriter(str(out), "qwen3")
    _describe(writer, config, header)
    _vocabulary(writer, tokenizer, config.vocab_size)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    for name, tensor in weights.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        target = names.get_name(name, try_suffixes=(".weight",))
        if target is None:
            raise KeyError(f"no GGUF name for {name}")
        dtype = np.float32 if tensor.ndim == 1 else np.float16
        writer.add_tensor(target, tensor.detach().cpu().float().numpy().astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, config: Any, header: Header) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(header.name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_chat_template(header.chat_template)
    writer.add_uint32("persona.trained_context", header.trained_context)
    if header.memory_tokens is not None:
        writer.add_uint32("persona.memory_tokens", header.memory_tokens)
    for key, value in header.extra.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_string(key, value)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: Path, size: int) -> None:
    spec = json.loads(tokenizer.read_text(encoding="utf-8"))
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [gguf.TokenType.UNUSED] * size
    for text, i in spec["model"]["vocab"].items():
        tokens[i], types[i] = text, gguf.TokenType.NORMAL
    for added in spec["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], kind
    ids = {added["content"]: added["id"] for added in spec["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in spec["model"]["merges"]])
    writer.add_bos_token_id(ids["<|endoftext|>"])
    writer.add_eos_token_id(ids["<|im_end|>"])
    writer.add_pad_token_id(ids["<|endoftext|>"])
    writer.add_add_bos_token(False)
