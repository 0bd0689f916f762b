"""The sampling each family of models asks for."""

from persona.backends.base import Sampling

# Qwen3's model card; thinking must never be greedy, or it loops.
_QWEN3_THINKING = Sampling(temperature=0.6, top_p=0.95, top_k=20, min_p=0.0)
_QWEN3_DIRECT = Sampling(temperature=0.7, top_p=0.8, top_k=20, min_p=0.0)

# The starter model is a reader that copies from its context: anything but the likeliest is a mistake.
_STARTER = Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repeat_penalty=1.0)

_OTHER = Sampling(temperature=0.7, top_p=0.9, top_k=40, min_p=0.0)


def default_sampling(architecture: str, *, is_starter: bool, thinking: bool) -> Sampling:
    """The recommended sampling of a model. architecture: GGUF's `general.architecture`."""
    if is_starter:
        return _STARTER
    if architecture.startswith("qwen3"):
        return _QWEN3_THINKING if thinking else _QWEN3_DIRECT
    return _OTHER
