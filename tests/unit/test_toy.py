"""The toy set and project: what they hold, and that their verdicts can go every way."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from persona import paths
from trainer.dataset import rows as files
from trainer.tokens import PromptTokens
from trainer.toy import project


def test_the_toy_set_is_as_it_is_described() -> None:
    train, test = (files.read(project.toy_dir() / name) for name in (files.TRAIN, files.TEST))
    assert (len(train), len(test)) == (50, 10)
    assert Counter(row.category for row in [*train, *test]) == {"style": 15, "fact": 15, "decision": 30}
    assert not {row.id for row in train} & {row.id for row in test}
    assert all(row.answerable and row.reply for row in [*train, *test])
    assert all(any(word in row.reply for word in row.expect) for row in test if row.category == "fact")


def test_compression_of_the_toy_saves_what_it_should_and_says_what_it_lost() -> None:
    pytest.importorskip("tokenizers")
    rows = [row for name in (files.TRAIN, files.TEST) for row in files.read(project.toy_dir() / name)]
    found = project.compress(rows, PromptTokens(paths.starter_model()).text)
    assert 0.5 <= found.after / found.before <= 0.7
    assert len(found.lost) <= 0.45 * found.proofs, "of words that answer a question"
    everything = " ".join(row.reply for row in rows)
    assert all(word in everything for word in found.lost)


@pytest.mark.slow
def test_the_toy_runs_from_end_to_end(monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path) -> None:
    pytest.importorskip("trl", reason="the training extra is not installed")
    monkeypatch.setattr(project, "CHANGES", ("max_steps=3", "warmup_steps=0"))
    figures = project.run(project.toy_dir(), tiny_model_path)
    assert figures["rows"] == {"train": 50, "test": 10}
    assert len(figures["samples"]) == 10
    assert figures["minutes"] > 0
    assert figures["peak_mb"] > 0
    report = Path(figures["folder"], "toy.md").read_text()
    assert report.splitlines()[0] == figures["verdict"]
    assert "| facts recalled |" in report


GOOD: dict[str, Any] = {
    "exact_recall": {"base": 0.0, "tuned": 0.2},
    "generalisation": {"base_memory": 4.0, "tuned_memory": 3.0},
    "style": {"base": 2.0, "tuned": 1.0, "gain": {"value": 1.0, "low": 0.5, "high": 1.5}},
    "facts": {"base": 0.5, "tuned": 0.5},
}


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, "PROCEED"),
        ({"facts": {"base": 0.5, "tuned": 0.3}}, "ADJUST"),
        ({"exact_recall": {"base": 0.0, "tuned": 0.0}}, "ADJUST"),
        ({"generalisation": {"base_memory": 3.0, "tuned_memory": 3.1}}, "ADJUST"),
        (
            {
                "generalisation": {"base_memory": 3.0, "tuned_memory": 3.1},
                "style": {"base": 1.0, "tuned": 1.0, "gain": {"value": 0.1, "low": -0.2, "high": 0.4}},
            },
            "PIVOT",
        ),
    ],
)
def test_the_toy_says_what_to_do(changes: dict[str, Any], begins: str) -> None:
    assert project.verdict(GOOD | changes).startswith(begins)
