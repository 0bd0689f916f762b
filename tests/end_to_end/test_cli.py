"""The commands that scripts rely on, over the sample twin: JSON keys, exit codes, what is written where."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona import paths
from persona.cli.ingest import SOURCES
from persona.cli.root import run
from persona.demo import DEMO_QUESTIONS, OWNER

Run = Callable[..., Any]
COUNTS = ("seen", "imported", "updated", "duplicates", "skipped", "failed")
MEMORY_KEYS = {"id", "text", "author", "sent_at", "source", "conversation", "score", "why"}


@pytest.fixture
def ask_json(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with `--json` and give its document; its exit code must be `code`."""

    def call(*args: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*args, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample twin, prepared once by the command itself."""
    home = tmp_path_factory.mktemp("twin")
    assert run(["demo", "--home", str(home), "--no-chat"]) == 0
    return home


@pytest.fixture
def mira(twin: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Her home as this process's, with a model that talks noise, quickly."""
    monkeypatch.setenv("PERSONA_HOME", str(twin))
    monkeypatch.setenv("PERSONA_MODEL__NAME", str(tiny_model_path))
    monkeypatch.setenv("PERSONA_CHAT__REPLY_TOKENS", "24")
    return twin


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two notes, quickly imported."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "2024-03-12 move.md").write_text("I moved to a flat with a quokka poster in Porto.\n")
    (folder / "2024-05-01 bike.md").write_text("Sold the old bicycle to Jonas.\n")
    return folder


# ingest


def test_import_adds_up_and_the_second_time_changes_nothing(ask_json: Run) -> None:
    export = str(paths.sample_dir() / "slack_export.zip")
    first = ask_json("ingest", export, "--me", OWNER)
    again = ask_json("ingest", export, "--me", OWNER)
    for report in (first, again):
        for row in [*report["sources"], report["total"]]:
            assert row["seen"] == sum(
                sum(row[key].values()) if key == "skipped" else row[key] for key in COUNTS[1:]
            )
    [row] = first["sources"]
    assert row["path"] == export
    assert row["source"] == "slack"
    assert row["conversations"] > 1
    assert row["people"] > 1
    assert row["first"] < row["last"]
    assert (
        first["total"]["imported"] == first["total"]["seen"] - sum(first["total"]["skipped"].values()) > 2000
    )
    assert again["total"]["imported"] == again["total"]["updated"] == 0
    assert again["total"]["duplicates"] == first["total"]["imported"]


def test_dry_run_counts_and_changes_nothing(notes: Path, ask_json: Run) -> None:
    assert ask_json("ingest", str(notes), "--dry-run")["total"]["imported"] == 2
    assert ask_json("messages") == []


def test_a_path_that_does_not_exist_touches_nothing(
    notes: Path, persona_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ingest", str(notes), "/no/such/export.zip", "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "/no/such/export.zip" in said.err
    assert not persona_home.exists()


def test_a_file_that_cannot_be_read_fails_alone(notes: Path, tmp_path: Path, ask_json: Run) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 this is no archive")
    alone = ask_json("ingest", str(broken), code=1)
    assert (alone["total"]["seen"], alone["total"]["failed"]) == (1, 1)
    both = ask_json("ingest", str(broken), str(notes), "--failed")
    assert (both["total"]["imported"], both["total"]["failed"]) == (2, 1)
    assert any("broken.zip" in problem["place"] for problem in both["problems"])


def test_an_unknown_owner_is_a_warning_and_settled_later(
    capsys: pytest.CaptureFixture[str], ask_json: Run
) -> None:
    mail = str(paths.sample_dir() / "mail.mbox")
    assert run(["ingest", mail, "--me", "Nobody Atall", "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["owner"] is None
    assert report["candidates"]
    assert "people me" in said.err
    assert not any(row["is_self"] for row in ask_json("messages"))
    assert ask_json("people", "me", OWNER)["owner"]["name"] == OWNER
    assert any(row["is_self"] for row in ask_json("messages", "--limit", "500"))
    assert run(["people", "me", "Nobody Atall"]) == 1


def test_a_chat_that_leaves_day_and_month_open_is_not_read_until_the_user_says(
    ask_json: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chat = tmp_path / "WhatsApp Chat with Jonas.txt"
    chat.write_text("03/04/24, 10:00 - Mira: hi\n")
    assert run(["ingest", str(chat), "--json"]) == 1
    assert "--day-first" in capsys.readouterr().err
    assert ask_json("ingest", str(chat), "--month-first")["total"]["imported"] == 1
    assert [row["sent_at"][:10] for row in ask_json("messages")] == ["2024-03-04"]


def test_sources_offered_are_those_there_are() -> None:
    from knowledge.importers.registry import names

    assert ("auto", *names()) == SOURCES


# messages and memory


def test_messages_are_the_newest_oldest_first(mira: Path, ask_json: Run) -> None:
    rows = ask_json("messages", "--limit", "20")
    keys = {"id", "source", "conversation", "conversation_id", "thread", "reply_to", "author", "is_self"}
    assert keys | {"sent_at", "kind", "text", "flags"} == set(rows[0])
    assert len(rows) == 20
    times = [row["sent_at"] for row in ask_json("messages", "--limit", "100000")]
    assert len(times) > 3000
    assert [row["sent_at"] for row in rows] == times[-20:]


def test_messages_by_conversation_author_thread_and_id(mira: Path, ask_json: Run) -> None:
    rows = ask_json("messages", "--limit", "5000")
    reply = next(row for row in rows if row["thread"] and row["thread"] != row["id"])
    thread = ask_json("messages", "--thread", reply["thread"])
    assert thread[0]["id"] == reply["thread"] == thread[0]["thread"]
    assert reply["id"] in {row["id"] for row in thread}
    hers = ask_json("messages", "--author", OWNER, "--limit", "5000")
    assert all(row["is_self"] for row in hers)
    assert len(hers) >= 1500
    there = ask_json("messages", "--conversation", reply["conversation_id"], "--limit", "5000")
    assert {row["conversation_id"] for row in there} == {reply["conversation_id"]}
    [one] = ask_json("messages", "--id", reply["id"])
    assert one["raw"]
    assert run(["messages", "--id", "slack:none"]) == 1


def test_memory_search_is_ranked_and_silent_without_evidence(mira: Path, ask_json: Run) -> None:
    rows = ask_json("memory", "search", "What is your cat called?", "--now", "2026-10-31T18:00+00:00")
    assert set(rows[0]) >= MEMORY_KEYS
    assert any("knödel" in row["text"].lower() for row in rows)
    assert len(ask_json("memory", "search", "What is your cat called?", "--k", "1")) == 1
    assert ask_json("memory", "search", "zyzzyva quuxification flumadiddle") == []


def test_memory_stats_and_rebuild(notes: Path, ask_json: Run) -> None:
    ask_json("ingest", str(notes))
    assert ask_json("memory", "rebuild")["embedded"] > 0
    assert ask_json("memory", "stats")["messages"] == 2
    assert "quokka" in ask_json("memory", "search", "quokka")[0]["text"]


# ask and sessions


def test_one_turn_is_answered_and_stored(mira: Path, ask_json: Run) -> None:
    answer = ask_json("ask", "What is your cat called?", "--seed", "1")
    assert {"session", "reply", "thinking", "memories", "usage"} <= set(answer)
    assert set(answer["memories"][0]) >= MEMORY_KEYS
    usage = answer["usage"]
    assert {"prompt_tokens", "cached_tokens", "completion_tokens", "ttft_ms", "tokens_per_second"} == set(
        usage
    )
    assert 0 < usage["completion_tokens"] <= 24
    shown = ask_json("sessions", "show", answer["session"])
    question, reply = shown["turns"]
    assert (question["role"], question["text"]) == ("user", "What is your cat called?")
    assert (reply["role"], reply["text"], reply["status"]) == ("assistant", answer["reply"], "complete")
    more = ask_json("ask", "And your dog?", "--session", answer["session"], "--no-memory", "--no-think")
    assert more["session"] == answer["session"]
    assert more["memories"] == []
    [listed] = [row for row in ask_json("sessions", "list") if row["id"] == answer["session"]]
    assert set(listed) == {"id", "title", "created_at", "updated_at", "turns"}
    assert listed["turns"] == 4


def test_same_seed_and_time_give_the_same_reply(mira: Path, ask_json: Run) -> None:
    question = ["ask", "Where do you live now?", "--seed", "7", "--now", "2026-10-31T18:00+00:00"]
    first, second = ask_json(*question), ask_json(*question)
    assert first["reply"] == second["reply"]
    assert first["session"] != second["session"]
    assert [m["id"] for m in first["memories"]] == [m["id"] for m in second["memories"]]


def test_the_question_may_come_from_standard_input(
    mira: Path, ask_json: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Who is your dentist?\n"))
    session = ask_json("ask", "-", "--as-correspondent", "Jonas")["session"]
    question = ask_json("sessions", "show", session)["turns"][0]
    assert (question["text"], question["correspondent"]) == ("Who is your dentist?", "Jonas")


def test_without_json_the_reply_alone_is_on_standard_output(
    mira: Path, capsys: pytest.CaptureFixture[str], ask_json: Run
) -> None:
    capsys.readouterr()
    assert run(["ask", "What is your cat called?", "--seed", "1", "--now", "2026-10-31T18:00+00:00"]) == 0
    said = capsys.readouterr()
    session = said.err.rsplit("--session ", 1)[1].split()[0]
    assert said.out.strip() == ask_json("sessions", "show", session)["turns"][1]["text"].strip()
    assert "[1]" in said.err


def test_an_unknown_session_is_an_error_and_starts_none(mira: Path, ask_json: Run) -> None:
    before = ask_json("sessions", "list")
    assert run(["ask", "hello", "--session", "s-none"]) == 1
    assert ask_json("sessions", "list") == before


def test_an_interrupt_keeps_what_was_said(mira: Path, ask_json: Run) -> None:
    env = {**os.environ, "PERSONA_CHAT__REPLY_TOKENS": "7000"}
    command = [sys.executable, "-u", "-m", "persona", "ask", "Tell me everything", "--seed", "3"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=200)
    assert process.returncode == 130
    newest = ask_json("sessions", "list")[0]
    assert newest["title"].startswith("Tell me everything")
    reply = ask_json("sessions", "show", newest["id"])["turns"][1]
    assert reply["status"] == "partial"
    assert reply["text"]


# the whole


def test_nothing_leaves_the_machine_and_no_text_reaches_the_log(
    notes: Path, persona_home: Path, tiny_model_path: Path
) -> None:
    code = f"""
import socket, sys
def refuse(self, address, *rest):
    if not isinstance(address, (str, bytes)):
        sys.exit(f"a connection was tried to {{address}}")
socket.socket.connect = socket.socket.connect_ex = refuse
def resolve(*args, **named):
    sys.exit(f"a name was looked up: {{args}}")
socket.getaddrinfo = resolve
from persona.cli.root import run
codes = [
    run(["ingest", {str(notes)!r}]),
    run(["memory", "rebuild"]),
    run(["--debug", "ask", "what about the quokka poster?", "--model", {str(tiny_model_path)!r}]),
]
sys.exit(f"exit codes {{codes}}" if any(codes) else 0)
"""
    env = {**os.environ, "PERSONA_CHAT__REPLY_TOKENS": "16", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    log = paths.log_file().read_text(encoding="utf-8")
    assert log, "something is logged"
    assert "quokka" not in log


def test_the_sample_twin_is_not_prepared_twice(mira: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--home", str(mira), "--no-chat"]) == 0
    said = capsys.readouterr()
    assert str(mira) in said.out
    assert said.err == "", "nothing is read or embedded again"


def test_the_sample_twin_is_never_mixed_into_own_messages(
    notes: Path, persona_home: Path, ask_json: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ask_json("ingest", str(notes))
    assert run(["demo", "--home", str(persona_home), "--no-chat"]) == 1
    assert "other messages" in capsys.readouterr().err
    assert len(ask_json("messages")) == 2


def test_demo_without_a_terminal_is_a_short_real_conversation(
    mira: Path, capsys: pytest.CaptureFixture[str], ask_json: Run
) -> None:
    assert run(["demo", "--home", str(mira)]) == 0
    out = capsys.readouterr().out
    assert [question for question in DEMO_QUESTIONS if f"you: {question}" not in out] == []
    assert out.count("[1]") >= len(DEMO_QUESTIONS), "each answer names its memories"
    assert ask_json("sessions", "list")[0]["turns"] == 2 * len(DEMO_QUESTIONS)


def test_doctor_finds_a_prepared_home_well(mira: Path, ask_json: Run) -> None:
    report = ask_json("doctor")
    checks = {check["name"]: check for check in report["checks"]}
    assert {"python", "cpu", "ram", "gpu", "cuda", "disk", "model", "index"} <= set(checks)
    assert all(check["status"] in {"ok", "warn", "fail"} for check in checks.values())
    assert all(check["remedy"] for check in checks.values() if check["status"] != "ok")
    assert checks["index"]["status"] == checks["model"]["status"] == "ok"
    assert set(report["suggestion"]) == {"model", "training_model", "preset", "settings"}
    assert report["suggestion"]["settings"]["model.speculative"] == checks["lookup"]["figures"]["speculative"]
    assert report["suggestion"]["settings"]["model.kv_cache"] == checks["cache"]["figures"]["kv_cache"]


def test_doctor_says_what_to_do_in_an_empty_home_and_with_broken_settings(
    ask_json: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {check["name"]: check for check in ask_json("doctor")["checks"]}
    assert checks["archive"]["status"] == "warn"
    assert "ingest" in checks["archive"]["remedy"]
    monkeypatch.setenv("PERSONA_CHAT__NONSENSE", "1")
    checks = {check["name"]: check for check in ask_json("doctor")["checks"]}
    assert checks["settings"]["status"] == "fail"


def test_the_order_of_day_and_month_is_asked_for_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / "home"))
    chat = tmp_path / "WhatsApp Chat with Jonas.txt"
    chat.write_text("03/04/24, 10:00 - Jonas: hello\n03/04/24, 10:01 - Mira: hi\n")
    monkeypatch.setattr(sys, "stdin", Keyboard("day\n\n"))
    assert run(["ingest", str(chat)]) == 0
    capsys.readouterr()
    assert run(["messages", "--json"]) == 0
    assert [row["sent_at"][:10] for row in json.loads(capsys.readouterr().out)] == ["2024-04-03"] * 2
