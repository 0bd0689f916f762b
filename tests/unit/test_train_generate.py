"""Rows that another model writes: a real HTTP server, a real GGUF, real files."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from teacher_api import Api, says, sends
from tiny_model import write_scripted_qwen3

from knowledge.privacy import Redactor
from persona.errors import PersonaError
from trainer.cli import train
from trainer.dataset import rows as files
from trainer.dataset.rows import Category, Row
from trainer.synthesis import permission
from trainer.synthesis.generate import NOTES, Generator
from trainer.synthesis.teacher import KEY, LocalTeacher, ServerTeacher, TeacherError, host_of

TEXT = "The lighthouse keeper Ada Quill painted the lamp room green in 1931. Her goat Perkin ate a brush."
SECRET = "ghp_" + "a1B2" * 9
GOOD = {"rows": [{"question": "Which colour did Ada paint the lamp room?", "answer": "green in 1931"}]}
INVENTED = {"rows": [{"question": "Who was Ada's husband?", "answer": "captain Bartholomew Fish"}]}


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "lighthouse.txt").write_text(f"{TEXT}\nThe token of the harbour is {SECRET}.", "utf-8")
    (folder / "ferry.txt").write_text(
        "The ferry to Stromness leaves at 7:40 from pier 3, never later.", "utf-8"
    )
    return folder


def run(*words: str) -> dict[str, Any]:
    found = CliRunner().invoke(train, ["generate", *words, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return dict(json.loads(found.stdout))


def refused(*words: str) -> tuple[str, str]:
    """What it says and how it could be mended, and what was shown before."""
    found = CliRunner().invoke(train, ["generate", *words, "--json"])
    assert isinstance(found.exception, PersonaError)
    assert not found.stdout
    return f"{found.exception} {found.exception.hint}", found.stderr


def test_questions_on_texts_survive_a_bad_api_and_a_second_run_asks_nothing(
    api: Api, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sk-private-key")
    api.plan = [
        sends(429, {}, Retry_After="0"),
        sends(400, {"error": "no response_format here"}),
        says("I'd rather not."),
        says(f"Sure!\n```json\n{json.dumps(GOOD)}\n```"),
        says(json.dumps(GOOD)),
    ]
    out = tmp_path / "out"
    words = ("--from", str(texts), "--server", api.url, "--teacher", "m", "--out", str(out), "--test", "0")
    made = run(*words, "--each", "1", "--prices", "1", "2")
    assert made["rows"] == made["train"] == 1
    assert made["dropped"] == {"answer that breaks the schema": 1, "answer not in the text": 1}
    assert sum(made["redactions"].values()) == 1
    assert made["cost"] == pytest.approx(3 * (100 * 1 + 20 * 2) / 1e6)
    (row,) = files.read(out / files.TRAIN)
    assert row.reply == "green in 1931"
    assert "Perkin" in row.messages[-1][1], "the piece that answers is in the memory block"
    assert "Stromness" in row.messages[-1][1], "and so is one that does not"
    sent, kept = json.dumps(api.asked), "".join(f.read_text() for f in out.iterdir())
    assert SECRET not in sent + kept
    assert set(api.keys) == {"Bearer sk-private-key"}
    assert "sk-private-key" not in kept
    asked = len(api.asked)
    assert run(*words, "--each", "1")["rows"] == 1
    assert len(api.asked) == asked


def test_a_killed_run_goes_on_after_its_last_note(api: Api, texts: Path, tmp_path: Path) -> None:
    ferry = {"rows": [{"question": "When does the ferry leave?", "answer": "at 7:40 from pier 3"}]}
    api.plan = [says(json.dumps(ferry)), sends(401, {})]
    out = tmp_path / "out"
    words = ("--from", str(texts), "--server", api.url, "--teacher", "m", "--out", str(out), "--each", "1")
    assert "key" in refused(*words)[0]
    assert not (out / files.TRAIN).exists()
    with (out / NOTES).open("a") as notes:
        notes.write('\n{"key": "half a li')
    asked = len(api.asked)
    api.plan = [says(json.dumps(GOOD))]
    assert run(*words)["rows"] == 2
    assert len(api.asked) == asked + 1


def test_examples_of_a_task_keep_to_its_schema_and_differ(api: Api, tmp_path: Path) -> None:
    schema = tmp_path / "task.json"
    schema.write_text(
        json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    )

    def part(*numbers: object) -> Callable[[BaseHTTPRequestHandler], None]:
        rows = [{"input": f"{word} apples", "output": {"n": n}} for n in numbers for word in [f"count {n}"]]
        return says(json.dumps({"rows": rows}))

    api.plan = [part(1, 2), part("many"), part(2, 3), part(3)]
    out = tmp_path / "out"
    words = ("--schema", str(schema), "--about", "How many?", "--server", api.url, "--teacher", "m")
    made = run(*words, "--out", str(out), "--count", "9", "--test", "0")
    assert made["rows"] == 3, "it ends where nothing new comes"
    assert made["dropped"]["answer that breaks the schema"] == 1
    assert {row.reply for row in files.read(out / files.TRAIN)} == {'{"n": 1}', '{"n": 2}', '{"n": 3}'}
    assert "count 2 apples" in api.asked[1]["messages"][1]["content"], "it is told what there is"


def test_a_teacher_on_this_machine(tmp_path: Path) -> None:
    model = write_scripted_qwen3(tmp_path / "m.gguf", ['{"n"', ": 7}", "<|im_end|>"])
    teacher = LocalTeacher(model)
    try:
        answer = teacher.ask(
            "Count.", "seven", '{"type": "object", "properties": {"n": {"type": "integer"}}}'
        )
    finally:
        teacher.close()
    assert json.loads(answer.text) == {"n": 7}
    assert answer.cost == 0


def test_reasons_for_decisions_come_from_the_talk_alone(api: Api, tmp_path: Path) -> None:
    def row(n: int, category: Category, thinking: bool = True) -> Row:
        asked = ("user", "the fjord is too cold to swim in, what now?")
        return Row(str(n), category, thinking, (("system", "x"), asked), "i booked a sauna", "[1] me.")

    api.plan = [
        says('{"rows": [{"reason": "the fjord is too cold to swim"}]}'),
        says('{"rows": [{"reason": "My doctor Bartholomew insists upon steam baths"}]}'),
        says('{"rows": [{"reason": ""}]}'),
    ]
    rows = [row(n, "decision") for n in (1, 3, 4)]
    rows = [*rows, row(2, "style"), row(5, "decision", False)]
    first = Generator(ServerTeacher(api.url, "m"), tmp_path, Redactor()).reasons(rows)
    assert [r.reasoning for r in first] == ["[1] me. the fjord is too cold to swim", *["[1] me."] * 4]
    assert len(api.asked) == 3
    assert Generator(ServerTeacher(api.url, "m"), tmp_path, Redactor()).reasons(rows) == first
    assert len(api.asked) == 3, "what was noted is not asked again"


def test_rows_leave_this_machine_under_other_names_only() -> None:
    words = [
        "prepare",
        "--thinking-by",
        "teacher",
        "--server",
        "https://api.example.org/v1",
        "--teacher",
        "m",
    ]
    found = CliRunner().invoke(train, words)
    assert found.exit_code == 2
    assert "--pseudonyms" in found.output


def test_a_teacher_that_does_not_answer_is_given_up_with_longer_and_longer_waits(api: Api) -> None:
    api.plan = [sends(503, {})]
    waits: list[float] = []
    with pytest.raises(TeacherError, match="did not answer"):
        ServerTeacher(api.url, "m", sleep=waits.append).ask("a", "b", "{}")
    assert len(api.asked) == 6
    assert waits == sorted(waits)
    assert waits[-1] > 10


@pytest.mark.parametrize("server", ["https://api.example.org/v1", "https://api.example.org:8443/v1"])
def test_nothing_goes_to_another_machine_unasked(texts: Path, tmp_path: Path, server: str) -> None:
    words = ("--from", str(texts), "--server", server, "--teacher", "m", "--out", str(tmp_path / "out"))
    assert "--send-to api.example.org" in refused(*words)[0]
    said, shown = refused(*words, "--send-to", "api.example.org")
    assert "--yes" in said
    assert "lamp room" in shown, "what would go is shown"
    assert SECRET not in shown


def test_an_allowed_host_is_remembered(tmp_path: Path) -> None:
    known, shown = tmp_path / "data" / "send-to.json", []

    def ask(answer: bool, named: str | None = None) -> None:
        permission.ask(
            "api.example.org", known, named=named, yes=False, preview=["a text"], show=shown.append,
            confirm=lambda _: answer, terminal=True,
        )  # fmt: skip

    with pytest.raises(TeacherError):
        ask(True)
    with pytest.raises(TeacherError, match="nothing was sent"):
        ask(False, "api.example.org")
    assert not known.exists()
    ask(True, "api.example.org")
    ask(True)
    assert json.loads(known.read_text()) == ["api.example.org"]
    assert any("a text" in line for line in shown)


@pytest.mark.parametrize(
    "address", ["http://api.example.org/v1", "ftp://x", "x", "https://me:pw@example.org"]
)
def test_an_address_that_will_not_do(address: str) -> None:
    with pytest.raises(TeacherError):
        host_of(address)
