"""The home: settings, keys, models, the stores and the index."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from persona import models, paths
from persona.chat import opening
from persona.config import Settings
from persona.errors import PersonaError
from persona.lab.doctor.check import Check, guarded

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore


def checks(settings: Settings) -> Iterator[Check]:
    """Of valid settings, and of what lies in the folders they are for."""
    file = paths.config_file()
    yield Check("settings", "ok", str(file) if file.exists() else f"defaults ({file} is not there)")
    yield guarded("keys", _keys)
    yield guarded("model", lambda: _model(settings))
    yield guarded("models", _models)
    yield guarded("stores", _stores)
    yield from _knowledge(settings)


def _keys() -> Check:
    file = paths.env_file()
    if not file.exists():
        return Check("keys", "ok", "none kept")
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return Check("keys", "warn", f"others on this machine can read {file}", f"chmod 600 {file}")
    return Check("keys", "ok", f"{file}, for you alone")


def _models() -> Check:
    """Whether each known model that is here can be read, at its full length."""
    here = [entry for entry in models.catalogue().values() if entry.available]
    for entry in here:
        try:
            models.info(entry.path)
        except PersonaError as error:
            return Check("models", "fail", f"{entry.name}: {error.message}", _fetch(entry.name))
        if entry.bytes and entry.path.stat().st_size != entry.bytes:
            detail = f"{entry.path} is not as long as {entry.name} is"
            return Check("models", "warn", detail, _fetch(entry.name))
    return Check("models", "ok", ", ".join(entry.name for entry in here) or "none of the catalogue")


def _fetch(name: str) -> str:
    return f"`persona models pull {name}`"


def _stores() -> Check:
    """Whether SQLite finds its files whole."""
    files = [paths.sessions_file(), paths.knowledge_dir() / "archive.sqlite3"]
    here = [file for file in files if file.exists()]
    for file in here:
        if (said := _integrity(file)) != "ok":
            remedy = "restore it from a backup, or move it away and import your exports again"
            return Check("stores", "fail", f"{file}: {said}", remedy)
    return Check("stores", "ok", ", ".join(f.name for f in here) + " are whole" if here else "none yet")


def _integrity(file: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
            return str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)


def _model(settings: Settings) -> Check:
    if models.is_server(settings.model.name):
        with closing(models.open_backend(settings.model)) as backend:
            return Check("model", "ok", f"{backend.info.name} at {backend.info.path}")
    path = models.resolve(settings.model.name)
    size = int(models.info(path).details["size_bytes"])
    return Check("model", "ok", f"{settings.model.name}: {path}, {size / 2**20:.0f} MiB")


def _knowledge(settings: Settings) -> Iterator[Check]:
    with closing(opening.open_memory(settings)) as memory:
        yield guarded("archive", lambda: _archive(memory))
        yield guarded("index", lambda: _index(memory))


def _archive(memory: "MemoryStore") -> Check:
    counts = memory.stats()
    if not counts["messages"]:
        return Check("archive", "warn", "no messages yet", "`persona ingest EXPORT`, or `persona demo`")
    detail = f"{counts['messages']} messages, {counts['first'][:10]} to {counts['last'][:10]}"
    if counts["owner"] is None:
        return Check("archive", "warn", f"{detail}; nobody is known to be you", "`persona people me NAME`")
    return Check("archive", "ok", f"{detail}, of {counts['owner']}")


def _index(memory: "MemoryStore") -> Check:
    """Asks for something by meaning, which opens the embedding model and the vectors."""
    from persona.chat.layout import memory_lines

    now = datetime.now().astimezone()
    memory.search("hello", now=now, cost=lambda found: len(memory_lines(found)))
    counts = memory.stats()
    waiting = counts["pending_embeddings"]
    if waiting:
        detail = f"{waiting} messages have no vector yet; they are found by words only"
        return Check("index", "warn", detail, "`persona memory rebuild`, or leave a chat open for a while")
    return Check("index", "ok", f"complete, by {counts['embedding_model']}")
