"""Presets by name, and recipes made of them with single values changed."""

import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from persona.errors import SettingsError
from trainer.recipe import PROJECTIONS, Recipe

_FILE = Path(__file__).with_name("presets.toml")
_FIELDS = {f.name: f for f in fields(Recipe)}


def names() -> list[str]:
    """The presets, fastest first."""
    return list(_load())


def recipe(preset: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a preset. changes: `key=value` each.

    Raises SettingsError naming an unknown preset, key or value and what is allowed.
    """
    known = _load()
    if preset not in known:
        raise SettingsError(f"no preset is called {preset!r}", f"presets are: {', '.join(known)}")
    values = {k: v for k, v in known[preset].items() if k != "about"}
    made = replace(Recipe(), **values)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or key.strip() not in _FIELDS:
            raise SettingsError(
                f"`{change}` is no setting of a recipe", f"KEY=VALUE with {', '.join(_FIELDS)}"
            )
        made = replace(made, **{key.strip(): _value(key.strip(), text.strip(), made)})
    return made


def _load() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def _value(key: str, text: str, made: Recipe) -> Any:
    present = getattr(made, key)
    try:
        if isinstance(present, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        if isinstance(present, tuple):
            chosen = tuple(part.strip() for part in text.split(",") if part.strip())
            if not chosen or set(chosen) - set(PROJECTIONS):
                raise ValueError
            return chosen
        value = type(present)(text)
        if isinstance(value, int | float) and (value < 0 or (value == 0 and key not in _MAY_BE_ZERO)):
            raise ValueError
        return value
    except (KeyError, ValueError):
        allowed = ", ".join(PROJECTIONS) if isinstance(present, tuple) else f"a value like {present}"
        raise SettingsError(f"{text!r} does not fit `{key}`", f"give {allowed}") from None


_MAY_BE_ZERO = {"max_steps", "warmup_steps", "weight_decay", "dropout", "seed"}
