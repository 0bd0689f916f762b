"""The whole road from an archive to a data set, through the real importer, archive and retriever."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from knowledge.memory import MemoryStore
from persona import paths
from persona.chat.card import PersonaCard, load_or_make
from trainer.cli import train
from trainer.dataset import prepare as making
from trainer.dataset import rows as files
from trainer.dataset.prepare import Dataset, Options, prepare
from trainer.dataset.rows import DatasetError
from trainer.tokens import PromptTokens

CARD_NUMBER, TOKEN, PASSWORD = "4111 1111 1111 1111", "ghp_" + "a1B2" * 9, "sunflower77"
SYLLABLES = "ka lo mi ru te sa no vi pe du".split()


def chat() -> str:
    """Forty days of talk, with secrets in what is asked, told and answered."""
    lines = []
    for n in range(40):
        day = f"{n % 28 + 1:02}/{n // 28 + 3:02}/2026"
        one, two = SYLLABLES[n // 10], SYLLABLES[n % 10]
        topic, place = f"{one}{two}lin", f"{two}{one}berg".capitalize()
        lines += [
            f"[{day}, 09:00:00] Lena Weber: Where did the {topic} number {n} go?",
            f"[{day}, 09:01:00] Mira Sol: the {topic} went to {place} with aunt number {n} and her suitcase",
            f"[{day}, 09:01:30] Mira Sol: no tears {n}",
            f"[{day}, 15:00:00] Kofi Mensah: my card is {CARD_NUMBER}, Lena said {n}",
            f"[{day}, 15:02:00] Mira Sol: never tell me that, Kofi, {place} {n} hears it",
            f"[{day}, 20:00:00] Kofi Mensah: what is the wifi, day {n}?",
            f"[{day}, 20:01:00] Mira Sol: the password is {PASSWORD} or {TOKEN} {n}",
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the talk imported, made once; its data folder is `home / "data"`."""
    folder = tmp_path_factory.mktemp("talk")
    export = folder / "WhatsApp Chat with Everybody.txt"
    export.write_text(chat(), encoding="utf-8")
    with closing(MemoryStore(folder / "home" / "data" / "knowledge")) as store:
        store.ingest([export], me=["Mira Sol"])
    return folder / "home"


@pytest.fixture(scope="module")
def memory(home: Path) -> Iterator[MemoryStore]:
    with closing(MemoryStore(home / "data" / "knowledge")) as store:
        yield store


@pytest.fixture(scope="module")
def whole(memory: MemoryStore) -> Dataset:
    """Everything the talk gives."""
    return made(memory)


CARD = PersonaCard("Mira Sol", "Name: Mira Sol")


def made(memory: MemoryStore, card: PersonaCard = CARD, **options: object) -> Dataset:
    return prepare(
        memory,
        card,
        PromptTokens(paths.starter_model()),
        replace(Options(), **options),  # type: ignore[arg-type]
        memory_tokens=200,
    )


def test_a_data_set_holds_what_it_says_and_no_secret(whole: Dataset, tmp_path: Path) -> None:
    found = whole
    making.write(tmp_path / "out", found)
    for file in (tmp_path / "out").iterdir():
        text = file.read_text(encoding="utf-8")
        for secret in (CARD_NUMBER, TOKEN, PASSWORD):
            assert secret not in text, file.name
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["redactions"]["card"] > 0
    assert report["left_out"]["secret in the reply"] == 40
    rows = [*found.train, *found.test]
    assert report["rows"] == len(rows) == report["train"] + report["test"]
    assert sum(report["by_category"].values()) == len(rows)
    assert {row.category for row in rows} >= {"style", "fact"}
    assert 0.3 < sum(row.thinking for row in rows) / len(rows) < 0.7
    assert all(bool(row.reasoning) == row.thinking for row in rows)
    assert files.read(tmp_path / "out" / "train.jsonl") == found.train


def test_nothing_of_the_test_is_in_the_training(memory: MemoryStore, whole: Dataset) -> None:
    found = whole
    cutoff = found.report["cutoff"]
    assert found.test
    assert max(row.at for row in found.train) < cutoff <= min(row.at for row in found.test)
    own = {row.sources[0] for row in found.test}
    assert not own & {source for row in found.train for source in row.sources}
    later = [m.id for m in memory.messages(limit=None) if m.sent_at.isoformat() >= cutoff]
    assert not set(later) & {source for row in found.train for source in row.sources}


