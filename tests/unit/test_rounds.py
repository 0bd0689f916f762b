"""A reply that goes round is ended, and nothing else is."""

from pathlib import Path
from threading import Event

import pytest
from tiny_model import write_scripted_qwen3

from persona.backends.base import ChatMessage, Prompt, Sampling, TextDelta
from persona.backends.llama_cpp import LlamaCppBackend
from persona.backends.rounds import goes_round
from persona.backends.sampling import recommended
from persona.config import ModelSettings


@pytest.mark.parametrize(
    ("tokens", "round_"),
    [
        ([1, *[7] * 16], True),
        ([7] * 15, False),
        ([1, 2, 3, *[4, 5, 6] * 6], True),
        ([4, 5, 6] * 4, False),
        ([*range(16)] * 4, True),
        ([*range(17)] * 4, False),
        ([*[4, 5, 6] * 9, 7], False),
        (list(range(400)), False),
        ([], False),
    ],
)
def test_one_stretch_over_and_over_is_a_round(tokens: list[int], round_: bool) -> None:
    assert goes_round(tokens) is round_


def test_only_the_starter_is_drawn_greedily_and_ended() -> None:
    for thinking in (False, True):
        assert recommended("starter", thinking=thinking).ends_rounds
        assert not recommended("qwen3", thinking=thinking).ends_rounds


def test_a_tuned_starter_that_said_im_in_for_ever_stops(tmp_path: Path) -> None:
    script = write_scripted_qwen3(tmp_path / "m.gguf", ["i am", " in,"], endless=True)
    backend = LlamaCppBackend(script, ModelSettings(threads=1))
    prompt = Prompt((ChatMessage("user", "hi"),), thinking=False)

    def said(**changes: bool) -> str:
        sampling = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_tokens=60, **changes)
        return "".join(e.text for e in backend.stream(prompt, sampling, Event()) if isinstance(e, TextDelta))

    try:
        assert said().count("i am") == 20
        assert said(ends_rounds=True).count("i am") == 6
        assert said(ends_rounds=True, ignore_eos=True).count("i am") == 20
    finally:
        backend.close()
