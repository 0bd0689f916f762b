"""`persona models`: which model talks."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, say, table

if TYPE_CHECKING:
    from persona.backends.base import ModelInfo

_VARIABLE = "PERSONA_MODEL__NAME"


@click.group()
def models() -> None:
    """Choose the model that talks."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the known models and which is in use."""
    from persona import config
    from persona import models as known

    used = config.load().model.name
    rows = [
        {
            "name": entry.name,
            "about": entry.about,
            "available": entry.available,
            "in_use": entry.name == used,
            "size_gb": entry.size_gb,
            "memory_gb": entry.memory_gb,
            "path": str(entry.path),
        }
        for entry in known.catalogue().values()
    ]
    if used not in known.catalogue():
        rows.append({"name": used, "about": "your own", "available": os.path.isfile(used), "in_use": True,
                     "size_gb": 0.0, "memory_gb": 0.0, "path": used})  # fmt: skip
    if as_json:
        emit(rows)
        return
    columns = ["name", "in use", "here", "GB", "GB memory", "about"]
    fields = ["name", "in_use", "available", "size_gb", "memory_gb", "about"]
    table(columns, [[row[field] or "" for field in fields] for row in rows])


@models.command()
@click.argument("name", metavar="NAME_OR_PATH")
@json_option
def use(name: str, as_json: bool) -> None:
    """Talk with this model from now on: a known name, or the path of a GGUF file."""
    from persona import models as known
    from persona import paths

    path = known.use(name)
    if as_json:
        emit({"name": name, "path": str(path), "config": str(paths.config_file())})
    else:
        say(f"{name} talks from now on ({path})")
    if _VARIABLE in os.environ:
        note(f"{_VARIABLE} is set to {os.environ[_VARIABLE]!r} and goes before the settings file")


@models.command()
@click.argument("name", metavar="NAME_OR_PATH")
@json_option
def info(name: str, as_json: bool) -> None:
    """Show what a model's file says of it, without loading it."""
    from persona import models as known

    found = known.info(known.resolve(name))
    if as_json:
        emit(_as_json(found))
    else:
        table(["what", "value"], list(_as_json(found).items()))


def _as_json(found: "ModelInfo") -> dict[str, Any]:
    data = asdict(found)
    details = data.pop("details")
    return {**data, **details}
