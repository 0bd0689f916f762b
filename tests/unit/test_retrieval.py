"""The rules of retrieval by words alone: neighbours, persons, places, times, repeats, rare words."""

import dataclasses
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from knowledge import lexical, passages, rules
from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.importers import registry
from knowledge.index import VectorIndex
from knowledge.meaning import ANSWERS, answering
from knowledge.people import set_owner
from knowledge.records import Identity, ImportReport, Memory, Message
from knowledge.retrieval import Ranking, Retriever
from knowledge.sentences import asked
from knowledge.timeline import Part, load

START = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
PEOPLE = {
    "mira": Identity("slack:U1", "mira", ("Mira Sol",)),
    "noor": Identity("slack:U2", "noor", ("Noor Haddad",)),
    "will": Identity("slack:U3", "will", ("Will Oak",)),
}

Talk = Callable[..., Retriever]


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    """Stores lines of (who, where, days after the start, text) and returns a retriever over them."""

    def store(*lines: tuple[str, str, float, str]) -> Retriever:
        archive = Archive(tmp_path / "archive.sqlite3")
        messages = [
            Message(
                id=str(n),
                source="slack",
                conversation_id=place,
                conversation=place,
                author=PEOPLE[who],
                sent_at=START + timedelta(days=days),
                text=text,
            )
            for n, (who, place, days, text) in enumerate(lines)
        ]
        archive.add(messages, ImportReport("x", "slack"))
        set_owner(archive, ["mira"])
        embedder = Embedder()
        return Retriever(archive, VectorIndex(tmp_path / "index", archive, embedder), embedder)

    return store


def found(retriever: Retriever, query: str, k: int = 5) -> list[str]:
    memories = retriever.search(query, now=NOW, budget_tokens=None, cost=len, k=k)
    return [m.text for m in memories]


def test_an_answer_is_found_through_the_question_before_it(talk: Talk) -> None:
    retriever = talk(
        ("noor", "#a", 0, "where did you buy the kettle?"),
        ("mira", "#a", 0.001, "at the corner shop"),
        ("mira", "#a", 30, "the corner is windy"),
    )
    assert found(retriever, "kettle")[:2] == ["where did you buy the kettle?", "at the corner shop"]
    assert "the corner is windy" not in found(retriever, "kettle")


def test_neighbours_are_those_of_the_same_talk(talk: Talk) -> None:
    retriever = talk(
        ("noor", "#a", 0, "the kettle is loud"),
        ("mira", "#b", 0.0001, "another place"),
        ("noor", "#a", 0.0002, "and hot"),
    )
    assert found(retriever, "kettle") == ["the kettle is loud", "and hot"]


def test_a_named_person_and_you_weigh_more(talk: Talk) -> None:
    lines = [
        (who, f"#{who}", 0, f"my favourite soup is {soup}")
        for who, soup in (("mira", "beetroot"), ("noor", "lentil"), ("will", "leek"))
    ]
    retriever = talk(*lines)
    assert "lentil" in found(retriever, "What soup does Noor like?")[0]
    assert "beetroot" in found(retriever, "What is your favourite soup?")[0]
    assert "leek" in found(retriever, "What soup is Will's favourite?")[0]
    # a word that is also a name is one only with its capital
    assert rules.read(retriever._archive, "What soup will she like?", NOW).people == {}


def test_what_is_said_to_somebody_is_not_said_of_them(talk: Talk) -> None:
    retriever = talk(
        ("mira", "#a", 1, "noor! you moved like a film star"),
        ("noor", "#a", 40, "It is done, I moved to Leeds this week"),
        ("will", "#b", 80, "hey noor, who moved my mug"),
        ("will", "#b", 120, "the mug moved again, @noor"),
    )
    assert found(retriever, "Where did Noor move to?")[0] == "It is done, I moved to Leeds this week"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Where did you grow up?", "i grew up between a lake and a cement works"),
        ("Which bike are you riding?", "the bike i rode was a turquoise one"),
    ],
)
def test_a_verb_is_found_in_all_its_forms(talk: Talk, asked: str, told: str) -> None:
    retriever = talk(
        ("mira", "#a", 1, told), ("mira", "#a", 40, "soup again"), ("noor", "#b", 80, "soup for all")
    )
    assert set(lexical.terms(asked)) & {"grow", "riding"}
    assert found(retriever, asked)[0] == told
    assert len(found(retriever, asked)) == 1


