"""The settings as fields of a form, from the very schema that reads the file. Knows nothing of Textual."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from persona import config
from persona.config import Settings, Shown

Kind = Literal["switch", "choice", "line"]


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. value: as it is written. choices: of a choice. note: where it comes from."""

    key: str
    kind: Kind
    value: str
    help: str
    note: str
    choices: tuple[str, ...] = ()


def fields() -> list[Field]:
    """Every setting in its order. Raises SettingsError when the file cannot be read."""
    return [_field(shown) for shown in config.show()]


def _field(shown: Shown) -> Field:
    section, _, name = shown.key.partition(".")
    kind_of = type(Settings.model_fields[section].default).model_fields[name].annotation
    choices = tuple(map(str, get_args(kind_of))) if get_origin(kind_of) is Literal else ()
    kind: Kind = "switch" if kind_of is bool else "choice" if choices else "line"
    note = {
        "default": "",
        "file": "set",
        "environment": f"{shown.where} sets it, whatever is said here",
    }[shown.source]
    return Field(shown.key, kind, written(shown.value), shown.help, note, choices)


def written(value: Any) -> str:
    """A value as the form shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{key}={said}" for key, said in value.items())
    return str(value)
