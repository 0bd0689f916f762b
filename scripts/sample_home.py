"""The home that a measuring script works in: one that is given, or the sample twin in a temporary one."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persona import demo


@contextmanager
def home(given: Path | None) -> Iterator[None]:
    """PERSONA_HOME is `given`, or a prepared sample twin that goes with the block."""
    with tempfile.TemporaryDirectory() as made:
        if given is None:
            print("preparing the sample twin …", file=sys.stderr)
            demo.prepare(Path(made) / "home")
        else:
            os.environ["PERSONA_HOME"] = str(given)
        yield