def test_what_somebody_is_called_counts_as_said_where_they_speak(talk: Talk) -> None:
    retriever = talk(
        ("noor", "#a", 1, "It is done, I moved to Leeds this week"),
        ("mira", "#c", 2, "soup again"),
        *(("will", "#b", n, f"number {n} is late, says my brother") for n in range(8)),
    )
    reading = rules.read(retriever._archive, "Where did your sister Noor move to?", NOW)
    assert set(reading.called) == {"noor", "sister"}
    assert found(retriever, "Where did your brother Noor move to?") != []


def test_a_named_channel_weighs_more(talk: Talk) -> None:
    retriever = talk(
        ("noor", "#food", 0, "soup again"),
        ("noor", "#work", 1, "soup again for all"),
        ("mira", "#food", 9, "x"),
    )
    assert found(retriever, "what about soup in #work?")[0] == "soup again for all"
    assert found(retriever, "soup in the food channel")[0] == "soup again"


@pytest.mark.parametrize(
    ("asked", "source"),
    [
        *((f"Which soup was it on {name}?", name) for name in registry.names() if name != "generic"),
        ("Which soup did you write of on Google Chat?", "google-chat"),
        ("Which soup is in your diary?", "notes"),
        ("What did you tell ChatGPT of soup?", "chatgpt"),
        ("What soup did you mail of?", "email"),
    ],
)
def test_a_named_source_weighs_more(tmp_path: Path, asked: str, source: str) -> None:
    archive = Archive(tmp_path / "archive.sqlite3")
    for place in ("elsewhere", source, "nowhere"):
        soup = Message(place, place, place, place, PEOPLE["mira"], START, "soup again")
        archive.add([soup], ImportReport("x", place))
    embedder = Embedder()
    retriever = Retriever(archive, VectorIndex(tmp_path / "index", archive, embedder), embedder)
    ranking = retriever.rank(asked, now=NOW)
    assert ranking.reading.sources == {source}
    best, second = ranking.score[ranking.order[:2]]
    assert best - second == pytest.approx(rules.NAMED_PLACE)


@pytest.mark.parametrize(
    "asked", ["Was there a signal at the cabin?", "Does Claude like soup?", "Who is the messenger?"]
)
def test_a_word_that_is_also_a_source_names_none(talk: Talk, asked: str) -> None:
    retriever = talk(("mira", "#a", 0, "soup again"))
    assert rules.read(retriever._archive, asked, NOW).sources == frozenset()


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("What was said of soup in the Sunday Soup Club?", {"Sunday Soup Club 🍲"}),
        ("what was said of soup in sunday soup club", {"Sunday Soup Club 🍲"}),
        ("Which soup was it in the Familie group?", {"Familie"}),
        ("Welche soup war es in der Gruppe Familie?", {"Familie"}),
        ("Which soup does the Familie like?", set()),
        ("Which soup does Noor Haddad like?", set()),
        ("What is the soup of the day?", set()),
        ("Which soup for the number two in Larus Lounge?", set()),
        ("Which soup in Chart number two?", {"#Chart number two in Larus Lounge"}),
        ("Which soup in the off-topic channel?", {"#off-topic"}),
    ],
)
def test_a_conversation_is_named_by_its_whole_name(talk: Talk, asked: str, named: set[str]) -> None:
    groups = ("Sunday Soup Club 🍲", "Familie", "Noor Haddad", "Mira, Will", "of the", "@noor", "#off-topic")
    lines = [("mira", name, n, "soup again") for n, name in enumerate(groups)]
    retriever = talk(*lines, ("noor", "#Chart number two in Larus Lounge", 9, "soup for all"))
    reading = rules.read(retriever._archive, asked, NOW)
    assert set(reading.places.values()) == named
    if named:
        assert retriever.search(asked, now=NOW, budget_tokens=None, cost=len, k=1)[0].conversation in named


def test_a_group_that_came_later_is_known(talk: Talk) -> None:
    retriever = talk(("mira", "#a", 0, "soup again"))
    asked = "Which soup in the Sunday Soup Club?"
    assert rules.read(retriever._archive, asked, NOW).places == {}
    late = Message("late", "whatsapp", "g", "Sunday Soup Club", PEOPLE["noor"], START, "soup, too")
    retriever._archive.add([late], ImportReport("x", "whatsapp"))
    assert list(rules.read(retriever._archive, asked, NOW).places.values()) == ["Sunday Soup Club"]


