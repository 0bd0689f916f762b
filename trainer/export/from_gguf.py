"""A GGUF of the Qwen3 architecture as a folder in Hugging Face form: weights, tokenizer, template.

The reverse of `trainer.export.gguf`. transformers has a reader of its own, which does not take Qwen3's
head size from the file. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona.backends.gguf_header import GgufHeader, read_header
from persona.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

METADATA = "persona.json"
"""What a GGUF says of itself that Hugging Face's form has no place for; goes into exports again."""

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
# The pattern of Qwen2 and Qwen3 tokenizers (tokenizer.json of the Qwen3 release, Apache-2.0).
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def write_folder(source: Path, out: Path) -> Path:
    """Write the model of `source` as float32 into `out`, replacing it in one step.

    Quantised weights are widened, which does not bring back what quantising lost.
    Raises ModelError when it is no Qwen3 or its tokenizer is of another kind.
    """
    header = read_header(source)
    if header.text("general.architecture") != "qwen3" or header.text("tokenizer.ggml.pre") != "qwen2":
        raise ModelError(
            f"{source.name} is no Qwen3 model: its GGUF cannot be trained from",
            "give the folder of the model in Hugging Face form",
        )
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write_tokenizer(header, part)
    _model(header, source).save_pretrained(part)
    (part / METADATA).write_text(json.dumps(_metadata(header), indent=2), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    os.replace(part, out)
    return out


def tokenizer_of(header: GgufHeader) -> "Tokenizer":
    """The byte-level BPE of a GGUF, with the same ids. Raises ModelError where they would differ."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokens: list[str] = header.values["tokenizer.ggml.tokens"]
    kinds: list[int] = header.values["tokenizer.ggml.token_type"]
    vocabulary = {text: i for i, text in enumerate(tokens) if kinds[i] == _NORMAL}
    merges = [tuple(merge.split(" ")) for merge in header.values["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = {text: kinds[i] for i, text in enumerate(tokens) if kinds[i] in (_CONTROL, _USER_DEFINED)}
    tokenizer.add_tokens(
        [AddedToken(text, special=kind == _CONTROL, normalized=False) for text, kind in added.items()]
    )
    if any(tokenizer.token_to_id(text) != tokens.index(text) for text in added):
        raise ModelError("the model's special tokens are not at its end", "give it in Hugging Face form")
    return tokenizer


def _write_tokenizer(header: GgufHeader, out: Path) -> None:
    tokenizer_of(header).save(str(out / "tokenizer.json"))
    tokens = header.values["tokenizer.ggml.tokens"]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[header.values["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[header.values["tokenizer.ggml.padding_token_id"]],
        "clean_up_tokenization_spaces": False,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    template = header.text("tokenizer.chat_template")
    (out / "chat_template.jinja").write_text(template, encoding="utf-8")


def _model(header: GgufHeader, source: Path) -> Any:
    import gguf
    import torch
    from gguf.quants import dequantize
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tensors = {t.name: t for t in gguf.GGUFReader(source).tensors}
    config = Qwen3Config(
        vocab_size=len(header.values["tokenizer.ggml.tokens"]),
        hidden_size=header.values["qwen3.embedding_length"],
        intermediate_size=header.values["qwen3.feed_forward_length"],
        num_hidden_layers=header.values["qwen3.block_count"],
        num_attention_heads=header.values["qwen3.attention.head_count"],
        num_key_value_heads=header.values["qwen3.attention.head_count_kv"],
        head_dim=header.values["qwen3.attention.key_length"],
        max_position_embeddings=header.values["qwen3.context_length"],
        rms_norm_eps=header.values["qwen3.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": header.values["qwen3.rope.freq_base"]},
        tie_word_embeddings="output.weight" not in tensors,
        eos_token_id=header.values["tokenizer.ggml.eos_token_id"],
        bos_token_id=None,
        pad_token_id=header.values["tokenizer.ggml.padding_token_id"],
    )
    model = Qwen3ForCausalLM(config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            tensor = tensors[names.get_name(name, try_suffixes=(".weight",))]
            weight.copy_(torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()))
    return model


def _metadata(header: GgufHeader) -> dict[str, Any]:
    kept = {k: v for k, v in header.values.items() if k.startswith("persona.") or k == "general.license"}
    return {"name": header.text("general.name"), "keys": kept}
