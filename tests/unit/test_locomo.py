"""Evidence recall on the LoCoMo format: what is read, what is left out, how it is scored."""

import json
from pathlib import Path

import pytest

from knowledge import locomo
from knowledge.errors import PersonaError
from persona.cli.root import run

SAMPLE = {
    "sample_id": "x",
    "conversation": {
        "speaker_a": "Ana",
        "speaker_b": "Ben",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ana", "dia_id": "D1:1", "text": "I adopted a tortoise called Waldo."},
            {
                "speaker": "Ben",
                "dia_id": "D1:2",
                "text": "Lovely!",
                "blip_caption": "a photo of a sailing boat",
            },
        ],
        "session_2_date_time": "9:00 am on 2 June, 2023",
        "session_2": [{"speaker": "Ben", "dia_id": "D2:1", "text": "My exam in chemistry went badly."}],
        "session_3_date_time": "9:00 am on 3 June, 2023",
    },
    "qa": [
        {
            "question": "What is Ana's tortoise called?",
            "answer": "Waldo",
            "evidence": ["D1:1"],
            "category": 4,
        },
        {
            "question": "Which exam went badly for Ben?",
            "answer": 1,
            "evidence": ["D2:01; D1:9"],
            "category": 1,
        },
        {"question": "Who has a sailing boat?", "answer": "Ben", "evidence": ["D1:2"], "category": 4},
        {"question": "Left out", "answer": "-", "evidence": ["D"], "category": 2},
        {"question": "Left out too", "answer": "-", "category": 5},
    ],
}


def test_recall_is_counted_over_questions_with_usable_evidence(tmp_path: Path) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([SAMPLE]), encoding="utf-8")
    result = json.loads(json.dumps(locomo.evaluate(file, (1, 3))))
    assert result["questions"] == 3
    assert result["recall"] == {"1": 1.0, "3": 1.0}
    assert {c: r["questions"] for c, r in result["by_category"].items()} == {"1": 1, "4": 2}
    assert result["served_tokens_mean"] > 0
    assert result["query_ms_p95"] >= result["query_ms_p50"] > 0


@pytest.mark.parametrize("content", ["no json", "{}", '[{"qa": []}]', "[1]"])
def test_another_file_is_an_error_with_a_remedy(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(PersonaError) as caught:
        locomo.evaluate(file)
    assert caught.value.hint


def test_weaker_ways_to_rank_stand_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([SAMPLE]), encoding="utf-8")
    variants = locomo.evaluate(file, (1, 3))["variants"]
    assert set(variants) == {locomo.WORDS_ONLY, locomo.VECTORS, locomo.BM25}
    # three messages among the first three: whatever ranks all of them finds all
    assert variants[locomo.VECTORS]["recall"]["3"] == 1.0
    assert 0 < variants[locomo.BM25]["recall"]["1"] <= 1.0
    assert variants[locomo.WORDS_ONLY]["recall"]["3"] == 1.0


def test_the_command_gives_what_is_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([SAMPLE]), encoding="utf-8")
    assert run(["eval", "locomo", str(file), "--k", "3,1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    promised = {
        "questions",
        "recall",
        "by_category",
        "served_tokens_mean",
        "query_ms_p50",
        "query_ms_p95",
    }
    assert promised < set(result)
    assert list(result["recall"]) == ["1", "3"]
    assert run(["eval", "locomo", str(file), "--k", "1"]) == 0
    shown = capsys.readouterr().out
    assert locomo.VECTORS in shown
    assert run(["eval", "locomo", str(file), "--k", "0"]) == 2
    assert run(["eval", "locomo", str(tmp_path / "none.json"), "--json"]) == 1
    assert "→" in capsys.readouterr().err