def test_a_named_time_weighs_more_and_hides_nothing(talk: Talk) -> None:
    retriever = talk(
        ("mira", "#a", 0, "we had soup and a walk"),
        ("mira", "#a", 100, "we had soup by the sea"),
        ("mira", "#a", 400, "we had soup at home"),
    )
    assert found(retriever, "which soup in June 2025?")[0] == "we had soup by the sea"
    assert found(retriever, "soup before April 2025")[0] == "we had soup and a walk"
    assert len(found(retriever, "which soup in June 2025?")) == 3
    assert found(retriever, "soup last year")[-1] == "we had soup at home"


def test_of_equals_the_newest_comes_first(talk: Talk) -> None:
    retriever = talk(("mira", "#a", 0, "my bike is blue"), ("mira", "#a", 200, "my bike is green"))
    assert found(retriever, "which bike is it now?") == ["my bike is green", "my bike is blue"]


def test_repeats_are_shown_once(talk: Talk) -> None:
    retriever = talk(
        *(("mira", "#a", n, "soup on the stove") for n in range(5)), ("noor", "#a", 9, "cold soup")
    )
    assert sorted(found(retriever, "soup")) == ["cold soup", "soup on the stove"]


def test_an_interjection_makes_no_new_message_of_a_repeat(talk: Talk) -> None:
    retriever = talk(("mira", "#a", 0, "Kitchens are safe."), ("mira", "#a", 9, "hm, kitchens are safe"))
    assert len(found(retriever, "kitchens")) == 1


def test_very_common_words_do_not_drown_the_rare_one(talk: Talk) -> None:
    lines = [("mira", f"#{n}", n, f"the meeting went on and on, part {n}") for n in range(300)]
    retriever = talk(*lines, ("noor", "#z", 1, "ticket QX-7731 is lost"))
    assert found(retriever, "what about meeting QX-7731?")[0] == "ticket QX-7731 is lost"


def test_what_arrives_later_is_found_by_the_same_retriever(talk: Talk) -> None:
    retriever = talk(("mira", "#a", 0, "first words"))
    assert found(retriever, "kettle") == []
    late = Message("late", "slack", "#a", "#a", PEOPLE["noor"], START, "a kettle")
    retriever._archive.add([late], ImportReport("x", "slack"))
    assert found(retriever, "kettle")[0] == "a kettle"


def test_query_syntax_is_only_words(talk: Talk) -> None:
    retriever = talk(("mira", "#a", 0, "NEAR the kettle"))
    for query in ('kettle"', "kettle AND (", "NEAR(kettle", "kettle:", "-kettle*", "kettle\x00^"):
        assert found(retriever, query) == ["NEAR the kettle"], query


def test_neighbours_are_dropped_where_room_is_short(talk: Talk) -> None:
    retriever = talk(
        ("noor", "#a", 0, "did it boil?"),
        ("mira", "#a", 0.001, "the kettle broke"),
        ("noor", "#a", 0.002, "oh no"),
    )

    def lines(memories: Sequence[Memory]) -> int:
        return sum(1 + len(m.before) + len(m.after) for m in memories)

    def served(budget: int) -> list[Memory]:
        return retriever.search("kettle broke", now=NOW, budget_tokens=budget, cost=lines, k=1)

    assert lines(served(3)) == 3
    assert [len(m.before) + len(m.after) for m in served(2)] == [0]
    assert served(0) == []


@pytest.mark.parametrize(
    ("best", "sixth", "held", "weak"),
    [
        (1.0, 0.8, 1.0, True),  # 1.0 + 1.5 x 0.2: a word held by chance, and many as near
        (1.0, 0.7, 1.0, False),  # what stands out may be less where the words are held
        (1.0, 0.7, 0.4, True),
        (1.3, 0.8, 0.4, False),
    ],
)
def test_words_alone_are_evidence_only_where_a_match_stands_out(
    best: float, sixth: float, held: float, weak: bool
) -> None:
    score = np.array([best, *[sixth] * 5])
    covered = np.array([held, *[0.0] * 5])
    ranking = Ranking(
        Part(**{column.name: np.arange(6) for column in dataclasses.fields(Part)}),
        np.arange(6),
        score,
        score,
        np.zeros(6),
        covered,
        {},
        rules.Reading(),
        complete=True,
        idle=False,
        timely=False,
    )
    assert ranking.is_weak() == weak
    assert not dataclasses.replace(ranking, timely=True).is_weak()


def test_a_stretch_of_talk_ends_with_a_long_pause(talk: Talk) -> None:
    retriever = talk(*(("mira", "#a", days, f"text {days}") for days in (0, 0.1, 0.2, 3, 3.1)))
    timeline = load(retriever._archive)
    assert timeline.stretch.tolist() == [0, 0, 0, 1, 1]
    assert timeline.own.all()


