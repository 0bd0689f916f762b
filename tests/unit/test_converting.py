"""Replies read under a schema."""

import json
from pathlib import Path

import pytest

from persona.backends.base import Done, TextDelta
from persona.backends.grammar import closers
from persona.chat.converting import Converter


def test_a_line_end_within_a_string_is_not_a_reply_cut_off(tmp_path: Path) -> None:
    """A grammar lets the model write one as it is, which strict JSON does not."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", "properties": {"task": {"type": "string"}}}))
    found = Converter.read(file).convert([TextDelta('{"task": "call\nmum"}')])
    assert found.data == {"task": "call\nmum"}


def test_json_that_was_closed_at_its_length_is_no_conversion(tmp_path: Path) -> None:
    """It is whole, but not all that the text says."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", "properties": {"task": {"type": "string"}}}))
    found = Converter.read(file).convert([TextDelta('{"task": "call m"}'), Done("length")])
    assert found.data is None
    assert "cut off" in found.error


@pytest.mark.parametrize(
    ("said", "first"),
    [(b'{"a', '"'), (b'{"a": [', "]"), (b'{"a": "x\\"y', '"'), (b'{"a": "x\\\\"', "]"), (b"", "]")],
)
def test_what_closes_json_soonest_knows_a_text_from_what_is_around_it(said: bytes, first: str) -> None:
    assert closers(said)[0] == first
