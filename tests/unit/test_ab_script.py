"""What A/B is given: scripts, stored chats, LoCoMo conversations, arms, and generated conversations."""

import json
import re
from pathlib import Path

import pytest

from persona import paths
from persona.backends.base import Backend
from persona.chat.budget import window_of
from persona.config import Settings
from persona.errors import PersonaError, SettingsError
from persona.lab.ab import arms, script
from persona.lab.ab.generate import script as generated
from persona.lab.ab.script import Probe, Say

LOCOMO = [
    {
        "sample_id": "c-1",
        "conversation": {
            "speaker_a": "Ana",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ana", "dia_id": "D1:1", "text": "Hi!"},
                {"speaker": "Ana", "dia_id": "D1:2", "text": "I adopted Waldo."},
                {"speaker": "Ben", "dia_id": "D1:3", "text": "Lovely!"},
                {"speaker": "Ana", "dia_id": "D1:4", "text": "Look.", "blip_caption": "a tortoise"},
            ],
        },
        "qa": [
            {"question": "Who is adopted?", "answer": "Waldo", "evidence": ["D1:2"], "category": 4},
            {"question": "What year?", "answer": 2023, "evidence": ["D1:2; D1:4"], "category": 2},
            {"question": "Whose dog?", "adversarial_answer": "Ben", "evidence": ["D1:2"], "category": 5},
        ],
    }
]


def test_turns_and_probes_are_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(
        '{"user": "Hello", "at": "2026-11-02T09:00:00+00:00"}\n\n{"user": "Yes", "reply": "No"}\n'
        '{"probe": "Did I agree?", "expect": ["yes"], "from_turn": 2}\n'
    )
    found = script.read(file)
    hello, yes, probe = found.steps
    assert isinstance(hello, Say)
    assert hello.at is not None
    assert yes == Say("Yes", "No")
    assert probe == Probe("Did I agree?", ("yes",), (2,))
    assert probe.is_answered_by("Oh YES.")
    assert not probe.is_answered_by("no")
    assert found.first(1, None).steps == (hello,)


@pytest.mark.parametrize(
    "line",
    [
        "nothing",
        "[1]",
        '{"user": ""}',
        '{"user": "a", "probe": "b"}',
        '{"user": "a", "answer": "b"}',
        '{"probe": "a", "expect": []}',
        '{"probe": "a", "expect": ["b"], "from_turn": 2}',
        '{"user": "a", "at": "soon"}',
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text('{"user": "Hello"}\n' + line)
    with pytest.raises(PersonaError, match="line 2") as caught:
        script.read(file)
    assert caught.value.hint


def test_a_locomo_conversation_has_its_replies_and_its_questions(tmp_path: Path) -> None:
    file = tmp_path / "l.json"
    file.write_text(json.dumps(LOCOMO))
    found = script.read(file, "c-1")
    assert [(s.text, s.reply) for s in found.turns] == [
        ("Hi! I adopted Waldo.", "Lovely!"),
        ("Look. [photo: a tortoise]", "…"),
    ]
    assert [(p.expect, p.proof) for p in found.probes] == [(("Waldo",), (1,)), (("2023",), (1, 2))]
    with pytest.raises(PersonaError, match="c-2"):
        script.read(file, "c-2")


def test_a_generated_conversation_asks_for_what_it_told() -> None:
    lines = generated()
    assert lines == generated()
    assert lines != generated(seed=1)
    said = [row["user"] for row in lines if "user" in row]
    asked = [row for row in lines if "probe" in row]
    assert (len(said), len(asked)) == (200, 60)
    assert all(300 <= len(text) <= 400 for text in said)
    for probe in asked:
        [value] = probe["expect"]
        assert [n for n, text in enumerate(said, 1) if value in text] == [probe["from_turn"]]
        assert value not in probe["probe"]
        assert probe["from_turn"] <= sum("user" in row for row in lines[: lines.index(probe)])
    answered = generated(replies=True)
    assert [{k: v for k, v in row.items() if k != "reply"} for row in answered] == lines
    assert all(300 <= len(row["reply"]) <= 400 for row in answered if "user" in row)
    values = {row["expect"][0] for row in asked}
    assert not any(value in row.get("reply", "") for row in answered for value in values)
    with pytest.raises(PersonaError):
        generated(10, 11)


def test_a_generated_turn_has_60_to_120_tokens_and_the_starter_its_cards_context(
    starter_backend: Backend,
) -> None:
    said = [row[side] for row in generated(replies=True) for side in ("user", "reply") if side in row]
    counts = [starter_backend.count_tokens(text) for text in said]
    assert 60 <= min(counts) <= max(counts) <= 120
    card = (paths.starter_model().parent / "README.md").read_text(encoding="utf-8")
    [stated] = re.findall(r"\| trained context \| ([\d,]+) tokens", card)
    assert int(stated.replace(",", "")) == window_of(starter_backend.info)


def test_arms_are_settings_under_their_own_names(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    file.write_text("[plain]\nmemory.enabled = false\nchat.high_mark = 0.6\n[bound]\noracle = true\n")
    plain, bound = arms.chosen(str(file))
    settings = plain.settings(Settings())
    assert (settings.memory.enabled, settings.chat.high_mark, settings.chat.low_mark) == (False, 0.6, 0.4)
    assert bound.oracle
    assert not bound.settings(Settings()).memory.enabled
    assert [arm.name for arm in arms.chosen("off, oracle")] == ["off", "oracle"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a]\nchat.compresion = 'off'", "chat.compresion"),
        ("[a]\nchat.compression = 'zip'", "chat.compression"),
        ("[a]\nspeed.fast = true", "speed"),
        ("[a]\nmemory.embedding_model = 'x'", "memory.embedding_model"),
        ("[a]\nmemory.reranker = 'x'", "memory.reranker"),
        ("[a]\nthinking = true", "thinking"),
        ("b = 1", "b"),
        ("", "no arm"),
        ("[a", "not valid TOML"),
    ],
)
def test_a_wrong_arm_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "arms.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=named) as caught:
        [arm.settings(Settings()) for arm in arms.chosen(str(file))]
    assert caught.value.hint