def test_a_look_at_one_column_of_the_timeline_reads_no_other(talk: Talk) -> None:
    """Columns cut from a table lie apart: at a million messages each look at one took as long as at nine."""
    timeline = load(talk(*(("mira", "#a", n, f"text {n}") for n in range(5)))._archive)
    columns = [getattr(timeline, column.name) for column in dataclasses.fields(timeline)]
    assert all(column.strides == (column.itemsize,) for column in columns)


def test_a_part_of_the_timeline_scores_as_the_whole(talk: Talk) -> None:
    rng = random.Random(5)
    words = ("kettle", "cellar", "stove", *map(str, range(60)))
    who = sorted(PEOPLE)
    lines = [(rng.choice(who), "#a", n / 40 + n // 90, " ".join(rng.choices(words, k=3))) for n in range(400)]
    archive = talk(*lines)._archive
    whole = load(archive)
    weights = lexical.weighted("kettle cellar stove noor")
    called = {"noor": {int(whole.author[[line[0] for line in lines].index("noor")])}}
    hits = lexical.hits(archive, whole, weights)
    held = np.concatenate([places for places, _ in hits.values()])
    part = whole.part(whole.reach(held, 2, 2))
    assert set(hits) == {"kettle", "cellar", "stove", "noor"}
    assert 0 < len(part) < len(whole)

    in_part = lexical.match(hits, whole, part, weights, called=called)
    in_whole = lexical.match(hits, whole, whole, weights, called=called)
    assert in_part.score.tolist() == pytest.approx(in_whole.score[part.place].tolist())
    assert in_part.covered.tolist() == pytest.approx(in_whole.covered[part.place].tolist())
    assert np.flatnonzero(in_whole.score).tolist() == part.place[in_part.score > 0].tolist()


def test_what_follows_a_question_later_in_the_talk_is_no_answer_to_it(talk: Talk) -> None:
    said = ("how was Graz?", "rainy, and full", "the stove is lit")
    lines = [(who, "#a", n / 1000, text) for n, (who, text) in enumerate(zip(PEOPLE, said, strict=True))]
    whole = load(talk(*lines)._archive)
    near = np.array([0.8, 0.2])
    assert answering(near, whole.part(np.array([0, 1]))).tolist() == pytest.approx([0, ANSWERS * 0.6])
    assert answering(near, whole.part(np.array([0, 2]))).tolist() == [0, 0]


def test_what_tells_and_asks_back_is_no_mere_question(talk: Talk) -> None:
    told = "My kettle came from a market in Graz, second hand and a bit loud. What about yours?"
    question = "Who knows a market where a kettle can be bought?"
    retriever = talk(
        ("will", "#a", 0, question), ("noor", "#b", 1, told), ("mira", "#c", 2, "the kettle whistles")
    )
    assert found(retriever, "From which market is the kettle?")[0] == told
    asking = load(retriever._archive).asking.tolist()
    assert asking == pytest.approx([1, 3 / 17, 0])


def test_a_mark_within_an_address_asks_nothing() -> None:
    assert asked("see example.org/find?kettle=1 for it") == 0
    assert asked("Dear Will,\nthe stove is lit. Do you come?") == 3


def test_a_question_with_more_to_it_is_answered_by_the_next(talk: Talk) -> None:
    said = (
        "how was Graz? I was at home all week, the stove is lit and the kettle is on, come by",
        "wet",
    )
    whole = load(talk(("noor", "#a", 0, said[0]), ("mira", "#a", 0.001, said[1]))._archive)
    assert answering(np.array([0.8, 0.2]), whole).tolist() == pytest.approx([0, ANSWERS * 0.6])


def test_words_worth_looking_for() -> None:
    assert lexical.terms("What is Tomasz's parrot called, and where's Knödel?") == [
        "tomasz",
        "parrot",
        "called",
        "knodel",
    ]
    assert lexical.terms("Was hast du gestern gemacht?") == ["gestern", "gemacht"]


@pytest.mark.parametrize(
    "text", ["", "short", "word " * 500, "x" * 2000, "One. Two! Three? " * 90, "a\n\nb" * 300]
)
def test_passages_are_short_and_lose_nothing(text: str) -> None:
    pieces = passages.split(text)
    assert all(0 < len(p) <= passages.LONGEST for p in pieces)
    assert len(pieces) <= passages.most(len(text))
    assert "".join("".join(pieces).split()) == "".join(text.split())
