"""docs/recipes.md, run: a real server, real commands; only ports and the model differ from what is there."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_model import write_scripted_qwen3

from persona.cards import character
from persona.chat.card import PersonaCard
from persona.cli.root import run
from trainer.toy import reminders

DOCS = Path(__file__).parents[2] / "docs"
SAID = [
    "<think>",
    "Hm, [1] says it.",
    "</think>",
    "I live",
    " in Porto.",
    " Come",
    " along",
    "!",
    "<|im_end|>",
]
PORT = re.compile(r"127\.0\.0\.1:800[89]")


def blocks(language: str, heading: str = "") -> list[str]:
    """The fenced blocks in `language` below `heading`, or of the whole page."""
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    if heading:
        text = re.split(r"^## ", text.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Kitchen:
    """A home with a server that runs. env: of the commands that are run in `folder`."""

    folder: Path
    env: dict[str, str]
    port: int

    def snippet(self, code: str) -> str:
        return PORT.sub(f"127.0.0.1:{self.port}", code)

    def shell(self, code: str, said: str = "") -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.snippet(code)],
            cwd=self.folder, env=self.env, input=said, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """The second of the page's two servers, which does all that the first one does."""
    first, second = (line for block in blocks("sh") for line in block.splitlines() if "persona serve" in line)
    assert shlex.split(first) == ["persona", "serve", "--port", "8008"]
    folder = tmp_path_factory.mktemp("kitchen")
    reminders.write(folder / "reminders")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PERSONA_HOME": str(folder / "home"),
        "PERSONA_MODEL__NAME": str(write_scripted_qwen3(folder / "tiny.gguf", SAID)),
        "PERSONA_MODEL__THREADS": "1",
        "PERSONA_CHAT__REPLY_TOKENS": "60",
        "PERSONA_MEMORY__ENABLED": "false",
    }
    command = ["0" if word == "8009" else word for word in shlex.split(second)]
    with subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        heard = ""
        while not (found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", heard)):
            line = server.stderr.readline()
            assert line, heard
            heard += line
        ready = Kitchen(folder, env, int(found.group(1)))
        ready.shell("until curl -sf http://127.0.0.1:8008/health; do sleep 0.1; done")
        yield ready
        server.send_signal(signal.SIGTERM)


def test_curl(kitchen: Kitchen) -> None:
    whole, kept = blocks("sh", "curl")
    reply = json.loads(kitchen.shell(whole))
    assert reply["choices"][0]["message"]["content"] == "I live in Porto. Come along!"
    out = kitchen.shell(kept)
    assert "data: [DONE]" in out
    assert "My sister is called Ana." in out.partition("[DONE]")[2]


def test_the_openai_client(kitchen: Kitchen, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = blocks("python", "The `openai` client")
    exec(kitchen.snippet(code), {})
    plain, streamed, judged = re.fullmatch(
        r"(.*)\n(.*)(\{.*\})\n", capsys.readouterr().out, re.DOTALL
    ).groups()  # type: ignore[union-attr]
    assert plain == "I live in Porto. Come along!"
    assert streamed.startswith("Hm, [1] says it.")
    assert streamed.endswith("I live in Porto. Come along!")
    assert isinstance(json.loads(judged)["polite"], bool)


def test_the_voice_assistant_is_twenty_lines_and_keeps_its_chat(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = blocks("python", "A voice assistant")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    names: dict[str, Any] = {}
    exec(kitchen.snippet(code), names)
    heard = iter(["Where do you live?", "And where is that?", "goodbye"])
    spoken: list[str] = []
    names["converse"](listen=lambda: next(heard), speak=spoken.append)
    assert spoken == ["I live in Porto.", "Come along!"] * 2
    sessions = json.loads(kitchen.shell("persona sessions list --json"))
    assert 4 in [session["turns"] for session in sessions]


def test_a_draft(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = blocks("python", "A draft of a reply, from an editor or from Slack")
    monkeypatch.setattr(sys, "stdin", io.StringIO("Are you coming on Saturday?"))
    exec(kitchen.snippet(code), {})
    assert capsys.readouterr().out == "I live in Porto. Come along!\n"
    [line] = blocks("sh", "A draft of a reply, from an editor or from Slack")
    assert kitchen.shell(line) == "I live in Porto. Come along!\n"


def test_the_settings_for_mcp_start_a_command_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    [settings] = blocks("json")
    [server] = json.loads(settings)["mcpServers"].values()
    assert server["command"] == "persona"
    assert run([*server["args"], "--help"]) == 0


def test_character_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rosa = PersonaCard("Rosa Quill", "Name: Rosa Quill\nkeeps the lighthouse")
    Path("rosa.png").write_bytes(character.as_png(rosa, "v3"))
    [block] = blocks("sh", "Character cards")
    for line in block.splitlines():
        assert run(shlex.split(line)[1:]) == 0
    assert "keeps the lighthouse" in capsys.readouterr().out
    assert character.read(Path("me.png")).card == rosa


def test_text_into_data(kitchen: Kitchen) -> None:
    """The random model may be cut off within a text; what it is asked, and how, is right."""
    _, line = blocks("sh", "Text into data")
    answer = json.loads(kitchen.shell(line))
    assert answer.keys() == {"success", "structured_data", "error"}
    assert answer["success"] == (not answer["error"])


@pytest.mark.slow
def test_what_ollama_is_given(tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl", reason="the training extra is not installed")
    rows = [{"input": f"call {n}", "output": f"calling {n}"} for n in range(20)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    small = "--preset highspeed --force-cpu --set max_steps=2"
    model = ["--data", str(tmp_path), "--model", str(tiny_model_path)]
    assert run(["train", "run", *model, *small.split()]) == 0
    [line] = blocks("sh", "A tuned model in Ollama")
    monkeypatch.chdir(tmp_path)
    assert run(shlex.split(line)[1:]) == 0
    assert (tmp_path / "me.gguf").read_bytes()[:4] == b"GGUF"
    modelfile = (tmp_path / "me.Modelfile").read_text(encoding="utf-8")
    assert modelfile.startswith("FROM ./me.gguf\n")
    assert "ollama create me -f me.Modelfile" in (DOCS / "recipes.md").read_text(encoding="utf-8")


def test_the_shell_completes_commands() -> None:
    asked = {"_PERSONA_COMPLETE": "bash_complete", "COMP_WORDS": "persona me", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from persona.cli import main; main()"],
        env={**os.environ, **asked}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["plain,messages", "plain,memory"]
