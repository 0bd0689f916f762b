"""The one door to what the twin knows: importing, people, looking up, searching by words."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import mail_text, mbox, slack_files, slack_record, write_folder, write_zip

from knowledge.errors import ArchiveError, ImportFailed
from knowledge.memory import MemoryStore
from knowledge.progress import Progress
from knowledge.records import Memory

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TALK = [
    slack_record("Did you feed the axolotl?", "1710240000.000100", user="U2"),
    slack_record("yes, its name is Pfiffikus now", "1710240060.000100"),
    slack_record("lovely", "1710240120.000100", user="U2"),
    slack_record("the ferry to Gdansk leaves at nine", "1720240120.000100"),
]


def tokens(memories: Sequence[Memory]) -> int:
    texts = [t.text for m in memories for t in (m, *m.before, *m.after)]
    return sum(len(text) // 4 + 5 for text in texts)


@pytest.fixture
def slack(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "slack.zip", slack_files(*TALK))


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "all.mbox"
    path.write_text(mbox(mail_text("Hello Jonas"), mail_text("Dear Mira", "<2@x.org>", "J. Berg <jb@x.org>")))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    store = MemoryStore(tmp_path / "knowledge")
    yield store
    store.close()


def test_a_store_opens_nothing_before_it_is_needed(tmp_path: Path) -> None:
    MemoryStore(tmp_path / "knowledge").close()
    assert not (tmp_path / "knowledge").exists()


def test_the_report_adds_up_and_has_the_promised_form(store: MemoryStore, slack: Path, mail: Path) -> None:
    heard: list[Progress] = []
    result = store.ingest([slack, mail], me=["Mira Sol"], progress=heard.append)
    report = json.loads(json.dumps(result.as_json()))
    assert [s["source"] for s in report["sources"]] == ["slack", "email"]
    for part in (*report["sources"], report["total"]):
        counted = part["imported"] + part["updated"] + part["duplicates"] + part["failed"]
        assert part["seen"] == counted + sum(part["skipped"].values())
    total = report["total"]
    assert (total["seen"], total["imported"], total["conversations"], total["people"]) == (6, 6, 3, 4)
    assert total["pending_embeddings"] == 6
    assert total["first"] == "2024-03-12T10:00:00+01:00"
    assert total["last"].startswith("2024-07-06")
    assert report["owner"]["name"] == "Mira Sol"
    assert report["candidates"] == []
    assert heard


def test_the_same_import_twice_changes_nothing(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack], me=["mira"])
    before = store.messages(include_all=True)
    again = store.ingest([slack]).total
    assert (again.imported, again.updated, again.duplicates) == (0, 0, 4)
    assert store.messages(include_all=True) == before


def test_a_missing_path_touches_nothing(store: MemoryStore, slack: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportFailed):
        store.ingest([slack, tmp_path / "nowhere.zip"])
    assert not (tmp_path / "knowledge").exists()


def test_a_dry_run_counts_and_changes_nothing(
    store: MemoryStore, slack: Path, mail: Path, tmp_path: Path
) -> None:
    result = store.ingest([slack], me=["mira"], dry_run=True)
    assert (result.total.imported, result.owner and result.owner.name) == (4, "Mira Sol")
    assert not (tmp_path / "knowledge").exists()
    store.ingest([slack])
    second = store.ingest([slack, mail], me=["mira"], dry_run=True).total
    assert (second.imported, second.duplicates) == (2, 4)
    assert len(store.messages()) == 4
    assert store.owner() is None


@pytest.mark.parametrize("me", ["Mira Sol", "MIRA SOL ", "mira", "U1", "slack:U1", "mira@EXAMPLE.org"])
def test_the_owner_is_matched_by_any_whole_name(store: MemoryStore, slack: Path, me: str) -> None:
    owner = store.ingest([slack], me=[me]).owner
    assert owner is not None
    assert (owner.name, owner.identity_ids) == ("Mira Sol", ("slack:U1",))
    assert {m.author for m in store.messages() if m.is_self} == {"Mira"}


@pytest.mark.parametrize("me", [[], ["Sol"], ["mir"], ["Mira S"]])
def test_without_a_match_candidates_are_named(
    store: MemoryStore, slack: Path, mail: Path, me: list[str]
) -> None:
    result = store.ingest([slack, mail], me=me)
    assert result.owner is None
    assert not any(m.is_self for m in store.messages())
    assert [c.name for c in result.candidates] == ["Mira Sol", "Jonas Berg", "J. Berg"]
    assert result.candidates[0].sources == ("email", "slack")
    assert result.unmatched == me


def test_one_name_matches_the_accounts_of_all_sources(store: MemoryStore, slack: Path, mail: Path) -> None:
    owner = store.ingest([slack, mail], me=["Mira Sol"]).owner
    assert owner is not None
    assert owner.identity_ids == ("slack:U1", "email:mira@example.org")


def test_a_settled_owner_is_known_in_later_imports(store: MemoryStore, slack: Path, mail: Path) -> None:
    store.ingest([slack], me=["Mira Sol"])
    store.ingest([mail])
    assert {m.source for m in store.own_speech()} == {"slack", "email"}


def test_the_owner_can_be_settled_and_corrected_later(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack])
    assert store.set_owner(["jonas"]).name == "Jonas Berg"
    assert store.set_owner(["Mira Sol"]).identity_ids == ("slack:U1",)
    assert [m.text for m in store.own_speech(1)] == ["the ferry to Gdansk leaves at nine"]
    with pytest.raises(ArchiveError, match="nobody") as caught:
        store.set_owner(["Nobody Here"])
    assert "Mira Sol" in caught.value.hint
    assert store.owner() is not None


def test_notes_are_the_owners_words_from_the_first(store: MemoryStore, slack: Path, tmp_path: Path) -> None:
    notes = write_folder(tmp_path / "notes", {"a.md": "I water the ferns on Sunday", "b.md": "second"})
    alone = store.ingest([notes])
    assert alone.owner is not None
    assert all(m.is_self for m in store.messages())
    # once others are there too, somebody must say which of them the notes' owner is
    assert store.ingest([slack]).owner is None
    store.set_owner(["Mira Sol"])
    assert {m.author for m in store.messages() if m.is_self} == {"Mira Sol", "Mira"}


def test_everything_is_found_by_its_words_before_any_vector_exists(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack], me=["mira"])
    found = store.search("What is your axolotl called?", now=NOW, cost=tokens)
    assert {"slack:C1:1710240000.000100", "slack:C1:1710240060.000100"} <= {m.id for m in found}
    assert any("words: axolotl" in m.why for m in found)
    assert [m.rank for m in found] == list(range(1, len(found) + 1))
    exact = store.search("Pfiffikus", now=NOW, cost=tokens)
    assert exact[0].text == "yes, its name is Pfiffikus now"
    assert [n.text for n in exact[0].before] == ["Did you feed the axolotl?"]
    assert [n.text for n in exact[0].after] == ["lovely"]


def test_nothing_is_served_on_weak_evidence(store: MemoryStore, slack: Path) -> None:
    assert store.search("anything?", now=NOW, cost=tokens) == []
    store.ingest([slack])
    for query in ("Which opera did Verdi write first?", "and you?", "", "  ", '"(*'):
        assert store.search(query, now=NOW, cost=tokens) == [], query


def test_the_budget_is_kept(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack])
    query = "axolotl name ferry Gdansk lovely"
    whole = store.search(query, now=NOW, cost=tokens, budget_tokens=None)
    assert len(whole) == 4
    for budget in range(0, tokens(whole) + 1, 5):
        found = store.search(query, now=NOW, cost=tokens, budget_tokens=budget)
        assert tokens(found) <= budget
    assert len(store.search(query, now=NOW, cost=tokens, k=2)) == 2


def test_an_edited_message_is_found_by_its_new_words_only(store: MemoryStore, tmp_path: Path) -> None:
    store.ingest([write_folder(tmp_path / "a", slack_files(*TALK))])
    edited = [
        *TALK[:3],
        {**TALK[3], "text": "the train leaves", "edited": {"user": "U1", "ts": "1720250000.0"}},
    ]
    result = store.ingest([write_folder(tmp_path / "b", slack_files(*edited))])
    assert result.total.updated == 1
    assert store.search("ferry", now=NOW, cost=tokens) == []
    assert [m.text for m in store.search("train", now=NOW, cost=tokens)] == ["the train leaves"]


def test_around_gives_the_talk_beside_a_message(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack])
    found = store.around("slack:C1:1710240060.000100", before=1, after=5)
    # months later is not beside it
    assert [m.text for m in found] == [TALK[0]["text"], TALK[1]["text"], "lovely"]
    assert store.around("no such id") == []
    assert store.message("no such id") is None


def test_stats_count_what_is_there(store: MemoryStore, slack: Path) -> None:
    assert store.stats()["messages"] == 0
    store.ingest([slack], me=["mira"])
    stats = json.loads(json.dumps(store.stats()))
    assert (stats["messages"], stats["speech"], stats["owner"]) == (4, 4, "Mira Sol")
    assert stats["sources"] == {"slack": 4}
    assert stats["pending_embeddings"] == 4


def test_a_closed_store_opens_again(store: MemoryStore, slack: Path) -> None:
    store.ingest([slack])
    store.close()
    assert len(store.messages()) == 4
