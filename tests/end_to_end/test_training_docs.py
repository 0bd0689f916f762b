"""What the documentation tells people to run, run: the snippets of docs/training.md and the notebook."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from teacher_api import Api, says
from tiny_architectures import KINDS, write_model

pytest.importorskip("trl", reason="the training extra is not installed")

from persona.cli import root
from trainer.finetuner import FineTuner
from trainer.toy import reminders

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "train-on-a-t4.ipynb"


def blocks(language: str) -> list[str]:
    """The fenced blocks of docs/training.md in `language`."""
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def talk(file: Path) -> Path:
    """Twelve days of a chat."""
    lines = []
    for n in range(12):
        day = f"{n + 10:02}/03/2026"  # beyond the twelfth: no month
        lines += [
            f"[{day}, 09:00:00] Lena Weber: Where did parcel number {n} go, the one for the {n}th floor?",
            f"[{day}, 09:01:00] Mira Sol: parcel {n} went to Quintaberg with aunt Odila and her bag",
            f"[{day}, 20:00:00] Lena Weber: dinner on day {n}?",
            f"[{day}, 20:01:00] Mira Sol: hm, soup at ten, bring bread {n}",
        ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_the_python_door_as_it_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    (rows,) = blocks("jsonl")
    (snippet,) = blocks("python")
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert 'model="auto"' in snippet
    names: dict[str, object] = {}
    exec(snippet.replace('"auto"', repr(str(tiny_model_path))), names)
    assert isinstance(names["tuner"], FineTuner)
    assert len(names["replies"]) == 1  # type: ignore[arg-type]


def test_every_command_in_the_docs_exists(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("persona")]
    assert len(commands) > 8
    for line in commands:
        words = shlex.split(line.partition("  #")[0])[1:]
        options = [word for word in words if word.startswith("--")]
        depth = 2 if words[0] in ("train", "models") else 1
        assert root.run([*words[:depth], "--help"]) == 0, line
        shown = capsys.readouterr().out
        assert all(re.search(rf"{option}\b", shown) for option in options), line


@pytest.mark.slow
def test_the_notebook_runs_as_it_is_on_the_tiny_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [(c["metadata"].get("tags", []), "".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    values: dict[str, object] = {}
    exec(next(text for tags, text in code if "parameters" in tags), {}, values)
    values |= {
        "EXPORTS": talk(tmp_path / "WhatsApp Chat with Lena.txt"),
        "ME": "Mira Sol",
        "MODEL": tiny_model_path,
        "RECIPE": f"{values['RECIPE']} --set max_steps=2",
        "LIMIT": 2,
        "HOME": tmp_path / "home",
        "OUT": tmp_path / "me.gguf",
    }
    ran = 0
    for tags, text in code:
        if tags:
            continue
        for line in text.splitlines():
            line = line.format(**values)
            if line.startswith("%env "):
                monkeypatch.setenv(*line.removeprefix("%env ").split("=", 1))
                continue
            assert line.startswith("!persona "), line
            assert root.run(shlex.split(line)[1:]) == 0, line
            ran += 1
    assert ran == 8
    assert (tmp_path / "me.gguf").is_file()


@pytest.mark.slow
def test_the_road_of_the_docs_from_an_archive_to_a_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    """The first block of commands, with small settings put behind them."""
    small = {"run": "--force-cpu --set max_steps=2", "evaluate": "--limit 2"}
    export = talk(tmp_path / "WhatsApp Chat with Lena.txt")
    assert root.run(["ingest", str(export), "--me", "Mira Sol"]) == 0
    monkeypatch.setenv("PERSONA_MODEL__NAME", str(tiny_model_path))
    for line in blocks("sh")[0].splitlines():
        words = shlex.split(line.partition("  #")[0])
        if not words or words[0] != "persona":
            continue
        if words[1:3] == ["models", "use"]:
            monkeypatch.delenv("PERSONA_MODEL__NAME")
            words[3] = str(next((tmp_path / "home").rglob("*-f16.gguf")))
        more = small.get(words[2], "") if words[1] == "train" else ""
        assert root.run([*words[1:], *more.split()]) == 0, line


SMALL = {
    "prepare": "--most 8",
    "run": "--force-cpu --set max_steps=1 --set batch=1",
    "evaluate": "--limit 1",
}


def ran(block: str, changes: dict[str, str], *, but: tuple[str, ...] = ()) -> list[str]:
    """Run the `persona` lines of a block, with small settings behind them and `changes` within; the others,
    and those that begin with one of `but`, are given back."""
    left = []
    for line in block.splitlines():
        command = line.partition("  #")[0]
        for old, new in changes.items():
            command = command.replace(old, new)
        words = shlex.split(command)
        if words[:1] != ["persona"] or line.startswith(but):
            left.append(line)
            continue
        more = SMALL.get(words[2], "") if words[1] == "train" else ""
        assert root.run([*words[1:], *more.split()]) == 0, line
    return left


@pytest.mark.slow
def test_a_task_model_as_it_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = (b for b in blocks("sh") if "trainer.toy.reminders" in b)
    reminders.write(tmp_path / "reminders")
    for name, count in (("train.jsonl", 4), ("test.jsonl", 1)):
        rows = (tmp_path / "reminders" / name).read_text().splitlines(keepends=True)
        (tmp_path / "reminders" / name).write_text("".join(rows[:count]))
    left = ran(block, {"starter": str(tiny_model_path)}, but=("persona serve",))
    assert [line.split()[0] for line in left] == ["python", "persona"]
    assert (tmp_path / "reminders.gguf").is_file()


@pytest.mark.slow
def test_rows_that_a_model_writes_as_it_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "keeper.txt").write_text("Ada Quill painted the lamp room green in 1931.")
    schema = {"type": "object", "properties": {"when": {"type": "string"}}, "required": ["when"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    asked = json.dumps({"rows": [{"question": "Which colour was it?", "answer": "green in 1931"}]})
    task = json.dumps({"rows": [{"input": "call mum at ten", "output": {"when": "at ten"}}]})
    api.plan = [says(asked), says(task), says(asked)]
    (block,) = (b for b in blocks("sh") if "train generate" in b)
    here = f" --server {api.url} --teacher m --yes"
    changes = {
        "--out questions": f"--out questions{here}",
        "--count 300 --out tasks": f"--count 1 --out tasks{here}",
        "https://openrouter.ai/api/v1": api.url,
        " --send-to openrouter.ai": "",
    }
    assert ran(block, changes) == []
    for folder in ("questions", "tasks", "more"):
        assert (tmp_path / folder / "train.jsonl").read_text(), folder


@pytest.mark.slow
def test_a_model_from_its_folder_as_it_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the download."""
    monkeypatch.chdir(tmp_path)
    assert root.run(["ingest", str(talk(tmp_path / "WhatsApp Chat with Lena.txt")), "--me", "Mira Sol"]) == 0
    write_model(tmp_path / "tinyllama-1.1b", KINDS["tinyllama-1.1b"])
    (block,) = (b for b in blocks("sh") if "hf download" in b)
    assert [line.split()[0] for line in ran(block, {})] == ["hf"]


