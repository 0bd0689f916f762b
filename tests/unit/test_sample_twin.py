"""The sample twin: what is committed is what its sources give, and its questions are fair."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from knowledge.importers.registry import detect
from knowledge.records import ImportReport, Kind, Message

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
DISCORD = ("discord_export.zip", "discord_package.zip")
EXPORTS = ("slack_export.zip", *DISCORD, "mail.mbox", "notes")
MIRA_ON_DISCORD = "discord:1426550834712346624"
MIRA = {"slack:U06MIRA01", MIRA_ON_DISCORD, "email:mira.sol@example.org", "notes:owner"}
KINDS = {"single": 14, "changed": 10, "dated": 8, "other": 10, "style": 8, "unknown": 10}
FILES = ("questions.jsonl", "make/dev_questions.jsonl")


@pytest.fixture(scope="module")
def archive() -> dict[str, Message]:
    """Everything the importers find in the sample, by id."""
    return {message.id: message for name in EXPORTS for message in read(name)}


def read(name: str) -> list[Message]:
    """Every message of one export."""
    found: list[Message] = []
    for importer, source in detect(SAMPLE / name):
        report = ImportReport(name, importer.name)
        found += importer.read(source, report)
        assert not report.failed
    return found


def questions(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text("utf-8").splitlines()]


def test_rebuild_gives_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "data.sample.make", str(tmp_path)], cwd=ROOT, check=True)
    built = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    committed = {p: (SAMPLE / p).read_bytes() for p in built}
    assert built == committed
    notes = {p.relative_to(SAMPLE) for p in (SAMPLE / "notes").rglob("*.md")}
    assert notes <= built.keys()


def test_there_is_enough_to_remember(archive: dict[str, Message]) -> None:
    speech = [m for m in archive.values() if m.kind is Kind.SPEECH]
    assert len(speech) >= 3000
    assert sum(m.author.id in MIRA for m in speech) >= 1500
    assert {m.source for m in speech} == {"slack", "discord", "email", "notes"}
    assert {m.kind for m in archive.values()} == set(Kind)
    days = sorted(m.sent_at.date().isoformat() for m in speech)
    assert (days[0][:7], days[-1][:7]) == ("2024-10", "2026-10")


def test_it_looks_like_a_real_workspace(archive: dict[str, Message]) -> None:
    slack = [m for m in archive.values() if m.source == "slack"]
    assert sum(m.reply_to is not None for m in slack) > 300
    assert sum(m.edited_at is not None for m in slack) > 10
    assert any(m.raw and "> " in m.raw and "> " not in m.text for m in archive.values())


def test_both_forms_of_the_discord_server_agree_where_they_overlap() -> None:
    exported, own = ({m.id: m for m in read(name)} for name in DISCORD)
    assert len([m for m in exported.values() if m.kind is Kind.SPEECH]) > 200
    assert len({m.author.id for m in exported.values()}) == 7
    assert sum(m.reply_to is not None for m in exported.values()) > 30
    assert len({m.thread for m in exported.values()} - {None}) == 8
    assert {m.author.id for m in own.values()} == {MIRA_ON_DISCORD}
    both = exported.keys() & own.keys()
    assert len(both) > 80
    assert own.keys() - both
    for identity in both:
        one, other = exported[identity], own[identity]
        assert (one.text, one.sent_at, one.thread) == (other.text, other.sent_at, other.thread)
        assert (one.conversation_id, one.conversation) == (other.conversation_id, other.conversation)


def test_nobody_says_the_same_thing_often(archive: dict[str, Message]) -> None:
    said = Counter(m.text.casefold() for m in archive.values() if m.kind is Kind.SPEECH)
    assert max(said.values()) <= 3
    assert max(n for text, n in said.items() if len(text.split()) > 5) == 1


def test_all_addresses_are_in_reserved_domains(archive: dict[str, Message]) -> None:
    authors = {m.author.id for m in archive.values() if m.source == "email"}
    assert authors
    assert all(a.endswith(("example.org", "example.com", "example.net")) for a in authors)


def test_the_sample_stays_small() -> None:
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 3_000_000


def test_there_are_sixty_questions_of_all_kinds() -> None:
    rows = questions("questions.jsonl")
    assert Counter(row["kind"] for row in rows) == KINDS
    assert len({row["question"] for row in rows + questions(FILES[1])}) == 90


@pytest.mark.parametrize("name", FILES)
def test_evidence_proves_the_answer_and_no_rival(name: str, archive: dict[str, Message]) -> None:
    for row in questions(name):
        assert bool(row["evidence"]) == bool(row["expect"]) == (row["kind"] != "unknown")
        for identity in row["evidence"]:
            text = archive[identity].text.casefold()
            assert any(word.casefold() in text for word in row["expect"]), row["id"]
            assert not any(word.casefold() in text for word in row["rivals"]), row["id"]


@pytest.mark.parametrize("name", FILES)
def test_answers_are_not_everywhere(name: str, archive: dict[str, Message]) -> None:
    texts = [m.text.casefold() for m in archive.values() if m.kind is Kind.SPEECH]
    for row in questions(name):
        for word in row["expect"]:
            assert sum(word.casefold() in text for text in texts) <= 20, (row["id"], word)


def test_changed_facts_have_an_older_rival(archive: dict[str, Message]) -> None:
    for row in questions("questions.jsonl"):
        if row["kind"] != "changed":
            continue
        first = min(archive[identity].sent_at for identity in row["evidence"])
        older = [m.text.casefold() for m in archive.values() if m.sent_at < first and m.author.id in MIRA]
        assert any(word.casefold() in text for word in row["rivals"] for text in older), row["id"]


@pytest.mark.parametrize("name", FILES)
def test_unknown_answers_are_nowhere(name: str, archive: dict[str, Message]) -> None:
    everything = "\n".join((m.raw or m.text).casefold() for m in archive.values())
    unknown = [row for row in questions(name) if row["kind"] == "unknown"]
    assert unknown
    for row in unknown:
        assert row["absent"]
        assert not any(word.casefold() in everything for word in row["absent"]), row["id"]
