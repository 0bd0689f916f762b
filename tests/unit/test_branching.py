"""Forks, alternatives, drafts, exports: what can be made of a chat without losing any of it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from persona.chat import branching, drafting, exporting
from persona.chat.events import TurnEvent, TurnFinished, TurnRequest
from persona.chat.fact_book import FactBook
from persona.chat.left_out import leave_out, left_out
from persona.chat.opening import open_sessions
from persona.chat.store import SessionStore
from persona.cli.root import run
from persona.errors import SessionError
from persona.lab.ab.choices import ChoiceBook


@pytest.fixture
def sessions() -> Iterator[SessionStore]:
    store = open_sessions()
    yield store
    store.close()


def chat(sessions: SessionStore, *exchanges: tuple[str, str]) -> str:
    session = sessions.create()
    for question, reply in exchanges:
        asked = sessions.add_user(session.id, question)
        sessions.add_reply(session.id, asked.number, text=reply, status="complete")
    return session.id


def said(sessions: SessionStore, session_id: str) -> list[str]:
    return [t.text for t in sessions.turns(session_id)]


def test_a_fork_has_what_was_said_up_to_there_and_the_first_chat_goes_on(sessions: SessionStore) -> None:
    first = chat(sessions, ("one", "1"), ("two", "2"), ("three", "3"))
    sessions.add_reply(first, 1, text="uno", status="complete")
    forked = branching.fork(sessions, first, 2)
    assert said(sessions, forked.id) == ["one", "uno", "two", "2"]
    sessions.add_user(forked.id, "another way")
    assert said(sessions, first) == ["one", "uno", "two", "2", "three", "3"]
    assert [t.text for t in branching.alternatives(sessions, sessions.turns(forked.id)[0].id)] == ["1", "uno"]
    assert "(fork)" in forked.title
    with pytest.raises(SessionError, match="nothing to fork"):
        branching.fork(sessions, sessions.create().id)


def test_facts_and_summaries_come_along_once_and_under_the_turns_of_the_fork(sessions: SessionStore) -> None:
    first, book = (
        chat(sessions, ("My dog is called Rufus.", "Nice."), ("And so on.", "Yes.")),
        FactBook(sessions),
    )
    book.learn(sessions.turns(first))
    fact = book.told(first)[0]
    book.correct(fact.id, "My dog is called Rolf.")
    turns = sessions.turns(first)
    sessions.add_summary(first, strategy="extractive", turns=turns[:2], text="- (turn 1) user: Rufus")
    sessions.add_summary(first, strategy="extractive", turns=turns, text="- (turns 1-2) all")
    forked = branching.fork(sessions, first, 1)
    book.learn(sessions.turns(forked.id))
    told = book.told(forked.id)
    assert [f.text for f in told if not f.superseded_by] == ["My dog is called Rolf."]
    assert len(told) == len(book.told(first))
    (summary,) = sessions.summaries(forked.id, "extractive")
    assert set(summary.turn_ids) == {t.id for t in sessions.turns(forked.id)}


def test_another_reply_is_put_in_force_and_stale_summaries_go(sessions: SessionStore) -> None:
    first = chat(sessions, ("one", "1"))
    asked, old = sessions.turns(first)
    new = sessions.add_reply(first, 1, text="uno", status="complete")
    sessions.add_summary(first, strategy="extractive", turns=[asked, new], text="- (turn 1) twin: uno")
    branching.put_in_force(sessions, old.id)
    assert said(sessions, first) == ["one", "1"]
    assert sessions.summaries(first, "extractive") == []
    with pytest.raises(SessionError, match="no reply"):
        branching.put_in_force(sessions, asked.id)


class Repeating:
    """An engine that answers with the seed it is given."""

    def __init__(self, sessions: SessionStore) -> None:
        self.sessions = sessions

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        session = self.sessions.create()
        self.sessions.add_user(session.id, request.text, correspondent=request.correspondent)
        yield from self.regenerate(session.id, request, cancel)

    def regenerate(
        self, session_id: str, request: TurnRequest | None = None, cancel: threading.Event | None = None
    ) -> Iterator[TurnEvent]:
        assert request is not None
        text = f"draft {request.seed}"
        reply = self.sessions.add_reply(session_id, 1, text=text, status="complete")
        yield TurnFinished(session_id, reply.id, text, "", "complete")


def test_what_is_made_of_a_draft_is_better_than_every_draft(sessions: SessionStore, tmp_path: Path) -> None:
    request = TurnRequest("lunch tomorrow?", correspondent="Jonas")
    made = [e for e in drafting.drafts(Repeating(sessions), request, threading.Event())
            if isinstance(e, TurnFinished)]  # fmt: skip
    assert [e.text for e in made] == ["draft 1", "draft 2", "draft 3"]
    kept = drafting.keep(sessions, made[1].reply_turn_id, "yes! at one?")
    assert said(sessions, made[0].session_id) == ["lunch tomorrow?", "yes! at one?"]
    pairs = list(ChoiceBook(sessions).preference_pairs())
    assert {p["rejected"][0]["content"] for p in pairs} == {"draft 1", "draft 2", "draft 3"}
    assert {p["chosen"][0]["content"] for p in pairs} == {"yes! at one?"}
    # the last word counts, and nothing changed is a choice too
    drafting.keep(sessions, made[0].reply_turn_id, "draft 1")
    (again,) = drafting.corrections(sessions)
    assert again.kept == replace(again.draft, active=True)
    sessions.delete(kept.session_id)
    assert drafting.corrections(sessions) == []


def test_no_more_drafts_are_made_once_stopped(sessions: SessionStore) -> None:
    cancel = threading.Event()
    for event in drafting.drafts(Repeating(sessions), TurnRequest("lunch?"), cancel):
        assert isinstance(event, TurnFinished)
        assert event.text == "draft 1"
        cancel.set()


def test_a_memory_is_left_out_of_one_chat_only(sessions: SessionStore) -> None:
    one, other = chat(sessions, ("a", "b")), chat(sessions, ("c", "d"))
    leave_out(sessions, one, "slack:C1:1")
    assert left_out(sessions, one) == {"slack:C1:1"}
    assert left_out(sessions, other) == frozenset()
    leave_out(sessions, one, "slack:C1:1", out=False)
    assert left_out(sessions, one) == frozenset()


@pytest.mark.parametrize("ending", [".md", ".html", ".json"])
def test_an_export_holds_what_was_said_and_runs_none_of_it(
    sessions: SessionStore, tmp_path: Path, ending: str
) -> None:
    session_id = chat(sessions, ("<script>alert(1)</script> \x1b[31mred", "fine, “João”"))
    file = exporting.export(sessions, session_id, tmp_path / f"chat{ending}")
    text = file.read_text(encoding="utf-8")
    assert "João" in text
    assert "\x1b" not in text
    assert ("<script>" in text) == (ending != ".html")
    if ending == ".json":
        assert len(json.loads(text)["turns"]) == 2


def test_an_export_of_no_known_kind_is_refused(sessions: SessionStore, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="does not say how"):
        exporting.export(sessions, chat(sessions, ("a", "b")), tmp_path / "chat.pdf")


def test_the_commands(sessions: SessionStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session_id = chat(sessions, ("by the river", "yes"), ("and then?", "home"))
    assert run(["sessions", "fork", session_id, "--turn", "1", "--json"]) == 0
    forked = json.loads(capsys.readouterr().out)
    assert forked["turns"] == 2
    assert run(["sessions", "rename", forked["id"], "River", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "River"
    assert run(["sessions", "search", "home", "--json"]) == 0
    (hit,) = json.loads(capsys.readouterr().out)
    assert (hit["session"], hit["text"]) == (session_id, "home")
    assert run(["sessions", "export", forked["id"], str(tmp_path / "river.md")]) == 0
    assert "by the river" in (tmp_path / "river.md").read_text(encoding="utf-8")
    assert run(["sessions", "delete", forked["id"]]) == 1
    assert run(["sessions", "delete", forked["id"], "--yes"]) == 0
    assert [s.id for s in sessions.list()] == [session_id]
