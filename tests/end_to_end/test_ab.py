"""`persona ab run` as scripts call it, with a real engine and a model that talks noise."""

import json
from pathlib import Path

import pytest

from persona import paths
from persona.chat.opening import open_sessions
from persona.cli.root import run
from persona.lab.ab import last

SCRIPT = (
    '{"user": "My dog is called Rufus."}\n'
    '{"user": "It rains.", "reply": "Take an umbrella."}\n'
    '{"probe": "What is my dog called?", "expect": ["Rufus"], "from_turn": 1}\n'
)
TURN = {"prompt_tokens", "cached_tokens", "ttft_ms", "completion_tokens", "summary_calls"}


@pytest.fixture
def script(tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERSONA_MODEL__NAME", str(tiny_model_path))
    monkeypatch.setenv("PERSONA_CHAT__REPLY_TOKENS", "16")
    monkeypatch.setenv("PERSONA_MEMORY__ENABLED", "false")
    file = tmp_path / "script.jsonl"
    file.write_text(SCRIPT)
    return file


def test_arms_of_a_file_give_what_is_promised(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms, page = tmp_path / "arms.toml", tmp_path / "pages" / "ab.html"
    arms.write_text('[plain]\nchat.compression = "off"\n[bound]\noracle = true\n')
    assert run(["ab", "run", str(script), "--arms", str(arms), "--html", str(page), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["arms"]
    assert list(found) == ["plain", "bound"]
    assert [set(turn) >= TURN for turn in found["plain"]["turns"]] == [True, True]
    first, second = found["plain"]["turns"]
    assert (first["turn"], second["reply"]) == (1, "Take an umbrella.")
    assert second["prompt_tokens"] > first["prompt_tokens"] > 0
    assert second["cached_share"] == 1.0
    assert found["plain"]["probes"]["asked"] == found["bound"]["probes"]["asked"] == 1
    assert found["plain"]["probes"]["in_prompt"] == found["bound"]["probes"]["in_prompt"] == 1
    assert found["bound"]["probes"]["rows"][0]["prompt_tokens"] < second["prompt_tokens"] + 40
    assert "Take an umbrella." in page.read_text(encoding="utf-8")
    assert list((paths.data_dir() / "ab").iterdir()) == []
    kept = last.read()
    assert kept is not None
    assert kept["arms"]["plain"]["prompt_tokens"] == [first["prompt_tokens"], second["prompt_tokens"]]
    assert kept["arms"]["bound"]["probes"]["asked"] == 1
    assert "Take an umbrella." not in paths.last_ab_file().read_text(encoding="utf-8")
    assert not paths.sessions_file().exists()


def test_a_stored_chat_is_answered_anew_and_stays_as_it_was(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_sessions()
    chat = store.create("mine")
    store.add_user(chat.id, "Hello there")
    store.close()
    assert run(["ab", "run", chat.id, "--arms", "off"]) == 0
    assert f"{chat.id}: 1 turns" in capsys.readouterr().out
    store = open_sessions()
    assert [t.text for t in store.turns(chat.id)] == ["Hello there"]
    assert [s.id for s in store.list()] == [chat.id]
    store.close()


def test_what_cannot_be_run_is_said_before_anything_runs(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for args in (
        ["s-none"],
        [str(tmp_path / "none.jsonl")],
        [str(script), "--arms", "fast"],
        [str(script), "--arms", str(tmp_path / "none.toml")],
    ):
        assert run(["ab", "run", *args]) == 1
        assert "→" in capsys.readouterr().err
    assert not (paths.data_dir() / "ab").exists()


def test_a_conversation_is_generated_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ab", "generate", "-", "--turns", "30", "--probes", "5", "--seed", "3"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sum(key in row for row in rows) for key in ("user", "probe")] == [30, 5]
