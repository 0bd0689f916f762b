"""Times that a question tells by what happened: found in its words, dated by what was said, or left alone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from knowledge import events
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.people import set_owner
from knowledge.records import Identity, ImportReport, Message
from knowledge.retrieval import Ranking, Retriever

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
LINES = (
    ("mira", 0, "we had lentil soup on the balcony"),
    ("noor", 20, "I started at Brightwater today, my badge does not work"),
    ("mira", 50, "pea soup and bread tonight"),
    ("mira", 99, "I haven't moved to Leeds yet, still waiting"),
    ("mira", 100, "it is done, I moved to Leeds and the boxes are everywhere"),
    ("will", 101, "I moved the piano alone"),
    ("mira", 150, "leek soup in the new kitchen"),
    ("mira", 200, "I was ill all week, fever and no voice"),
    ("mira", 202, "chicken soup and tea, nothing else"),
    ("mira", 300, "my exam is over, I passed"),
    ("mira", 320, "tomato soup again"),
    *(
        ("mira", 330 + n, text)
        for n, text in enumerate(("the tram was late", "rain", "new shoes", "so tired"))
    ),
)


@pytest.mark.parametrize(
    ("question", "told", "relation"),
    [
        ("What did you eat before I moved?", "you moved", "before"),
        ("What did you eat before you moved to Leeds?", "you moved to Leeds", "before"),
        ("After the wedding, where did you go?", "the wedding", "after"),
        ("Where did we go after Noor's wedding?", "Noor's wedding", "after"),
        ("What has she done since she started at Brightwater?", "Noor started at Brightwater", "after"),
        ("What have you done since the exam?", "the exam", "after"),
        ("Which tea did you drink when I was ill?", "you was ill", "about"),
        ("Where did you work after leaving Brightwater?", "leaving Brightwater", "after"),
        ("When Noor left, who paid?", "Noor left", "about"),
        ("Was hast du gegessen, bevor ich umzog?", "du umzog", "before"),
        ("Wo warst du nach der Hochzeit?", "der Hochzeit", "after"),
        ("Was machst du, seit ich in Graz wohne?", "du in Graz wohne", "after"),
        ("Was hast du getrunken, als ich krank war?", "du krank war", "about"),
    ],
)
def test_an_event_tells_a_time(question: str, told: str, relation: str) -> None:
    event = events.find(question, NOW, {"noor"} if "she" in question else ())
    assert event is not None
    assert (event.told, event.relation) == (told, relation)
    assert event.said in question


@pytest.mark.parametrize(
    "question",
    [
        "When did you move?",
        "when was the wedding",
        "Do you know when you moved?",
        "Tell me when Noor left.",
        "Who looks after your cat?",
        "Who are you named after?",
        "What do you do after work?",
        "What do you do after the gym?",
        "What do you eat when it rains?",
        "What do you drink when you are ill?",
        "Have you been there before?",
        "What did you do before that?",
        "What happened after March 2025?",
        "What did you do before the summer of 2025?",
        "What happened since yesterday?",
        "Was hast du vor zwei Wochen gemacht?",
        "What is your cat called?",
    ],
)
def test_ordinary_questions_tell_no_event(question: str) -> None:
    assert events.find(question, NOW) is None


@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ("I haven't moved yet", True),
        ("i never really moved", True),
        ("I moved, and it was not easy", False),
        ("not a good day, the tram was late and I moved to Leeds", False),
    ],
)
def test_what_is_denied_did_not_happen(said: str, denied: bool) -> None:
    assert events.is_denied(said, ["moved"]) == denied


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder: Path = tmp_path_factory.mktemp("events")
    archive, embedder = Archive(folder / "archive.sqlite3"), Embedder()
    messages = [
        Message(
            id=text,
            source="slack",
            conversation_id="C1",
            conversation="#all",
            author=Identity(f"slack:{who}", who.title()),
            sent_at=NOW - timedelta(days=500 - days),
            text=text,
        )
        for who, days, text in LINES
    ]
    archive.add(messages, ImportReport("x", "slack"))
    set_owner(archive, ["Mira"])
    with closing(VectorIndex(folder / "index", archive, embedder)) as index:
        index.fill()
        yield Retriever(archive, index, embedder)


def soups(retriever: Retriever, question: str) -> list[str]:
    ranking = retriever.rank(question, now=NOW)
    ids = dict(retriever._archive.rows("SELECT key, id FROM speech"))
    ranked = [ids[int(key)] for key in ranking.timeline.key[ranking.order]]
    return [text for text in ranked if "soup" in text]


def told(ranking: Ranking) -> list[str]:
    return [span.said for span in ranking.reading.spans]


def test_what_was_said_before_and_after_an_event_comes_first(retriever: Retriever) -> None:
    before = soups(retriever, "Which soup did you eat before you moved to Leeds?")
    assert {text.split()[0] for text in before[:2]} == {"we", "pea"}
    after = soups(retriever, "Which soup did you eat after my exam?")
    assert after[0] == "tomato soup again"
    ill = soups(retriever, "Which soup did you eat when I was ill?")
    assert ill[0] == "chicken soup and tea, nothing else"
    assert len(before) == len(after) == len(ill) == 5


def test_a_named_persons_event_is_looked_for_in_what_they_say(retriever: Retriever) -> None:
    ranking = retriever.rank("Which soup did you eat before Noor started at Brightwater?", now=NOW)
    [span] = ranking.reading.spans
    assert span.end is not None
    assert (NOW - span.end).days == 480


@pytest.mark.parametrize(
    "question",
    [
        "Which soup did you eat before the eclipse?",
        "Which soup did you eat before Will moved to Leeds?",
        "Which soup did you eat after you adopted a parrot?",
    ],
)
def test_an_event_that_nobody_told_of_leaves_the_question_as_it_was(
    retriever: Retriever, question: str
) -> None:
    assert told(retriever.rank(question, now=NOW)) == []


def test_what_did_not_happen_is_no_event(retriever: Retriever) -> None:
    [span] = retriever.rank("What did you eat before I moved to Leeds?", now=NOW).reading.spans
    assert span.end is not None
    assert (NOW - span.end).days == 400


def test_an_event_is_no_evidence_for_what_nobody_said(retriever: Retriever) -> None:
    """Everything was sent before or after it."""
    question = "Which parrot did you adopt after my exam?"
    ranking = retriever.rank(question, now=NOW)
    assert told(ranking) == ["after my exam"]
    assert ranking.is_weak()
    assert retriever.search(question, now=NOW, budget_tokens=None, cost=len) == []


def test_ordinary_questions_are_ranked_once(retriever: Retriever, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ranked = Retriever._ranked

    def counted(self: Retriever, query: str, *rest: object) -> Ranking:
        asked.append(query)
        return ranked(self, query, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Retriever, "_ranked", counted)
    retriever.rank("When did you move?", now=NOW)
    assert asked == ["When did you move?"]
    question = "Which soup did you eat before I moved after the exam that I passed before the wedding?"
    retriever.rank(question, now=NOW)
    assert len(asked) == 3
