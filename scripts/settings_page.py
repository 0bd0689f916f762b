"""docs/settings.md, from the schema that reads `config.toml` and makes the settings screen.

    python scripts/settings_page.py

`make docs` does the same; `tests/unit/test_settings_page.py` fails where the page is behind the schema.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from persona.config import Settings, meanings

FILE = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = """# Settings
<!-- made by scripts/settings_page.py; change the docstrings in persona/config.py instead -->
They are in `config.toml` (`persona config path`), one section each, or in the environment: `chat.thinking` is
`thinking` under `[chat]`, and `PERSONA_CHAT__THINKING` goes before it. `persona config show` says what is in
force and from where, `persona config set chat.thinking true` writes one, `/settings` in the app shows them as
a form. A name that is not here and a value that is not allowed are errors that name the place.
"""


def page() -> str:
    """The whole page."""
    sections = [(name, type(field.default)) for name, field in Settings.model_fields.items()]
    return HEAD + "".join(_section(name, section) for name, section in sections)


def _section(name: str, section: type[BaseModel]) -> str:
    schema = section.model_json_schema()["properties"]
    rows = [
        f"| `{setting}` | {_value(schema[setting]['default'])} | {allowed(schema[setting])} "
        f"| {_cell(meaning)} |"
        for setting, meaning in meanings(section).items()
    ]
    head = f"\n## {name}\n{section.__doc__}\n\n| setting | default | allowed | meaning |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def allowed(schema: dict[str, Any]) -> str:
    """What a setting may be, from its JSON schema."""
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    match schema["type"]:
        case "boolean":
            return "`true`, `false`"
        case "string":
            return "text, not empty" if schema.get("minLength") else "text"
        case "object":
            return "a table of texts"
    kind = "whole number" if schema["type"] == "integer" else "number"
    return " ".join([kind, *_bounds(schema)])


def _bounds(schema: dict[str, Any]) -> list[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
    return [f"{word} {schema[bound]:,}" for bound, word in words.items() if bound in schema]


def _value(value: Any) -> str:
    """As TOML has it."""
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)
