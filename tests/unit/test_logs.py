"""The log file when several processes write to it."""

import subprocess
import sys

from persona import paths

WRITER = """
import logging, sys
from persona import logs
logs._BYTES, logs._KEPT = 20_000, 50
logs.start()
for n in range(600):
    logging.getLogger("persona.test").info("%s %s", sys.argv[1], f"{n:060}")
"""


def test_two_processes_share_one_log_that_turns_over() -> None:
    """Each moved away what the other had just begun, and three such moves lost the day's log."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in ("app", "server")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    newest = paths.log_file()
    files = [file for file in newest.parent.glob(f"{newest.name}*") if file.suffix != ".lock"]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len(set(lines)) == 1200
    sizes = {file.name: file.stat().st_size for file in files}
    assert len(sizes) > 3
    assert all(15_000 < size < 25_000 for name, size in sizes.items() if name != newest.name), sizes
