"""Models of a true shape and of random weights, so that anyone can repeat a figure without a download.

Speed depends on the shape of a model and on how its weights are packed, not on what they say: every block is
filled with random bytes under a scale that keeps its values finite. The mix of types is Q4_K_M's, as
llama.cpp chooses it (`llama-quant.cpp`: `use_more_bits`). The tokenizer is the starter's, filled up to the
shape's vocabulary with pairs of words that no text can contain as one word, so that token counts stay as
they are.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona import paths
from persona.backends.gguf_header import read_header

if TYPE_CHECKING:
    import gguf
    import numpy as np

_CONTEXT = 40_960
_VERSION = 1
"""Part of the file's name: raise it when what is written changes."""

_NORMAL = 1
_BLOCK = 256
_WORD = "Ġ"
"""The first character of a token that begins with a blank."""

# Standard deviation of a block of random bytes under a scale of 1 (found by drawing 10,000 blocks).
_SPREAD = {"Q4_K": 220.0, "Q6_K": 1370.0}


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Qwen3 model. vocabulary: 0 takes the starter's own."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int = 151_936


SHAPES: dict[str, Shape] = {
    "0.6b": Shape(28, 1024, 3072, 16, 8, 128),
    "1.7b": Shape(28, 2048, 6144, 16, 8, 128),
    "4b": Shape(36, 2560, 9728, 32, 8, 128),
    "probe": Shape(8, 1024, 3072, 16, 8, 128, vocabulary=0),
    "tiny": Shape(2, 256, 512, 4, 2, 64, vocabulary=0),
}
"""Qwen3's own; `probe` is eight layers of the smallest, for a quick look; `tiny` is for tests."""


def file_name(shape: str) -> str:
    """What the file of a shape is called."""
    return f"random-qwen3-{shape}-{_VERSION}.gguf"


def ensure(shape: str, folder: Path) -> Path:
    """The model of a shape in `folder`, written when it is not there. Same shape, same bytes."""
    path = folder / file_name(shape)
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        _write(part, shape)
        os.replace(part, path)
    return path


def _write(path: Path, name: str) -> None:
    import gguf
    import numpy as np

    shape = SHAPES[name]
    header = read_header(paths.starter_model()).values
    tokens, kinds, merges = _vocabulary(header, shape.vocabulary)
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"random qwen3 {name}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(shape.layers)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(header["tokenizer.ggml.pre"])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(header["tokenizer.ggml.bos_token_id"])
    writer.add_eos_token_id(header["tokenizer.ggml.eos_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(header["tokenizer.chat_template"])
    tensors = list(_tensors(shape, len(tokens)))
    for tensor, rows, columns, kind in tensors:
        size, dtype = _packed(rows, columns, kind)
        writer.add_tensor_info(tensor, size, dtype, size[0] * (size[1] if len(size) > 1 else 4), _type(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(0)
    for _, rows, columns, kind in tensors:
        # one at a time: the whole model would stand in this process's peak memory
        writer.write_tensor_data(_drawn(rows, columns, kind, rng))
    writer.close()


def _vocabulary(header: dict[str, Any], size: int) -> tuple[list[str], list[int], list[str]]:
    """The starter's tokens, their kinds and merges, filled up to `size` tokens."""
    tokens = list(header["tokenizer.ggml.tokens"])
    kinds = list(header["tokenizer.ggml.token_type"])
    merges = list(header["tokenizer.ggml.merges"])
    words = [t for t, kind in zip(tokens, kinds, strict=True) if kind == _NORMAL and t.startswith(_WORD)]
    pairs = ((a, b) for a in words for b in words)
    while len(tokens) < size:
        a, b = next(pairs)
        tokens.append(a + b)
        kinds.append(_NORMAL)
        merges.append(f"{a} {b}")
    return tokens, kinds, merges


def _tensors(shape: Shape, vocabulary: int) -> Iterator[tuple[str, int, int, str]]:
    """Name, rows, columns (0 for a vector) and type of every tensor."""
    hidden, wide = shape.hidden, shape.feed_forward
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    yield "token_embd.weight", vocabulary, hidden, "Q6_K"
    yield "output_norm.weight", hidden, 0, "F32"
    for layer in range(shape.layers):
        finer = "Q6_K" if _more_bits(layer, shape.layers) else "Q4_K"
        for name, rows, columns, kind in (
            ("attn_norm", hidden, 0, "F32"),
            ("ffn_norm", hidden, 0, "F32"),
            ("attn_q_norm", shape.head_size, 0, "F32"),
            ("attn_k_norm", shape.head_size, 0, "F32"),
            ("attn_q", queries, hidden, "Q4_K"),
            ("attn_k", keys, hidden, "Q4_K"),
            ("attn_v", keys, hidden, finer),
            ("attn_output", hidden, queries, "Q4_K"),
            ("ffn_gate", wide, hidden, "Q4_K"),
            ("ffn_up", wide, hidden, "Q4_K"),
            ("ffn_down", hidden, wide, finer),
        ):
            yield f"blk.{layer}.{name}.weight", rows, columns, kind


def _more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _type(kind: str) -> "gguf.GGMLQuantizationType":
    import gguf

    return gguf.GGMLQuantizationType[kind]


def _packed(rows: int, columns: int, kind: str) -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    """Shape and type of the array that holds a tensor: bytes for packed ones."""
    import gguf
    import numpy as np

    if kind == "F32":
        return (rows,), np.dtype(np.float32)
    return (rows, columns // _BLOCK * gguf.GGML_QUANT_SIZES[_type(kind)][1]), np.dtype(np.uint8)


def _drawn(rows: int, columns: int, kind: str, rng: "np.random.Generator") -> "np.ndarray[Any, Any]":
    """Ones for a vector of scales, else random blocks whose values have a variance of 1 / columns."""
    import numpy as np

    size, dtype = _packed(rows, columns, kind)
    if kind == "F32":
        return np.ones(size, dtype)
    blocks = rng.integers(
        0, 256, (rows * columns // _BLOCK, size[1] * _BLOCK // columns), dtype, endpoint=False
    )
    scale = np.float16(1 / (_SPREAD[kind] * columns**0.5))
    if kind == "Q4_K":
        # d, dmin: values are d · scale · (0…15) − dmin · least, so this dmin centres them
        blocks[:, :4] = np.array([scale, np.float16(7.5 * scale)]).view(np.uint8)
    else:
        blocks[:, -2:] = np.array([scale]).view(np.uint8)
    return blocks.reshape(size)
