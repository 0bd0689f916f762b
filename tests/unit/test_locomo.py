"""Evidence recall on the LoCoMo format: what is read, what is left out, how it is scored."""

import json
from pathlib import Path

import pytest

from knowledge import locomo
from knowledge.errors import PersonaError

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
