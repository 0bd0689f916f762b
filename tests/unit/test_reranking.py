"""A cross-encoder by setting orders the best matches anew, and nothing else; random weights, no network."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import slack_files, slack_record, write_folder
from tiny_encoders import write_tiny_cross_encoder, write_tiny_embedder

from knowledge import retrieval
from knowledge.errors import ModelError
from knowledge.memory import MemoryStore
from knowledge.reranking import Reranker

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
ASKED = "Which kettle broke?"
DAY = 86_400
TALK = [f"the kettle {word}" for word in ("broke", "is red", "leaks", "was a gift", "boils", "came by post")]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cross_encoder(tmp_path_factory.mktemp("models") / "cross-encoder")


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    records = [slack_record(text, f"{1710240000 + DAY * n}.000100") for n, text in enumerate(TALK)]
    folder = tmp_path / "knowledge"
    with closing(MemoryStore(folder)) as store:
        store.ingest([write_folder(tmp_path / "export", slack_files(*records))], me=["mira"])
        store.embed_pending()
    return folder


def found(folder: Path, reranker: str = "", question: str = ASKED) -> list[tuple[str, float]]:
    with closing(MemoryStore(folder, reranker=reranker)) as store:
        return [(m.text, m.score) for m in store.search(question, now=NOW, cost=len, k=10)]


def test_the_best_matches_come_as_the_cross_encoder_orders_them(knowledge: Path, cross_encoder: Path) -> None:
    scores = Reranker(str(cross_encoder)).scores(ASKED, TALK)
    wanted = [text for _, text in sorted(zip(scores, TALK, strict=True), reverse=True)]
    plain, reranked = found(knowledge), found(knowledge, str(cross_encoder))
    assert [text for text, _ in reranked] == wanted
    assert [text for text, _ in plain] != wanted
    assert [score for _, score in reranked] == [score for _, score in plain]


def test_only_the_first_matches_are_read(
    knowledge: Path, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "RERANKED", 2)
    plain, reranked = found(knowledge), found(knowledge, str(cross_encoder))
    assert reranked[2:] == plain[2:]
    assert {text for text, _ in reranked[:2]} == {text for text, _ in plain[:2]}


def test_an_answer_is_read_with_what_was_said_before_it(tmp_path: Path, cross_encoder: Path) -> None:
    read: list[list[str]] = []

    class Reading(Reranker):
        def scores(self, question: str, texts):  # type: ignore[no-untyped-def]
            read.append(list(texts))
            return super().scores(question, texts)

    records = [
        slack_record("where is the kettle?", "1710240000.000100"),
        slack_record("on the stove", "1710240060.000100"),
    ]
    with closing(MemoryStore(tmp_path / "knowledge")) as store:
        store._reranker = Reading(str(cross_encoder))
        store.ingest([write_folder(tmp_path / "export", slack_files(*records))], me=["mira"])
        store.search("kettle", now=NOW, cost=len)
    assert sorted(read[0]) == ["where is the kettle?", "where is the kettle?\non the stove"]


def test_weak_evidence_stays_weak(knowledge: Path, cross_encoder: Path) -> None:
    question = "Who won the chess final in Reykjavik?"
    assert found(knowledge, question=question) == found(knowledge, str(cross_encoder), question) == []


def test_a_cross_encoder_that_is_not_there_is_a_clear_error(knowledge: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        found(knowledge, str(tmp_path / "no-model"))
    assert "no-model" in caught.value.message
    assert "memory.reranker" in caught.value.hint


def test_a_model_that_scores_no_pairs_is_refused(knowledge: Path, tmp_path: Path) -> None:
    """sentence-transformers opens any model as a cross-encoder, with a head of random weights."""
    with pytest.raises(ModelError, match="no cross-encoder"):
        found(knowledge, str(write_tiny_embedder(tmp_path / "embedder")))
    with pytest.raises(ModelError, match="3 scores"):
        found(knowledge, str(write_tiny_cross_encoder(tmp_path / "classes", scores=3)))


def test_the_setting_reaches_searches_and_eval(
    knowledge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from persona.chat.opening import open_memory
    from persona.cli.root import run
    from persona.config import MemorySettings, Settings

    missing = str(tmp_path / "no-model")
    monkeypatch.setattr("persona.paths.knowledge_dir", lambda: knowledge)
    settings = Settings(memory=MemorySettings(reranker=missing))
    with closing(open_memory(settings)) as store, pytest.raises(ModelError):
        store.search(ASKED, now=NOW, cost=len)
    session = [{"speaker": "Ann", "dia_id": f"D1:{n}", "text": text} for n, text in enumerate(TALK, 1)]
    talk = {"session_1": session, "session_1_date_time": "1:00 pm on 3 May, 2023"}
    question = {"question": ASKED, "evidence": ["D1:1"], "category": 1}
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([{"conversation": talk, "qa": [question]}]), encoding="utf-8")
    monkeypatch.setenv("PERSONA_MEMORY__RERANKER", missing)
    assert run(["eval", "locomo", str(file)]) == 1
    assert "no-model" in capsys.readouterr().err
