"""What a GGUF header says about its model, in the words of `ModelInfo`."""

from pathlib import Path

from persona.backends.base import ModelInfo
from persona.backends.gguf_header import GgufHeader

DEFAULT_CONTEXT = 8192

# llama.cpp's `general.file_type` (enum llama_ftype).
_QUANTISATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    24: "IQ1_S", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16",
}  # fmt: skip

# llama.cpp's keys (https://github.com/ggml-org/llama.cpp/pull/17120), our names, the most that makes sense.
_SAMPLING = {
    "temp": ("temperature", float, 2),
    "top_p": ("top_p", float, 1),
    "top_k": ("top_k", int, 1000),
    "min_p": ("min_p", float, 1),
    "penalty_repeat": ("repeat_penalty", float, 2),
}


def context_length(header: GgufHeader) -> int:
    """Tokens the model's positions were made for, 0 where the file does not say."""
    return header.number(f"{header.text('general.architecture')}.context_length") or 0


def opened_context(header: GgufHeader, asked: int) -> int:
    """Tokens to open the model with: `asked`, or its own up to 8192; never more than its own."""
    own = context_length(header) or DEFAULT_CONTEXT
    return min(asked, own) if asked else min(own, DEFAULT_CONTEXT)


def is_starter(header: GgufHeader) -> bool:
    """Whether this is the bundled starter model."""
    marked = header.values.get("persona.starter") is True
    return marked or header.text("general.name").startswith("persona-starter")


def asked_sampling(header: GgufHeader) -> dict[str, float]:
    """What the file asks to be drawn with; values that make no sense are left out."""
    asked = {}
    for key, (name, kind, most) in _SAMPLING.items():
        value = header.values.get(f"general.sampling.{key}")
        if isinstance(value, (int, float)) and 0 <= value <= most:
            asked[name] = kind(value)
    return asked


def describe(header: GgufHeader, path: Path, context: int) -> ModelInfo:
    """The model of `path`, opened with `context` tokens.

    details: `quantisation`, `context_length` (what the positions were made for), `chat_template`
    (`yes` or `no`), `size_bytes`.
    """
    file_type = header.number("general.file_type")
    return ModelInfo(
        name=header.text("general.name", path.stem),
        architecture=header.text("general.architecture"),
        parameters=header.parameters,
        context=context,
        trained_context=header.number("persona.trained_context"),
        memory_tokens=header.number("persona.memory_tokens"),
        is_starter=is_starter(header),
        path=str(path),
        details={
            "quantisation": "unknown" if file_type is None else _QUANTISATIONS.get(file_type, str(file_type)),
            "context_length": str(context_length(header)),
            "chat_template": "yes" if header.text("tokenizer.chat_template") else "no",
            "size_bytes": str(header.size_bytes),
        },
        sampling=asked_sampling(header),
    )
