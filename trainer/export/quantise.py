"""Smaller weights, by llama.cpp's own quantiser."""

import ctypes
from pathlib import Path

from persona.errors import ModelError

KINDS = {"F16": None, "Q8_0": 7, "Q4_K_M": 15}
"""llama.cpp's `llama_ftype` of each; F16 is how models are written."""


def quantise(source: Path, out: Path, kind: str) -> None:
    """Write `source` (F16) as `kind`. Rows that K-quants do not fit keep a larger type.

    Raises ModelError when llama.cpp refuses.
    """
    from llama_cpp import llama_cpp as lib

    from persona.backends import llama_engine

    params = lib.llama_model_quantize_default_params()
    params.ftype = KINDS[kind]
    part = out.with_name(out.name + ".part")
    code = lib.llama_model_quantize(str(source).encode(), str(part).encode(), ctypes.byref(params))
    if code != 0:
        part.unlink(missing_ok=True)
        raise ModelError(
            f"{source.name} cannot be quantised: {llama_engine.last_errors() or code}", "export it as F16"
        )
    part.replace(out)
