"""slackdump's archive since version 3: an SQLite database whose rows hold Slack's records as JSON.

The tables are those of its first migration (github.com/rusq/slackdump, `20250207082949_initial.sql`). A
database is a program of sorts, so it is opened read-only, its views and functions are not trusted, and
nothing is written beside it.
"""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from knowledge.importers.source import FileBox, FolderBox, Source
from knowledge.records import ImportReport

_MAGIC = b"SQLite format 3\x00"
_SCHEMA = 256 << 10
"""Bytes from the beginning in which the tables are described: they are made before anything is stored."""
_LARGEST = 16 << 20
"""Bytes of one record."""
_TABLES = ("S_USER", "CHANNEL", "MESSAGE")
_OURS = (
    f"SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' AND name IN {_TABLES}"
)


def is_database(source: Source, name: str, head: bytes) -> bool:
    """Whether a member that begins with `head` is such a database; may raise one of UNREADABLE."""
    if not head.startswith(_MAGIC):
        return False
    schema = source.head(name, _SCHEMA)
    return all(b"CREATE TABLE " + table.encode() in schema for table in _TABLES)


@contextmanager
def opened(source: Source, name: str) -> Iterator[sqlite3.Connection]:
    """The database, read-only. Raises sqlite3.Error where it is damaged, or something else."""
    with _on_disk(source, name) as path, closing(_connect(path)) as db:
        if len(db.execute(_OURS).fetchall()) < len(_TABLES):
            raise sqlite3.DatabaseError("not slackdump's tables")
        yield db


def records(
    db: sqlite3.Connection, table: str, place: str, report: ImportReport, column: str = "NULL"
) -> Iterator[tuple[Any, Any]]:
    """`column` and record of every row; a record that is no JSON is counted as failed."""
    for value, data in db.execute(f"SELECT {column}, DATA FROM {table}"):
        try:
            record = json.loads(data)
        except (ValueError, TypeError, RecursionError) as error:
            report.fail_record(place, error)
        else:
            yield value, record


@contextmanager
def _on_disk(source: Source, name: str) -> Iterator[Path]:
    """Where the member lies; what is in an archive lies in a temporary file meanwhile."""
    if isinstance(source.box, (FileBox, FolderBox)):
        yield source.place(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.sqlite"
        with source.open(name) as stream, open(path, "wb") as file:
            shutil.copyfileobj(stream, file)
        yield path


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
    db.execute("PRAGMA trusted_schema = OFF")
    return db
