"""The bench: its own models, what it says of them, and how it compares."""

import json
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from knowledge.progress import Progress
from persona import gates, paths
from persona.backends.gguf_header import read_header
from persona.backends.tokens import build_vocabulary
from persona.cli.root import run
from persona.errors import ModelError, PersonaError
from persona.lab.bench import compare, first_token, forecast, random_model
from persona.lab.bench.forecast import Forecast, Work

QWEN3_PARAMETERS = {"0.6b": 596_049_920, "1.7b": 1_720_574_976, "4b": 4_022_468_096}


@pytest.mark.parametrize("shape", QWEN3_PARAMETERS)
def test_a_shape_has_the_parameters_of_the_model_it_is_named_after(shape: str) -> None:
    sizes = random_model.SHAPES[shape]
    tensors = random_model._tensors(sizes, sizes.vocabulary)
    assert sum(rows * (columns or 1) for _, rows, columns, _ in tensors) == QWEN3_PARAMETERS[shape]


def test_the_same_shape_is_the_same_file(tmp_path: Path) -> None:
    first, second = (random_model.ensure("tiny", tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == [random_model.file_name("tiny")]
    assert build_vocabulary(read_header(first)) is not None


def test_tokens_that_fill_a_vocabulary_up_do_not_change_how_text_is_cut() -> None:
    header = read_header(paths.starter_model())
    own = build_vocabulary(header)
    tokens, kinds, merges = random_model._vocabulary(header.values, 9000)
    assert len(tokens) == len(set(tokens)) == len(kinds) == 9000
    header.values.update(
        {
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": kinds,
            "tokenizer.ggml.merges": merges,
        }
    )
    filled = build_vocabulary(header)
    assert own is not None
    assert filled is not None
    text = "On 12 March 2024 I moved to Porto, and the new job starts on Monday. " * 3
    assert own.encode(text, template=False) == filled.encode(text, template=False)


def measured(*options: str, capsys: pytest.CaptureFixture[str], ended: int = 0) -> dict[str, Any]:
    """The document of a bench of the smallest model."""
    assert run(["bench", "--shape", "tiny", "--tokens", "6", *options, "--json"]) == ended
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_bench_tells_all_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--shape", "tiny", "--runs", "2", "--tokens", "6", "--turns", "2,9", "--archives", "30,20"]
    page = tmp_path / "page.html"
    assert run(["bench", *sizes, "--html", str(page), "--json"]) == 0
    heard = capsys.readouterr()
    found = json.loads(heard.out)
    stages = [
        "an archive of 20 messages",
        "turns beside the bare engine",
        "first words, compression extractive",
        "an archive of 30 messages",
        "first words, compression off",
    ]
    for stage in stages:
        assert re.search(f"^{stage} … (about|less than) a minute left in all$", heard.err, re.MULTILINE)
    assert [row["stage"] for row in found["stages"]] == ["a random model of the shape tiny", *stages]
    assert all(row["seconds"] > 0 for row in found["stages"][1:])
    assert found["unfinished"] is None
    assert min(found[key] for key in ("prefill_tps", "decode_tps", "peak_mb", "overhead_ratio")) > 0
    assert found["grade"] == gates.grade(found["decode_tps"])
    assert [(row["compression"], row["turns"]) for row in found["ttft_by_turn"]] == [
        ("extractive", 2),
        ("extractive", 9),
        ("off", 2),
        ("off", 9),
    ]
    assert all(row["cached_tokens"] > 0 for row in found["ttft_by_turn"])
    assert [pair["first"] for pair in found["overhead"]] == ["turn", "bare"], "neither has the warmer machine"
    assert all(pair["memories"] for pair in found["overhead"]), "retrieval is part of a turn"
    assert [row["messages"] for row in found["retrieval"]] == [20, 30]
    assert [row["answered"] for row in found["retrieval"]] == [1, 1], (
        "a search that finds nothing is no search"
    )
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 3
    assert "http:" not in html
    assert "https:" not in html
    assert "Not whole" not in html


def test_parts_of_a_bench_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("--only", "first", "--runs", "1", "--turns", "2", capsys=capsys)
    assert [row["compression"] for row in found["ttft_by_turn"]] == ["extractive"]
    assert found["overhead"] == found["retrieval"] == []
    assert found["overhead_ratio"] is None
    assert run(["bench", "--only", "first,last"]) == 2
    assert "'last' is none of overhead, first, retrieval, off" in capsys.readouterr().err


def test_what_was_measured_before_an_interrupt_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        with suppress(KeyboardInterrupt):  # as ctypes does within a callback
            signal.raise_signal(signal.SIGINT)
        raise ModelError("the engine failed", "try a smaller model")

    monkeypatch.setattr(first_token, "measure", interrupted)
    page = tmp_path / "page.html"
    some = ["--runs", "1", "--turns", "2", "--archives", "20", "--html", str(page)]
    found = measured(*some, capsys=capsys, ended=130)
    assert found["overhead_ratio"] > 0
    assert found["unfinished"] == found["stages"][-1]["stage"] == "first words, compression extractive"
    assert found["ttft_by_turn"] == []
    assert "Not whole: ended within first words" in page.read_text(encoding="utf-8")


def test_a_chat_without_compression_was_read_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle work left room for a long reply and for memories, the question wanted neither, so that another
    window of the chat was read: a minute of a bench at 200 turns."""
    monkeypatch.setenv("PERSONA_MODEL__CONTEXT", "1024")
    found = measured("--only", "off", "--runs", "1", "--turns", "12", capsys=capsys)
    [row] = found["ttft_by_turn"]
    assert row["cached_tokens"] > 0.9 * row["prompt_tokens"] > 500


def test_a_bench_is_shown_beside_an_earlier_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = ["--only", "first", "--runs", "1", "--turns", "2"]
    earlier, page = tmp_path / "earlier.json", tmp_path / "page.html"
    before = measured(*some, capsys=capsys)
    before["ttft_by_turn"][0]["ttft_ms"] = 1e6
    earlier.write_text(json.dumps({**before, "threads": 99, "prefill_tps": 5.0}), encoding="utf-8")
    compared = measured(*some, "--compare", str(earlier), capsys=capsys)["compared"]
    assert list(compared["figures"]) == ["ttft_ms, turn 2, extractive"], "what both have"
    assert compared["figures"]["ttft_ms, turn 2, extractive"]["ratio"] < 0.5
    assert list(compared["differs"]) == ["threads"]

    shape = ["--shape", "tiny", "--tokens", "6"]
    assert run(["bench", *shape, *some, "--compare", str(earlier), "--html", str(page)]) == 0
    heard = capsys.readouterr()
    assert re.search(r"figure +then +now +ratio", heard.out)
    assert re.search(r"ttft_ms, turn 2, extractive +1000000\.0 ", heard.out)
    assert "not the same threads: 99 then" in heard.err
    html = page.read_text(encoding="utf-8")
    assert "Beside the earlier result" in html
    assert "Not the same threads: 99 then" in html
    assert re.search(r"<td>ttft_ms, turn 2, extractive</td><td class=\"n\">1000000\.0</td>", html)


def test_the_time_left_is_of_all_stages_at_the_speeds_known_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(forecast.time, "monotonic", lambda: clock[0])
    heard: list[Progress] = []
    stages = {
        "archive": Work(messages=1000, seconds=5),
        "speed": Work(read=1000, written=100),
        "words": Work(5000),
    }
    told = Forecast(stages, 400_000_000, heard.append)
    told(Progress("a model", 0))
    assert heard[-1].left is None
    told(Progress("archive", 0, 1000))
    assert heard[-1].left == pytest.approx(10 + 10 + 4 + 50)
    clock[0] = 20
    told(Progress("archive", 500, 1000))
    assert heard[-1].left == pytest.approx(20 + 10 + 4 + 50), "half took 20 seconds"
    told(Progress("speed", 0, 3))
    told.found(50, 10)
    told(Progress("words", 0, 5000))
    assert heard[-1].left == pytest.approx(100)
    clock[0] = 30
    told(Progress("words", 4000, 5000))
    assert heard[-1].left == pytest.approx(2.5)
    told(Progress("words", 5000, 5000))
    assert heard[-1].left == 0


def test_what_is_no_earlier_result_is_named_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text("{}")
    for file in ("x.json", "missing.json"):
        with pytest.raises(PersonaError) as refused:
            compare.read(tmp_path / file)
        assert refused.value.hint
        assert run(["bench", "--compare", str(tmp_path / file)]) == 1
    assert run(["bench", "--turns", "5,x"]) == 2
    assert run(["bench", "--model", "http://127.0.0.1:1/v1#x"]) == 1
    assert "server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("speed", "grade"), [(3, "slow"), (10, "slow"), (10.1, "acceptable"), (21, "good"), (31, "great")]
)
def test_gates(speed: float, grade: str) -> None:
    assert gates.grade(speed) == grade
