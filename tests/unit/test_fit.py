"""What a model takes of memory: against llama.cpp's own account, and what is chosen by it."""

import logging
import math
import re
import threading
from pathlib import Path

import pytest

from persona import machine, paths
from persona.backends import fit
from persona.backends.base import ChatMessage, Prompt, Sampling, TextDelta
from persona.backends.fit import CacheType, Fit, Need, Room
from persona.backends.gguf_header import GgufHeader, read_header
from persona.backends.llama_cpp import LlamaCppBackend, options
from persona.config import ModelSettings
from persona.lab.bench import random_model
from persona.lab.doctor import cache
from persona.lab.probe import Probed

GIB = 2**30
QUESTION = Prompt((ChatMessage("user", "My dog is called Joris. What is my dog called?"),))


def model(name: str, folder: Path, tiny: Path) -> Path:
    return {"starter": paths.starter_model(), "tiny": tiny}.get(name) or random_model.ensure(name[7:], folder)


@pytest.mark.parametrize("name", ["starter", "tiny", "random-tiny"])
@pytest.mark.parametrize(
    ("kind", "context"), [("f16", 4000), ("f16", 1024), ("q8_0", 4000), ("q8_0", 1024), ("q4_0", 2048)]
)
def test_the_figures_are_those_of_llama_cpp_and_the_model_answers(
    name: str,
    kind: CacheType,
    context: int,
    tmp_path: Path,
    tiny_model_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "persona.llama_cpp")
    path = model(name, tmp_path, tiny_model_path)
    settings = ModelSettings(threads=1, kv_cache=kind, context=context)
    need, chosen = fit.opening(read_header(path), settings, Room(64 * GIB))
    assert chosen == Fit(kind, 0, whole=True)

    held = LlamaCppBackend(path, settings)
    sampling = Sampling(temperature=0, top_p=1, top_k=0, max_tokens=12, seed=1)
    events = list(held.stream(QUESTION, sampling, threading.Event()))
    held.close()
    assert "".join(event.text for event in events if isinstance(event, TextDelta))

    assert need.weights == pytest.approx(said("model buffer size", caplog.text), rel=0.02)
    rounded = 2**20 / 200  # to hundredths of a MiB
    assert need.cache(kind) == pytest.approx(said("KV buffer size", caplog.text), abs=rounded)
    assert need.work(kind) == pytest.approx(said("compute buffer size", caplog.text), rel=0.06)


def said(what: str, log: str) -> float:
    """Bytes that llama.cpp says a buffer has."""
    [mib] = re.findall(rf"{what} = +([\d.]+) MiB", log)
    return float(mib) * 2**20


