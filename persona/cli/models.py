"""`persona models`: which model talks, and how one gets here."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, progress, say, table

if TYPE_CHECKING:
    from persona.backends.base import ModelInfo
    from persona.models import CatalogueEntry

_VARIABLE = "PERSONA_MODEL__NAME"


@click.group()
def models() -> None:
    """Choose the model that talks; download one."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the known models, those of other programs here, and which is in use."""
    from persona import config
    from persona import models as known

    used = config.load().model.name
    rows = [_row(entry, used) for entry in known.catalogue().values()]
    rows += [
        _foreign(found.name, f"found in {found.store}", found.path, found.size_bytes, used)
        for found in known.found()
    ]
    if not any(row["in_use"] for row in rows):
        own = Path(used)
        rows.append(_foreign(used, "your own", own, own.stat().st_size if own.is_file() else 0, used))
    if as_json:
        emit(rows)
        return
    columns = ["name", "in use", "here", "GB", "GB memory", "about"]
    fields = ["name", "in_use", "available", "size_gb", "memory_gb", "about"]
    table(columns, [[row[field] or "" for field in fields] for row in rows])
    fitting = known.suggested()
    say(f"suggested here: {fitting.name}, {fitting.reason}")


@models.command()
@click.argument("name")
@json_option
def pull(name: str, as_json: bool) -> None:
    """Download a known model from the Hugging Face hub: the one command that goes online.

    An interrupted download goes on where it stopped. A model that another program has here already is used
    where it lies. While nothing but the starter was ever chosen, the new model talks from now on.
    """
    from persona import models as known

    entry = known.known(name)
    was_here = entry.available
    try:
        with progress("bytes") as report:
            path = known.pull(name, report)
    except KeyboardInterrupt:
        note(f"what has come is kept: `persona models pull {entry.name}` goes on with it")
        raise
    chosen = not _ever_chosen()
    if chosen:
        known.use(entry.name)
    if as_json:
        emit({"name": entry.name, "path": str(path), "bytes": path.stat().st_size,
              "downloaded": not was_here, "in_use": chosen or _used() == entry.name})  # fmt: skip
        return
    say(f"{entry.name} is {'here already' if was_here else 'here now'} ({path})")
    if chosen:
        say(f"{entry.name} talks from now on")
    elif _used() != entry.name:
        say(f"now `persona models use {entry.name}`")


@models.command()
@click.argument("name", metavar="NAME_OR_PATH")
@json_option
def use(name: str, as_json: bool) -> None:
    """Talk with this model from now on: a listed name, or the path of a GGUF file."""
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
    """Show what a model's file says of it, without loading it; of one that is not here, what is known."""
    from persona import models as known

    entry = known.catalogue().get(name.lower())
    data = _row(entry, _used()) if entry is not None else {}
    if entry is None or entry.available:
        data |= _as_json(known.info(known.resolve(name)))
    if as_json:
        emit(data)
    else:
        table(["what", "value"], list(data.items()))


@models.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Delete a downloaded model; other programs' files stay."""
    from persona import models as known

    files = known.remove(name)
    if as_json:
        emit([{"removed": str(file)} for file in files])
    else:
        say(f"removed {', '.join(str(file) for file in files)}")


def _used() -> str:
    from persona import config

    return config.load().model.name


def _ever_chosen() -> bool:
    """Whether the user said which model talks, in the settings file or the environment."""
    from persona import config

    return any(shown.key == "model.name" and shown.source != "default" for shown in config.show())


def _row(entry: "CatalogueEntry", used: str) -> dict[str, Any]:
    return {
        "name": entry.name,
        "about": entry.about,
        "family": entry.family,
        "available": entry.available,
        "in_use": entry.name == used,
        "size_gb": entry.size_gb,
        "memory_gb": entry.memory_gb,
        "repo": entry.repo,
        "file": entry.file,
        "path": str(entry.path),
    }


def _foreign(name: str, about: str, path: Path, size_bytes: int, used: str) -> dict[str, Any]:
    """A model without a catalogue entry; what memory it takes is not known."""
    return {
        "name": name,
        "about": about,
        "available": path.is_file(),
        "in_use": str(path) == used,
        "size_gb": round(size_bytes / 1e9, 2),
        "memory_gb": 0.0,
        "path": str(path),
    }


def _as_json(found: "ModelInfo") -> dict[str, Any]:
    data = asdict(found)
    details = data.pop("details")
    return {**data, **details}
