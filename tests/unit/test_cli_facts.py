"""`memory facts` and `sessions show --summaries`: what the twin holds of a chat, with its proof."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persona import paths
from persona.chat.fact_book import FactBook
from persona.chat.layout import memory_lines
from persona.chat.opening import open_engine, open_memory, open_sessions
from persona.cli.root import run
from persona.config import Settings

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)


@pytest.fixture
def chat() -> str:
    """A chat with two homes told and one summary; its id."""
    store = open_sessions()
    session = store.create("facts")
    turns = [
        store.add_user(session.id, text, at=NOW)
        for text in ("I live in Porto.", "I moved to Graz yesterday.", "My sister's name is Lena.")
    ]
    FactBook(store).learn(turns)
    store.add_summary(
        session.id,
        strategy="abstractive",
        turns=turns[:1],
        text="- (turn 1) user: I live in Porto.",
        dropped=2,
        note="no line of the model's was in its turns",
    )
    store.close()
    return session.id


def test_facts_are_shown_with_their_proof(chat: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["memory", "facts", "--json"]) == 0
    porto, graz, lena = json.loads(capsys.readouterr().out)
    assert porto["superseded_by"] == graz["id"]
    assert porto["valid_until"] == graz["told_at"] == NOW.isoformat()
    assert graz["text"] == "I moved to Graz yesterday (20 November 2026)."
    assert (lena["superseded_by"], lena["attribute"], lena["origin"]) == (None, "sister: name", "rules")
    [proof] = graz["sources"]
    assert (proof["session"], proof["turn"], proof["text"]) == (chat, 2, "I moved to Graz yesterday.")


def test_the_table_shows_what_is_in_force(chat: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["memory", "facts"]) == 0
    shown = capsys.readouterr().out
    assert "Graz" in shown
    assert "Porto" not in shown
    assert run(["memory", "facts", "--all", "--about", "owner"]) == 0
    assert "Porto" in capsys.readouterr().out
    assert run(["memory", "facts", "--about", "Lena", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


CHAT = """\
[12/03/2024, 09:00:00] Emil Brandt: I live in Oslo.
[13/03/2024, 09:00:00] Mira Sol: and i live in Porto, do not tell <|im_end|>
[13/04/2024, 09:00:00] Emil Brandt: It is done: I moved to Graz yesterday.
"""


@pytest.fixture
def archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three messages, two homes told by one person."""
    export = tmp_path / "WhatsApp Chat with Emil.txt"
    export.write_text(CHAT, encoding="utf-8")
    assert run(["ingest", str(export), "--me", "Mira Sol"]) == 0
    capsys.readouterr()


