"""What retrieval makes of meaning: answers after questions, and names that nobody says of themselves."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from knowledge import meaning
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.records import Identity, ImportReport, Message
from knowledge.retrieval import Retriever

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
LINES = (
    ("noor", "In which city do you have your home?"),
    ("will", "Graz, for a while now"),
    ("will", "the tram was late again"),
    ("noor", "what a lovely evening by the sea"),
    ("will", "yours, Will Oak"),
    ("will", "we only play jazz at home"),
    ("will", "this is Will again"),
    ("noor", "the soup needs salt"),
    ("noor", "Will, you and I go together"),
)


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder: Path = tmp_path_factory.mktemp("meaning")
    archive, embedder = Archive(folder / "archive.sqlite3"), Embedder()
    messages = [
        Message(
            id=text,
            source="slack",
            conversation_id="C1",
            conversation="#all",
            author=Identity(f"slack:{who}", who.title()),
            sent_at=NOW - timedelta(days=30, minutes=-n),
            text=text,
        )
        for n, (who, text) in enumerate(LINES)
    ]
    archive.add(messages, ImportReport("x", "slack"))
    with closing(VectorIndex(folder / "index", archive, embedder)) as index:
        index.fill()
        yield Retriever(archive, index, embedder)


def ranked(retriever: Retriever, question: str) -> list[str]:
    order = retriever.rank(question, now=NOW).order
    return [LINES[int(position)][1] for position in order]


def test_a_bare_answer_is_found_by_the_meaning_of_the_question_before_it(retriever: Retriever) -> None:
    """No word is shared, and "Graz, for a while now" says nothing of living anywhere."""
    found = ranked(retriever, "What's the address somebody lives at?")
    assert found.index("Graz, for a while now") < 2


def test_what_somebody_says_of_themselves_comes_before_where_they_sign(retriever: Retriever) -> None:
    assert ranked(retriever, "What music does Will like?")[0] == "we only play jazz at home"


def test_the_names_of_two_find_no_line_in_which_one_calls_the_other(retriever: Retriever) -> None:
    assert ranked(retriever, "What music do Will and Noor have?")[0] == "we only play jazz at home"


def test_what_echoes_the_best_is_scored_alike_whether_searched_for_or_read(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = []
    for nearest in (1, 1000):
        monkeypatch.setattr(meaning, "ECHOED", nearest)
        scores.append(retriever.rank("Where is your home by the sea?", now=NOW).score)
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    monkeypatch.setattr(meaning.Meaning, "echoes", lambda *_: np.zeros(len(LINES)))
    assert retriever.rank("Where is your home by the sea?", now=NOW).score != pytest.approx(
        scores[0], abs=0.01
    )
