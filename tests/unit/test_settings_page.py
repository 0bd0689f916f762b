"""The page of settings is what the schema says."""

import sys
from pathlib import Path

import pytest

from persona import config

sys.path.append(str(Path(__file__).parents[2] / "scripts"))
from settings_page import FILE, allowed, page


def test_the_page_of_settings_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "`make docs` makes it anew"


def test_every_setting_is_on_the_page_with_what_it_means() -> None:
    lines = page().splitlines()
    for row in config.show():
        name = row.key.partition(".")[2]
        (line,) = [line for line in lines if line.startswith(f"| `{name}` |") and row.help in line]
        assert line.count(" | ") == 3


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 3000}, "whole number from 0 up to 3,000"),
        ({"type": "number", "exclusiveMinimum": 0}, "number above 0"),
        ({"type": "string", "enum": ["off", "on"]}, "`off`, `on`"),
        ({"type": "string", "minLength": 1}, "text, not empty"),
    ],
)
def test_what_is_allowed_is_said_as_the_schema_has_it(schema: dict[str, object], said: str) -> None:
    assert allowed(schema) == said