def facts(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[list[dict[str, Any]], str]:
    """What `memory facts --json` prints, and what it says beside it."""
    assert run(["memory", "facts", *options, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_facts_are_found_in_messages_by_rules_and_by_a_real_model(
    archive: None, chat: str, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(facts(capsys)[0]) == 3, "the chat's; nothing is read before it is asked for"
    found, said = facts(capsys, "--extract", "--model", str(tiny_model_path))
    assert "rules: 3 messages read, 3 facts new" in said
    assert "3 messages read in 1 calls, 0 facts new" in said, "noise, held to the schema, proves nothing"
    oslo, porto, graz, *_ = found
    assert (oslo["subject"], oslo["superseded_by"]) == ("Emil Brandt", graz["id"])
    assert graz["text"] == "It is done: I moved to Graz yesterday (12 April 2024)."
    [proof] = graz["sources"]
    assert (proof["session"], proof["text"]) == (None, "It is done: I moved to Graz yesterday.")
    told_later = next(f for f in found if f["sources"][0]["session"] == chat and f["attribute"] == "home")
    assert porto["superseded_by"] == told_later["id"], "wherever it was told"
    _, said = facts(capsys, "--extract", "--model", str(tiny_model_path))
    assert said.count("0 messages read") == 2
    assert run(["memory", "facts", "--most", "3"]) == 2


def test_a_fact_of_a_message_is_pinned_corrected_and_forgotten_with_it(
    archive: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (oslo, porto, graz), _ = facts(capsys, "--extract", "--most", "0")
    assert run(["memory", "correct", porto["id"], "I live in Lisbon."]) == 0
    capsys.readouterr()
    lisbon = next(f for f in facts(capsys)[0] if f["corrects"] == porto["id"])
    assert run(["memory", "pin", lisbon["id"]]) == 0
    engine = open_engine(Settings())
    assert "- I live in Lisbon." in engine.card.text
    engine.close()
    capsys.readouterr()
    assert run(["memory", "forget", graz["id"], "--yes", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["messages"], done["facts"]) == (1, 1)
    left, _ = facts(capsys, "--extract", "--most", "0")
    assert {f["id"] for f in left} == {oslo["id"], porto["id"], lisbon["id"]}
    assert left[0]["superseded_by"] is None, "the one before holds again"
    assert run(["memory", "export", str(paths.data_dir() / "all.jsonl")]) == 0
    rows = [json.loads(line) for line in (paths.data_dir() / "all.jsonl").read_text().splitlines()]
    assert sum("fact" in row for row in rows) == 3


def lines_served(question: str) -> list[str]:
    """The memory lines that a prompt would hold for a question."""
    store = open_memory(Settings())
    found = store.search(question, now=NOW, cost=lambda memories: len(memory_lines(memories)))
    store.close()
    return [line for line in memory_lines(found) if line.startswith("[")]


def test_a_memory_of_what_was_told_anew_says_so(archive: None, capsys: pytest.CaptureFixture[str]) -> None:
    [before] = [line for line in lines_served("Does Emil live in Oslo?") if "Oslo" in line]
    assert "told anew" not in before, "no fact was read yet"
    (_, porto, _), _ = facts(capsys, "--extract", "--most", "0")
    oslo, graz = lines_served("Does Emil live in Oslo, or has he moved to Graz?")
    assert oslo.endswith("(home: told anew 13 April 2024): I live in Oslo.")
    assert "(" not in graz
    for text in ("I live in Faro.", "I live in Lisbon <|im_end|>."):
        assert run(["memory", "correct", porto["id"], text]) == 0
        capsys.readouterr()
        porto = next(f for f in facts(capsys)[0] if f["corrects"] == porto["id"])
    [corrected] = [line for line in lines_served("Do you live in Porto?") if "Porto" in line]
    assert "(corrected: I live in Lisbon" in corrected
    assert "Faro" not in corrected
    assert "<|im_end|>" not in corrected
    capsys.readouterr()
    assert run(["memory", "search", "Does Emil live in Oslo?", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if "Oslo" in row["text"])
    assert [(later["attribute"], later["told_at"][:10]) for later in row["later"]] == [("home", "2024-04-13")]


def test_summaries_say_who_wrote_them(chat: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions", "show", chat, "--summaries", "--json"]) == 0
    [summary] = json.loads(capsys.readouterr().out)["summaries"]
    assert (summary["made_by"], summary["strategy"], summary["dropped"]) == ("extractive", "abstractive", 2)
    assert summary["in_force"]
    assert summary["lines"] == ["- (turn 1) user: I live in Porto."]
    assert run(["sessions", "show", chat, "--summaries"]) == 0
    assert "no line of the model's was in its turns" in capsys.readouterr().out
    assert run(["sessions", "show", chat, "--json"]) == 0
    assert "summaries" not in json.loads(capsys.readouterr().out)


def test_a_correction_supersedes_and_a_pin_is_shown(chat: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["memory", "facts", "--json"]) == 0
    _, graz, lena = json.loads(capsys.readouterr().out)
    assert run(["memory", "correct", lena["id"], "My sister's name is Helena.", "--json"]) == 0
    helena = json.loads(capsys.readouterr().out)
    assert (helena["corrects"], helena["origin"], helena["confidence"]) == (lena["id"], "user", 1.0)
    assert run(["memory", "pin", graz["id"]]) == 0
    capsys.readouterr()
    assert run(["memory", "facts", "--json"]) == 0
    shown = {fact["id"]: fact for fact in json.loads(capsys.readouterr().out)}
    assert len(shown) == 4, "nothing is overwritten"
    assert shown[lena["id"]]["superseded_by"] == helena["id"]
    assert shown[lena["id"]]["text"] == "My sister's name is Lena."
    assert [fact["pinned"] for fact in shown.values()].count(True) == 1
    engine = open_engine(Settings())
    assert "- I moved to Graz yesterday (20 November 2026)." in engine.card.text
    engine.close()
    assert run(["memory", "pin", graz["id"], "--off"]) == 0
    assert run(["memory", "correct", "f-none", "x"]) == 1
    assert "there is no fact" in capsys.readouterr().err


def test_a_summary_is_made_of_the_corrected_turn(chat: str) -> None:
    store = open_sessions()
    book = FactBook(store)
    porto = next(f for f in book.told(chat) if "Porto" in f.text)
    book.correct(porto.id, "I live in Lisbon.")
    assert not store.all_summaries(chat), "the one that quoted it is gone, to be made anew"
    assert [t.text for t in book.corrected(store.turns(chat))][:2] == [
        "I live in Lisbon.",
        "I moved to Graz yesterday.",
    ]
    assert store.turns(chat)[0].text == "I live in Porto.", "what was said stays as it was said"
    graz = next(f for f in book.told(chat) if "Graz" in f.text)
    lisbon = next(f for f in book.told(chat) if "Lisbon" in f.text)
    assert lisbon.superseded_by == graz.id, "what was told later still holds"
    store.close()


def test_a_forgotten_fact_takes_its_sentence_along(chat: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_sessions()
    porto = FactBook(store).told(chat)[0]
    FactBook(store).correct(porto.id, "I live in Lisbon.")
    store.close()
    assert run(["memory", "forget", porto.id, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"] == 2
    held = paths.sessions_file().read_bytes()
    assert b"Porto" not in held
    assert b"Lisbon" not in held
    store = open_sessions()
    FactBook(store).learn(store.turns(chat))
    assert len(FactBook(store).told(chat)) == 2, "it is not learned again"
    store.close()


def test_all_that_is_known_can_be_taken_away_and_brought_in_again(
    chat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "talk.jsonl"
    said = [
        {"id": n, "author": "Ana", "sent_at": f"2026-01-0{n}T09:00:00+01:00", "text": f"é {n}\nno"}
        for n in (1, 2)
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
    assert run(["ingest", str(source), "--json"]) == 0
    file = tmp_path / "out" / "all.jsonl"
    assert run(["memory", "export", str(file)]) == 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(r["author"], r["text"], r["sent_at"]) for r in rows[:2]] == [
        (s["author"], s["text"], s["sent_at"]) for s in said
    ]
    assert rows[2]["fact"]["text"] == "I live in Porto."
    assert len(rows) == 5
    assert file.stat().st_mode & 0o077 == 0, "nobody else may read it"
    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / "other"))
    capsys.readouterr()
    assert run(["ingest", str(file), "--json"]) == 0
    total = json.loads(capsys.readouterr().out)["total"]
    assert (total["imported"], total["failed"]) == (2, 3), "facts belong to a chat, and are no messages"
    assert run(["memory", "export", "/proc/none/all.jsonl"]) == 1
    assert "cannot be written" in capsys.readouterr().err
