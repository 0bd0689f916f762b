"""A cross-encoder reads question and message together, and orders the best matches anew.

None travels with the program and none is used unless a setting names one: none was measured here.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from knowledge.embedding import ONE_AT_A_TIME, precision, stay_offline
from knowledge.errors import ModelError

if TYPE_CHECKING:
    from knowledge.timeline import Floats

_BATCH = 32
_LONGEST = 256
"""Tokens read of a question and a message, where the model allows as many."""

_HINT = "give `memory.reranker` a folder of a sentence-transformers cross-encoder, or leave it empty"


class Reranker:
    """A sentence-transformers CrossEncoder by name or folder, loaded when first used."""

    def __init__(self, model: str) -> None:
        self.name = model

    def scores(self, question: str, texts: Sequence[str]) -> "Floats":
        """How well each text answers, in the order given; comparable for one question only.

        Raises ModelError when the model cannot be loaded, or is none that gives a pair one score.
        """
        with ONE_AT_A_TIME:
            model = _load(self.name)
            with precision():
                found: Floats = model.predict(
                    [(question, text) for text in texts],
                    batch_size=_BATCH,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        if found.ndim != 1:
            raise ModelError(f"{self.name!r} gives a pair {found.shape[1]} scores", _HINT)
        return found


@cache
def _load(name: str) -> Any:
    stay_offline()
    try:
        from sentence_transformers import CrossEncoder

        model = CrossEncoder(name)
    except Exception as error:
        raise ModelError(
            f"the cross-encoder {name!r} cannot be loaded: {type(error).__name__}", _HINT
        ) from error
    # any model loads as one, with a head of random weights where it has none of its own
    if all(kind.endswith("Model") for kind in model.config.architectures or ()):
        raise ModelError(f"{name!r} is no cross-encoder: nothing in it scores a pair", _HINT)
    model.max_seq_length = min(model.max_seq_length or _LONGEST, _LONGEST)
    return model
