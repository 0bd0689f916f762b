"""Text into structured data, for task models: the model alone, held to a JSON schema."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Cancel
from typing import Any

from jsonschema import exceptions, validators

from persona.backends.base import Done, Event, TextDelta
from persona.chat.engine import Engine
from persona.chat.events import TurnRequest
from persona.chat.layout import conversion
from persona.errors import SettingsError

_CUT = "the reply was cut off before its JSON was complete"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of a text. data: valid under the schema when `error` is ""."""

    data: Any
    error: str = ""


class Converter:
    """Puts texts into one JSON schema. Raises SettingsError when the schema cannot be used."""

    def __init__(self, schema: Any) -> None:
        try:
            kind = validators.validator_for(schema)
            kind.check_schema(schema)
        except exceptions.SchemaError as error:
            raise SettingsError(f"the JSON schema is wrong: {error.message}", "mend it") from None
        if not isinstance(schema, dict) or not all(ref.startswith("#") for ref in _references(schema)):
            raise SettingsError("the JSON schema must be an object whose $refs stay within it", "mend it")
        self._validator = kind(schema)
        self._schema = json.dumps(schema, ensure_ascii=False)

    @classmethod
    def read(cls, file: Path) -> "Converter":
        """From a file. Raises SettingsError when it holds no usable JSON schema."""
        try:
            return cls(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{file} is no readable JSON: {error}", "give a file with a JSON schema"
            ) from None

    def source(self, engine: Engine, text: str) -> Callable[[Cancel], Iterator[Event]]:
        """The model's reply to `text`, for `convert`. Raises ModelError, when it is read, where text and
        schema do not fit the context."""
        request = TurnRequest(text, sampling={"temperature": 0.0, "schema": self._schema})
        return lambda cancel: engine.bare(conversion(text, self._schema), request, cancel)

    def convert(self, reply: Iterable[Event]) -> Conversion:
        """What a reply says. Raises ModelError as `source` does."""
        said = ""
        for event in reply:
            if isinstance(event, TextDelta):
                said += event.text
            elif event == Done("length"):
                # closed in time, perhaps: whole JSON that does not say all is no conversion
                return Conversion(None, _CUT)
        try:
            data = json.loads(said, strict=False)  # a server's grammar may let line ends into strings
            self._validator.validate(data)
        except ValueError:
            return Conversion(None, _CUT)
        except exceptions.ValidationError as error:
            where = "/".join(str(part) for part in error.absolute_path) or "the whole"
            return Conversion(None, f"the reply breaks the schema's `{error.validator}` at {where}")
        return Conversion(data)


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [ref for part in node for ref in _references(part)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [ref for part in node.values() for ref in _references(part)]