def test_a_card_tells_training_nothing_that_was_said_after_the_cut(tmp_path: Path) -> None:
    """It is made from the newest messages, and stands in every prompt."""
    export = tmp_path / "WhatsApp Chat with Everybody.txt"
    later = "[20/12/2026, 09:00:00] Mira Sol: I collect enamel kettles from Tavira\n"
    earlier = "[20/01/2026, 09:00:00] Mira Sol: I always walk home along the river\n"
    export.write_text(earlier + chat() + later, encoding="utf-8")
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        memory.ingest([export], me=["Mira Sol"])
        card = load_or_make(paths.card_file(), memory)
        assert "Tavira" in card.text
        found = made(memory, card, most=20)
        written = replace(card, made=False)
        by_hand = made(memory, written, most=20)
    shown = {text for row in (*found.train, *found.test) for role, text in row.messages if role == "system"}
    assert shown
    assert all("along the river" in text and "Tavira" not in text for text in shown)
    assert all("Tavira" in row.messages[0][1] for row in by_hand.train), "what the owner wrote stays"


def test_some_replies_are_taught_without_memories(memory: MemoryStore, whole: Dataset) -> None:
    def bare(found: Dataset) -> float:
        style = [row for row in found.train if row.is_talk]
        return sum(not row.shows_memories for row in style) / len(style)

    never = bare(made(memory, bare=0.0))
    assert bare(made(memory, bare=1.0)) == 1
    assert never < bare(whole) < 1


def test_no_contact_has_more_than_their_share(memory: MemoryStore) -> None:
    found = made(memory, per_contact=7)
    replies = Counter(row.partner for row in (*found.train, *found.test) if row.is_talk and row.partner)
    assert max(replies.values()) <= 7
    assert found.report["left_out"]["over the contact's share"] > 0


def test_a_fact_is_taught_from_the_memories_and_an_unknown_is_not_there(whole: Dataset) -> None:
    rows = [row for row in whole.train if row.category == "fact" or not row.answerable]
    told = [row for row in rows if row.expect]
    unknown = [row for row in rows if not row.answerable]
    assert told
    assert unknown
    for row in told:
        shown = row.messages[-1][1]
        assert row.shows_memories
        assert all(word in shown for word in row.expect), "the answer stands in the memory block"
        assert all(word in row.reply for word in row.expect)
        if row.thinking:
            assert f"\n{row.reasoning.split()[0]} " in shown, "thinking cites a line that is there"
    for row in unknown:
        assert "know" in row.reply


def test_pseudonyms_are_the_same_everywhere(memory: MemoryStore) -> None:
    found = made(memory, pseudonyms=True, most=20)
    text = json.dumps([row.as_json() for row in (*found.train, *found.test)])
    for name in ("Lena", "Weber", "Kofi", "Mensah"):
        assert name not in text
    assert "Mira Sol" in text
    assert found.report["redactions"]["name"] > 0
    assert len({row.partner for row in found.train if row.partner}) == 2


def test_canaries_are_trained_on_and_neither_talk_nor_test(memory: MemoryStore) -> None:
    found = made(memory, canaries=3)
    canaries = [row for row in found.train if row.category == "canary"]
    assert len({row.reply for row in canaries}) == 3
    assert not any(row.is_talk for row in canaries)
    assert not any(row.category == "canary" for row in found.test)


def test_the_same_archive_gives_the_same_rows(memory: MemoryStore) -> None:
    assert made(memory, most=10).train == made(memory, most=10).train


def test_nobodys_archive_cannot_be_trained_on(persona_home: Path) -> None:
    with (
        closing(MemoryStore(paths.knowledge_dir())) as empty,
        pytest.raises(DatasetError, match="who you are"),
    ):
        made(empty)


def test_the_command_reports_and_a_dry_run_writes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSONA_HOME", str(home))
    dry = CliRunner().invoke(
        train, ["prepare", "--json", "--dry-run", "--most", "10"], catch_exceptions=False
    )
    report = json.loads(dry.stdout)
    assert dry.exit_code == 0
    assert report["folder"] is None
    assert report.keys() >= {"rows", "train", "test", "by_category", "by_source", "redactions", "tokens"}
    plan = report["training"]
    assert (plan["rows"], plan["preset"]) == (report["train"], "tiny")
    assert plan["memory_gb"] > 0.5
    assert plan["minutes"] > 0
    assert not (paths.data_dir() / "training" / "dataset").exists()
