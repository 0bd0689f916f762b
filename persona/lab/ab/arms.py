"""Arms: named sets of settings, under the very names of the settings file.

    [tuned]
    model.name = "exports/me.gguf"
    memory.enabled = false
    chat.compression = "abstractive"
    chat.thinking = true

    [bound]
    oracle = true

An oracle is shown only the turns that prove an answer: what the model can do when nothing was lost.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona import config
from persona.config import Settings
from persona.errors import SettingsError

Changes = Mapping[str, Mapping[str, Any]]

_NOT_AN_ARMS = {
    "tui": "no look changes a reply",
    "memory.embedding_model": "every arm asks the same index",
    "memory.reranker": "every arm asks the same archive in the same way",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """changes: settings by section, laid over the user's own. oracle: see the module. file: its source."""

    name: str
    changes: Changes = field(default_factory=dict)
    oracle: bool = False
    file: Path = Path("--arms")

    def settings(self, base: Settings) -> Settings:
        """`base` with this arm's changes. Raises SettingsError naming the arm and what is allowed."""
        try:
            return config.over(base, self.changes, self.file)
        except SettingsError as error:
            raise SettingsError(f"arm `{self.name}`: {error.message}", error.hint) from None


READY = {
    name: Arm(name, {"chat": {"compression": name}}) for name in ("off", "extractive", "abstractive")
} | {
    "voice": Arm("voice", {"memory": {"style_tokens": 150}}),
    "oracle": Arm("oracle", {"chat": {"compression": "off"}, "memory": {"enabled": False}}, oracle=True),
}
"""Arms that need no file."""


def chosen(text: str) -> list[Arm]:
    """`off,extractive`, or the arms of a TOML file. Raises SettingsError."""
    if text.endswith(".toml") or Path(text).is_file():
        return _read(Path(text))
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in READY:
            raise SettingsError(f"there is no arm `{name}`", f"ready: {', '.join(READY)}; or a TOML file")
    return [READY[name] for name in names]


def _read(file: Path) -> list[Arm]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}", "give a readable TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", "mend the line it names") from None
    if not tables:
        raise SettingsError(f"{file} names no arm", "write one as [name] with settings under it")
    return [_arm(name, table, file) for name, table in tables.items()]


def _arm(name: str, table: Any, file: Path) -> Arm:
    if not isinstance(table, Mapping):
        raise SettingsError(f"`{name}` in {file} must be an arm", f"write it as [{name}]")
    values = dict(table)
    oracle = values.pop("oracle", False)
    if not isinstance(oracle, bool):
        raise SettingsError(f"arm `{name}` in {file}: `oracle` is true or false", "an oracle needs no more")
    for section, changes in values.items():
        if not isinstance(changes, Mapping):
            raise SettingsError(
                f"arm `{name}` in {file}: `{section}` is no setting", "write settings as section.name"
            )
        for key in (section, *(f"{section}.{setting}" for setting in changes)):
            if key in _NOT_AN_ARMS:
                raise SettingsError(
                    f"arm `{name}` in {file}: not `{key}`: {_NOT_AN_ARMS[key]}", "leave it out"
                )
    if oracle:
        values = {section: dict(changes) for section, changes in values.items()}
        for section, changes in READY["oracle"].changes.items():
            values[section] = {**values.get(section, {}), **changes}
    return Arm(name, values, oracle, file)
