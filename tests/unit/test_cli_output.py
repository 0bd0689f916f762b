"""What is printed: cleaned, machine-readable where asked, and nothing lost on the way."""

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime

import click
import pytest

from knowledge.progress import Progress
from persona import logs, offline, paths
from persona.cli.options import Instant
from persona.cli.output import emit, name_stages, note, say, table

NASTY = "a\x1b[31mred\x07\x9b\u202eevil\u2066\ud800"


def forbidden(text: str) -> str:
    return "".join(c for c in text if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\x9b\u202e\u2066\ud800")


def test_nothing_printed_holds_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    emit([{NASTY: [NASTY, 1, None, True]}])
    say(NASTY)
    note(NASTY)
    table(["text"], [[NASTY], ["[bold]x[/bold]"]])
    said = capsys.readouterr()
    assert forbidden(said.out + said.err) == ""
    assert "[bold]x[/bold]" in said.out, "imported text is no markup"


def test_json_survives_a_terminal_that_is_not_unicode() -> None:
    code = "from persona.cli.output import emit; emit({'a': 'zażółć 🦊'})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert json.loads(done.stdout) == {"a": "zażółć 🦊"}


def test_tables_in_a_pipe_keep_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{n}" for n in range(200)]
    table(["text"], [[" ".join(words)]])
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


def test_stages_are_named_once_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    report = name_stages()
    for stage, done in [("reading", 0), ("reading", 5), ("embedding", 0)]:
        report(Progress(stage, done, 10))
    said = capsys.readouterr()
    assert said.err.splitlines() == ["reading …", "embedding …"]
    assert said.out == ""


def test_times_keep_their_offset_and_naive_ones_get_this_machines() -> None:
    kept = Instant().convert("2026-11-21T14:03+05:30", None, None)
    assert kept.isoformat() == "2026-11-21T14:03:00+05:30"
    assert Instant().convert("2026-11-21T14:03", None, None).tzinfo is not None
    assert Instant().convert("2026-11-21T14:03:00Z", None, None) == datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
    with pytest.raises(click.BadParameter):
        Instant().convert("soon", None, None)


def test_the_log_is_made_with_its_first_record_and_takes_only_our_own() -> None:
    logs.start()
    assert not paths.log_file().exists()
    logging.getLogger("persona.anything").info("hello %s", "log")
    logging.getLogger("chromadb.anything").warning("what a library says")
    text = paths.log_file().read_text(encoding="utf-8")
    assert "hello log" in text
    assert "library" not in text


def test_a_log_that_cannot_be_written_disturbs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    paths.state_dir().parent.mkdir(parents=True)
    paths.state_dir().write_text("a file where the folder should be")
    logs.start()
    logging.getLogger("persona.anything").info("lost")
    assert capsys.readouterr().err == ""


def test_failures_are_logged_without_their_message() -> None:
    try:
        raise RuntimeError("a secret sentence")
    except RuntimeError as error:
        said = logs.failure(error)
    assert "RuntimeError" in said
    assert "test_failures_are_logged" in said
    assert "secret" not in said


def test_telemetry_is_off_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANONYMIZED_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "no" if name == "DO_NOT_TRACK" else "True")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    offline.stay_on_this_machine()
    assert os.environ["ANONYMIZED_TELEMETRY"] == "False"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_DATASETS_OFFLINE"] == "1"
    assert os.environ["HF_HUB_OFFLINE"] == "0", "who allows downloads keeps them"
