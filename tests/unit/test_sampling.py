"""How a model is drawn: as its family asks, unless its own file asks for something."""

from pathlib import Path

import gguf
import pytest

from persona import models
from persona.backends.sampling import recommended


def header(path: Path, **asked: float) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    for key, value in asked.items():
        writer.add_float32(f"general.sampling.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_a_file_that_says_how_to_draw_it_is_obeyed(tmp_path: Path) -> None:
    info = models.info(header(tmp_path / "a.gguf", temp=1.5, min_p=0.25, top_k=7.0))
    sampling = recommended("other", thinking=False, asked=info.sampling)
    assert (sampling.temperature, sampling.min_p, repr(sampling.top_k)) == (1.5, 0.25, "7")
    assert sampling.top_p == recommended("other", thinking=False).top_p, "what it does not say stays"


def test_what_makes_no_sense_is_not(tmp_path: Path) -> None:
    nonsense = header(tmp_path / "a.gguf", temp=-1.0, top_p=7.0, min_p=float("nan"))
    assert models.info(nonsense).sampling == {}


@pytest.mark.parametrize("thinking", [False, True])
def test_qwen3_has_one_for_each_mode_which_a_file_cannot_say(thinking: bool) -> None:
    assert recommended("qwen3", thinking=thinking, asked={"temperature": 0.1}) == recommended(
        "qwen3", thinking=thinking
    )
