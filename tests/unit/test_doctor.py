"""The doctor's findings, each with a remedy; what kills an engine kills a child only."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from persona import config, paths
from persona.config import ModelSettings
from persona.lab import probe
from persona.lab.doctor import chat, hardware, home, quoting, traps
from persona.lab.doctor.chat import Weight
from persona.lab.doctor.check import Check
from persona.lab.probe import Probed
from persona.machine import GIB

MODEL = Weight("some-model", 400_000_000, 2 * GIB)


def at(speed: float) -> Probed:
    """A machine on which `MODEL` would write so many tokens a second."""
    return Probed(speed, MODEL.file)


@pytest.mark.parametrize(
    ("found", "ram", "status", "says"),
    [
        (at(5), 16, "warn", "slow"),
        (at(12), 16, "ok", "acceptable"),
        (at(25), 16, "ok", "good"),
        (at(35), 16, "ok", "great"),
        (at(35), 3, "warn", "2.0 of 3.0 GiB"),
        (Probed(0, 1, "SIGILL"), 16, "fail", "SIGILL"),
    ],
)
def test_the_gates_of_chatting(found: Probed, ram: int, status: str, says: str) -> None:
    check = chat.verdict("chat", MODEL, found, ram * GIB, 0)
    assert check.status == status
    assert says in check.detail
    assert bool(check.remedy) == (status != "ok")


def test_a_small_model_writes_in_a_child_process() -> None:
    found = probe.probe("tiny", "ours")
    assert found.died_of == ""
    assert found.tokens_per_second > 0
    assert found.rate == found.tokens_per_second * found.bytes


def test_a_child_that_dies_of_its_processor_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -ILL $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    found = probe.probe("tiny", "plain")
    assert found.died_of == "SIGILL"
    check = traps.amx_verdict(found)
    assert check.status == "warn"
    assert "SIGILL" in check.detail
    assert traps.amx_verdict(Probed(9, 9)).status == "ok"


@pytest.mark.parametrize(
    ("torch_cuda", "usable", "offloads", "cards", "status", "says"),
    [
        (None, False, False, 0, "ok", "built for this machine"),
        ("12.8", True, True, 1, "ok", "built for this machine"),
        ("12.8", False, False, 0, "warn", "there is no card"),
        ("12.8", False, False, 1, "warn", "cannot use the card"),
        (None, False, True, 0, "warn", "llama.cpp"),
    ],
)
def test_builds_for_a_card(
    torch_cuda: str | None, usable: bool, offloads: bool, cards: int, status: str, says: str
) -> None:
    check = traps.cuda_build_verdict(torch_cuda=torch_cuda, usable=usable, offloads=offloads, cards=cards)
    assert check.status == status
    assert says in check.detail
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("guessed", "set_to", "better", "status"),
    [
        (30, "off", "prompt_lookup", "ok"),
        (30, "prompt_lookup", "prompt_lookup", "ok"),
        (21, "off", "off", "ok"),
        (19, "prompt_lookup", "off", "ok"),
        (12, "prompt_lookup", "off", "warn"),
    ],
)
def test_prompt_lookup_is_suggested_where_it_pays(
    guessed: float, set_to: str, better: str, status: str
) -> None:
    check = quoting.verdict({"off": 20, "prompt_lookup": guessed}, set_to)
    assert check.status == status
    assert ("model.speculative off" in check.remedy) == (status == "warn")
    assert quoting.suggested([check]) == {"model.speculative": better}


def test_a_model_answers_from_memories_with_prompt_lookup_and_without() -> None:
    settings = ModelSettings(threads=1)
    [check] = quoting.checks(paths.starter_model(), settings)
    speeds = check.figures["tokens_per_second"]
    assert min(speeds["off"], speeds["prompt_lookup"]) > 0
    assert quoting.suggested([]) == {}


def test_two_kinds_of_openmp_are_told_from_two_copies_of_one() -> None:
    def loaded(*prefixes: str) -> list[dict[str, str]]:
        return [{"user_api": "openmp", "prefix": prefix} for prefix in prefixes]

    assert traps.openmp_verdict(loaded("libgomp", "libgomp")).status == "ok"
    assert traps.openmp_verdict([]).status == "ok"
    assert (
        traps.openmp_verdict([{"user_api": "blas", "prefix": "libopenblas"}, *loaded("libgomp")]).status
        == "ok"
    )
    assert traps.openmp_verdict(loaded("libgomp", "libiomp")).status == "warn"


def test_a_card_without_its_driver_is_seen_on_the_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "0000:01:00.0"
    device.mkdir()
    (device / "class").write_text("0x030200\n")
    (device / "vendor").write_text("0x10de\n")
    monkeypatch.setattr(hardware, "_PCI", tmp_path)
    monkeypatch.setattr(hardware.shutil, "which", lambda _: None)
    monkeypatch.setattr(hardware.machine, "gpus", list)
    check = hardware.CHECKS["gpu"]()
    assert check.status == "warn"
    assert "driver" in check.remedy
    (device / "vendor").write_text("0x8086\n")
    assert hardware.CHECKS["gpu"]().status == "ok"


def found_at_home(name: str) -> Check:
    return next(check for check in home.checks(config.load()) if check.name == name)


def damaged_sessions() -> None:
    paths.sessions_file().parent.mkdir(parents=True, exist_ok=True)
    paths.sessions_file().write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def open_keys() -> None:
    paths.env_file().parent.mkdir(parents=True, exist_ok=True)
    paths.env_file().write_text("PERSONA_SERVE_TOKEN=x\n")
    paths.env_file().chmod(0o644)


def cut_model() -> None:
    file = paths.models_dir() / "Qwen3-0.6B-Q8_0.gguf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(paths.starter_model().read_bytes())


@pytest.mark.parametrize(
    ("name", "spoil", "remedy"),
    [
        ("stores", damaged_sessions, "backup"),
        ("keys", open_keys, "chmod 600"),
        ("models", cut_model, "models pull qwen3-0.6b"),
    ],
)
def test_what_is_spoilt_at_home_is_found(name: str, spoil: Callable[[], None], remedy: str) -> None:
    assert found_at_home(name).status == "ok"
    spoil()
    check = found_at_home(name)
    assert check.status != "ok"
    assert remedy in check.remedy
