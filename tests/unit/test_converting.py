"""Replies read under a schema."""

import json
from pathlib import Path

from persona.backends.base import TextDelta
from persona.chat.converting import Converter


def test_a_line_end_within_a_string_is_not_a_reply_cut_off(tmp_path: Path) -> None:
    """A grammar lets the model write one as it is, which strict JSON does not."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", "properties": {"task": {"type": "string"}}}))
    found = Converter.read(file).convert([TextDelta('{"task": "call\nmum"}')])
    assert found.data == {"task": "call\nmum"}
