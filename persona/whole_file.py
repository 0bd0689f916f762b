"""Files that are replaced in one step: the old one or the new one, never half of either."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

_UNFINISHED = ".unfinished"
"""How a file ends that a kill left half written; downloads, which are resumed, end otherwise."""


@contextmanager
def replacing(file: Path) -> Iterator[IO[str]]:
    """Write UTF-8 that takes the place of `file` when the block ends well, and is gone when it does not.

    The folder is made; only the file's owner may read it. Raises OSError when it cannot be written.
    """
    with _replacing(file) as raw, TextIOWrapper(raw, encoding="utf-8") as out:
        yield out


def replace(file: Path, held: str | bytes) -> None:
    """Write `held` (text as UTF-8) in place of what `file` held. Raises OSError when it cannot be written."""
    with _replacing(file) as out:
        out.write(held.encode() if isinstance(held, str) else held)


def sweep(folder: Path) -> None:
    """Delete what killed writes have left anywhere under `folder`, where no other program may be writing."""
    for left in folder.rglob(f"*{_UNFINISHED}"):
        left.unlink(missing_ok=True)


@contextmanager
def _replacing(file: Path) -> Iterator[IO[bytes]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=file.parent, prefix=f"{file.name}.", suffix=_UNFINISHED, delete=False
    ) as new:
        part = Path(new.name)
        try:
            yield new.file
            new.close()
            os.replace(part, file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
