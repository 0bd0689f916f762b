"""The kinds of model that can be trained: what their projections are called, and where one finds them.

A recipe names projections as Llama and Qwen3 do; Phi-2 has other names, and Phi-3 has some of them in one
matrix. Sources: the modeling files of transformers 5.23.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persona.errors import ModelError


@dataclass(frozen=True, slots=True)
class Architecture:
    """kind: `model_type` of config.json. renamed: what this kind calls a projection of a recipe; "" where it
    has none. own_writer: whether this project writes its GGUF itself."""

    kind: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    own_writer: bool = False

    def modules(self, projections: Iterable[str]) -> tuple[str, ...]:
        """The names of `projections` in a model of this kind, each once."""
        names = (self.renamed.get(projection, projection) for projection in projections)
        return tuple(dict.fromkeys(name for name in names if name))


_KNOWN = {
    made.kind: made
    for made in (
        Architecture("qwen3", own_writer=True),
        Architecture("llama"),
        Architecture("mistral"),
        Architecture("gemma3"),
        Architecture("gemma3_text"),
        Architecture("phi", {"o_proj": "dense", "gate_proj": "", "up_proj": "fc1", "down_proj": "fc2"}),
        Architecture(
            "phi3",
            {
                **dict.fromkeys(("q_proj", "k_proj", "v_proj"), "qkv_proj"),
                **dict.fromkeys(("gate_proj", "up_proj"), "gate_up_proj"),
            },
        ),
    )
}

FOLDERS = {
    "tinyllama-1.1b": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "phi-2": "microsoft/phi-2",
    "phi-3-mini": "microsoft/Phi-3-mini-4k-instruct",
    "mistral-7b": "mistralai/Mistral-7B-Instruct-v0.3",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B-Instruct",
    "gemma-3-12b": "google/gemma-3-12b-it",
}
"""Models that are trained from their folder (their GGUFs cannot be), with where it lies on huggingface.co."""


def architecture(folder: Path) -> Architecture:
    """The kind of the model in `folder`. Raises ModelError where it is none that can be trained."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        raise ModelError(
            f"{folder} holds no readable config.json", "give the folder of a model, or a GGUF file"
        ) from None
    if kind not in _KNOWN:
        raise ModelError(
            f"{folder.name} is a {kind} model, which cannot be trained here", f"kinds: {', '.join(_KNOWN)}"
        )
    return _KNOWN[kind]