@pytest.mark.slow
def test_several_processes_as_they_are_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model_path: Path
) -> None:
    assert root.run(["ingest", str(talk(tmp_path / "WhatsApp Chat with Lena.txt")), "--me", "Mira Sol"]) == 0
    monkeypatch.setenv("PERSONA_MODEL__NAME", str(tiny_model_path))
    assert root.run(["train", "prepare", "--most", "8"]) == 0
    (block,) = (b for b in blocks("sh") if b.startswith("torchrun"))
    words = [*shlex.split(block), *"--force-cpu --set max_steps=2 --set batch=2 --set accumulation=1".split()]
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    found = subprocess.run(words, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stderr[-2000:]
    assert next((tmp_path / "home").rglob("adapter_model.safetensors"))


def test_reminders_hold_what_they_promise(tmp_path: Path) -> None:
    folder = reminders.write(tmp_path / "reminders")
    train, test = ([json.loads(r) for r in (folder / f"{n}.jsonl").open()] for n in ("train", "test"))
    assert (len(train), len(test)) == (800, 200)
    inputs = [row["input"] for row in (*train, *test)]
    assert len(set(inputs)) == 1000
    assert not {r["output"]["task"] for r in train} & {r["output"]["task"] for r in test}
    for row in (*train, *test):
        assert row["output"]["task"] in row["input"]
        assert row["output"]["when"] in row["input"]