WEIGHTS, LAYERS = 4 * GIB, 8
NEED = Need(
    context=8192,
    weights=WEIGHTS,
    parts=(WEIGHTS // 9,) * 9,
    shares=(0, *[8192] * LAYERS),
    packs=True,
    work_plain=GIB // 4,
    work_flash=GIB // 4,
)
"""4 GiB of weights, 1 GiB of cache as f16."""


@pytest.mark.parametrize(
    ("room", "asked", "chosen"),
    [
        (Room(16 * GIB), {}, Fit("f16", 0, True)),
        (Room(10 * GIB), {}, Fit("q8_0", 0, True)),
        (Room(8 * GIB), {}, Fit("q8_0", 0, False)),
        (Room(0), {}, Fit("f16", 0, True)),
        (Room(10 * GIB), {"kv_cache": "f16"}, Fit("f16", 0, False)),
        (Room(16 * GIB, 8 * GIB), {}, Fit("f16", 9, True)),
        (Room(16 * GIB, 5 * GIB), {}, Fit("q8_0", 9, True)),
        (Room(16 * GIB, 2 * GIB), {}, Fit("q8_0", 3, False)),
        (Room(16 * GIB, 0), {}, Fit("q8_0", 0, False)),
        (Room(16 * GIB, math.inf), {}, Fit("f16", 9, True)),
        (Room(16 * GIB, 8 * GIB), {"layers": 0}, Fit("f16", 0, True)),
        (Room(16 * GIB, 8 * GIB), {"layers": 99}, Fit("f16", 9, True)),
        (Room(16 * GIB, 3 * GIB), {"layers": 4}, Fit("f16", 4, True)),
    ],
)
def test_what_fits_is_chosen(room: Room, asked: dict[str, object], chosen: Fit) -> None:
    assert NEED.cache("f16") == GIB
    assert fit.fit(NEED, room, **asked) == chosen  # type: ignore[arg-type]
    if room.card not in (None, math.inf) and not asked:
        assert NEED.on_card(chosen.kv_cache, chosen.layers) <= room.card  # type: ignore[operator]


def test_auto_packs_the_cache_on_a_small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    header, settings = read_header(paths.starter_model()), ModelSettings(threads=1)
    for memory, kind in ((64 * GIB, None), (100 * 2**20, 8)):
        monkeypatch.setattr(machine, "ram", lambda memory=memory: memory)
        opened = options(header, settings)
        assert (opened["type_k"], opened["type_v"]) == (kind, kind)
        assert opened["flash_attn"] == bool(kind)
        held = LlamaCppBackend(paths.starter_model(), settings)
        assert held.count_prompt(QUESTION)
        held.close()


def test_heads_that_cannot_be_packed_and_layers_without_a_cache() -> None:
    values = {
        "general.architecture": "phi2",
        "phi2.block_count": 4,
        "phi2.embedding_length": 320,
        "phi2.attention.head_count": 4,
        "phi2.context_length": 2048,
    }
    need = fit.needed(GgufHeader(values, 0, 0), 2048)
    assert need.cache_types == ("f16",), "80 numbers a head are no whole number of blocks"
    assert need.a_token("f16") == 4 * 4 * 160 * 2
    hybrid = {**values, "phi2.full_attention_interval": 4}
    assert fit.needed(GgufHeader(hybrid, 0, 0), 2048).a_token("f16") == 4 * 160 * 2
    listed = {**values, "phi2.attention.head_count_kv": [0, 2, 0, 1]}
    assert fit.needed(GgufHeader(listed, 0, 0), 2048).a_token("f16") == 3 * 160 * 2


def test_cards_tell_what_is_free() -> None:
    [a10, mig] = machine._parse("NVIDIA A10, 23028, 22600\nNVIDIA H100, MIG, [N/A], [N/A]\n")
    assert (a10.memory, a10.free) == (23028 * 2**20, 22600 * 2**20)
    assert (mig.name, mig.memory, mig.free) == ("NVIDIA H100, MIG", 0, None)


def opening(room: Room, free: int, *, packs: CacheType | None = None) -> cache.Opening:
    speeds: dict[CacheType, Probed] = {"f16": Probed(20, 1, read=512), "q8_0": Probed(15, 1, read=512)}
    return cache.Opening("some-model", NEED, fit.fit(NEED, room, kv_cache=packs), room, free, 4096, speeds)


@pytest.mark.parametrize(
    ("found", "status", "says", "line"),
    [
        (opening(Room(16 * GIB), 12 * GIB), "ok", "under half of the memory (8,589,934,592), so f16", ""),
        (opening(Room(16 * GIB), 5 * GIB), "warn", "so f16", "model.kv_cache q8_0"),
        (opening(Room(10 * GIB), 9 * GIB), "ok", "so q8_0; all layers on the processor", ""),
        (opening(Room(8 * GIB), 7 * GIB), "warn", "over half", "model.context 4096"),
        (opening(Room(10 * GIB), 9 * GIB, packs="f16"), "warn", "over half", "model.kv_cache q8_0"),
        (opening(Room(16 * GIB, 8 * GIB), 9 * GIB), "ok", "9 of 9 layers on the card", ""),
        (opening(Room(16 * GIB, 2 * GIB), 9 * GIB), "warn", "3 of 9 layers on the card", "smaller model"),
    ],
)
def test_doctor_says_what_is_chosen_and_why(found: cache.Opening, status: str, says: str, line: str) -> None:
    check = cache.verdict(found)
    assert check.status == status
    assert says in check.detail
    assert f"{NEED.cache('q8_0'):,}" in check.detail
    assert "after 512 tokens it writes 20.0 (f16), 15.0 (q8_0) a second" in check.detail
    assert line in check.remedy
    assert bool(check.remedy) == bool(line)
    assert check.figures["cache"]["f16"] == GIB


def test_doctor_measures_the_model_that_talks(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from persona import config
    from persona.lab.doctor import suggest

    monkeypatch.setenv("PERSONA_MODEL__NAME", str(tiny_model_path))
    monkeypatch.setenv("PERSONA_MODEL__THREADS", "1")
    check, lookup = cache.checks(config.load())
    assert check.status == "ok"
    assert check.figures["context"] == 8192
    assert set(check.figures["tokens_per_second"]) == {"f16", "q8_0"}
    assert min(check.figures["tokens_per_second"].values()) > 0
    assert suggest()["settings"] == {"model.kv_cache": "f16"}
    assert set(lookup.figures["tokens_per_second"]) == {"off", "prompt_lookup"}
    assert suggest([check, lookup])["settings"] == {
        "model.kv_cache": "f16",
        "model.speculative": lookup.figures["speculative"],
    }
