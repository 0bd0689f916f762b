"""The bench: its own models, what it says of them, and how it compares."""

import json
import re
from pathlib import Path

import pytest

from knowledge.progress import Progress
from persona import gates, paths
from persona.backends.gguf_header import read_header
from persona.backends.tokens import build_vocabulary
from persona.cli.root import run
from persona.errors import PersonaError
from persona.lab.bench import compare, forecast, random_model
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


def test_a_bench_tells_all_it_promises_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--shape", "tiny", "--runs", "2", "--tokens", "6", "--turns", "2,9", "--archives", "30,20"]
    page, earlier = tmp_path / "page.html", tmp_path / "earlier.json"
    assert run(["bench", *sizes, "--html", str(page), "--json"]) == 0
    heard = capsys.readouterr()
    found = json.loads(heard.out)
    stages = ["an archive of 20 messages", "an archive of 30 messages", "reading and writing", "first words"]
    for stage in stages:
        assert re.search(f"^{stage} … (about|less than) a minute left in all$", heard.err, re.MULTILINE)
    assert min(found[key] for key in ("prefill_tps", "decode_tps", "peak_mb", "overhead_ratio")) > 0
    assert found["grade"] == gates.grade(found["decode_tps"])
    assert [(row["compression"], row["turns"]) for row in found["ttft_by_turn"]] == [
        ("off", 2),
        ("off", 9),
        ("extractive", 2),
        ("extractive", 9),
    ]
    assert all(row["cached_tokens"] > 0 for row in found["ttft_by_turn"])
    assert len(found["overhead"]) == 2
    assert all(pair["memories"] for pair in found["overhead"]), "retrieval is part of a turn"
    assert [row["messages"] for row in found["retrieval"]] == [20, 30]
    assert [row["answered"] for row in found["retrieval"]] == [1, 1], (
        "a search that finds nothing is no search"
    )
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 3
    assert "http:" not in html
    assert "https:" not in html

    found["prefill_tps"] *= 2
    earlier.write_text(json.dumps(found), encoding="utf-8")
    compared = compare.compare({**found, "prefill_tps": found["prefill_tps"] / 2, "threads": 99}, found)
    assert compared["figures"]["prefill_tps"]["ratio"] == 0.5
    assert compared["figures"]["decode_tps"]["ratio"] == 1
    assert list(compared["differs"]) == ["threads"]
    assert compare.read(earlier)["model"] == found["model"]


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
    assert heard[-1].left == pytest.approx(15 + 10 + 4 + 50)
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
