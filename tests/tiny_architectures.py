"""Tiny random models of every kind in the catalogue that is no Qwen3, in Hugging Face form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiny_model import byte_alphabet

from trainer.recipe import PROJECTIONS

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}


@dataclass(frozen=True)
class Kind:
    """A model of the catalogue in small. special: its tokenizer's first tokens. end: what ends its replies.
    by_bytes: byte-level BPE, else SentencePiece's kind. modules: what of it an adapter is put on."""

    type: str
    special: Sequence[str]
    template: str
    end: str
    modules: set[str]
    bos: str = ""
    eos: str = "</s>"
    by_bytes: bool = False
    shape: dict[str, Any] = field(default_factory=dict)


LLAMA = set(PROJECTIONS)
# In the form of the published templates, without their tools.
_INSTRUCT = (
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}"
    "{% set ns.system = m.content + '\n\n' %}{% elif m.role == 'user' %}"
    "[INST] {{ (ns.system if loop.last else '') + m.content }}[/INST]"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
_GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set talk = messages[1:] %}{% else %}{% set first = '' %}{% set talk = messages %}{% endif %}"
    "{% for m in talk %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ (first if loop.first else '') + m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_GEMMA_TOKENS = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
KINDS = {
    "tinyllama-1.1b": Kind(
        "llama",
        ("<unk>", "<s>", "</s>"),
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content + eos_token }}\n"
        "{% if loop.last and add_generation_prompt %}<|assistant|>\n{% endif %}{% endfor %}",
        "</s>",
        LLAMA,
        bos="<s>",
    ),
    "phi-2": Kind(
        "phi",
        ("<|endoftext|>",),
        "{% for m in messages %}{% if m.role == 'assistant' %}Output: {{ m.content + eos_token }}\n"
        "{% else %}{{ 'Instruct: ' if m.role == 'user' }}{{ m.content }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}Output: {% endif %}",
        "<|endoftext|>",
        {"q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"},
        eos="<|endoftext|>",
        by_bytes=True,
        shape={"num_key_value_heads": 4, "partial_rotary_factor": 0.5},
    ),
    "phi-3-mini": Kind(
        "phi3",
        ("<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}",
        "<|end|>",
        {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"},
        bos="<s>",
        eos="<|endoftext|>",
        shape={"pad_token_id": 3, "bos_token_id": 1, "eos_token_id": 3},
    ),
    "mistral-7b": Kind(
        "mistral", ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), _INSTRUCT, "</s>", LLAMA, bos="<s>"
    ),
    "llama-3.1-8b": Kind(
        "llama",
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        "<|eot_id|>",
        LLAMA,
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        by_bytes=True,
        shape={
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500_000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 512,
            }
        },
    ),
    "gemma-3-12b": Kind(
        "gemma3_text",
        _GEMMA_TOKENS,
        _GEMMA,
        "<end_of_turn>",
        LLAMA,
        bos="<bos>",
        eos="<eos>",
        shape={"head_dim": 8, "sliding_window": 64},
    ),
}


def write_model(folder: Path, kind: Kind) -> Path:
    """A random model of that kind in Hugging Face form: a few hundred tokens, two layers."""
    from transformers import AutoConfig, AutoModelForCausalLM

    size = write_tokenizer(folder, kind)
    shape = {**SHAPE, "vocab_size": size, **kind.shape}
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind.type, **shape)).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path, kind: Kind) -> int:
    """Its tokenizer and template; how many tokens it has."""
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    special = list(kind.special)
    if kind.by_bytes:
        vocabulary = [*special, *byte_alphabet()]
        tokenizer = Tokenizer(BPE({text: i for i, text in enumerate(vocabulary)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        vocabulary = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *map(chr, range(33, 127)), "▁"]
        bpe = BPE({text: i for i, text in enumerate(vocabulary)}, [], byte_fallback=True)
        tokenizer = Tokenizer(bpe)
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = {"bos_token": kind.bos, "eos_token": kind.eos} if kind.bos else {"eos_token": kind.eos}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(kind.template, encoding="utf-8")
    return len(vocabulary)
