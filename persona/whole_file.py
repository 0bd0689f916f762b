"""Text files that are replaced in one step: the old one or the new one, never half of either."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(file: Path) -> Iterator[IO[str]]:
    """Write UTF-8 that takes the place of `file` when the block ends well, and is gone when it does not.

    The folder is made; only the file's owner may read it. Raises OSError when it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f"{file.name}.", suffix=".part", delete=False
    ) as new:
        part = Path(new.name)
        try:
            yield new.file
            new.close()
            os.replace(part, file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def replace(file: Path, text: str) -> None:
    """Write `text` in place of what `file` held. Raises OSError when it cannot be written."""
    with replacing(file) as out:
        out.write(text)
