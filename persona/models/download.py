"""Bringing a known model here, through a process that alone may go online."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from knowledge.progress import Progress
from persona.errors import ModelError
from persona.models.catalogue import CatalogueEntry
from persona.models.lookup import known

_LOOK_EVERY = 0.1


class PullStopped(ModelError):
    """The caller stopped a download; what had come is kept."""


def pull(
    name: str,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """The file of a known model, downloaded unless it is on this machine already.

    progress: is told bytes, first of the download, then of its checking. cancel: stops within a second.
    An attempt that ended, however it ended, is taken up again at the byte where it ended.
    Raises PullStopped after `cancel`; ModelError when the name is unknown, the hub cannot be reached or sent
    something else, the disk is too full, or another program is downloading the same model.
    """
    entry = known(name)
    if entry.available or not entry.file:
        return entry.path
    for line in _process(entry, cancel or threading.Event()):
        if "error" in line:
            raise ModelError(line["error"], line["hint"])
        if "stage" in line and progress is not None:
            progress(Progress(line["stage"], line["done"], line["total"]))
    if not entry.own_path.is_file():
        raise ModelError(
            f"the download of {entry.name} ended early", f"`persona models pull {entry.name}` again"
        )
    return entry.own_path


def _process(entry: CatalogueEntry, cancel: threading.Event) -> Iterator[dict[str, Any]]:
    """The lines of the process that downloads; it never outlives its reader."""
    what = [entry.repo, entry.file, str(entry.own_path)]
    # the same modules as here, and none from the folder the user happens to be in
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "persona.models.fetch", *what],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    watch = threading.Thread(target=_stop_on, args=(cancel, process), daemon=True)
    watch.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith(b"\n"):  # the last one may be cut off
                yield json.loads(line)
    finally:
        process.kill()
        process.wait()
    if cancel.is_set():
        raise PullStopped(
            f"the download of {entry.name} was stopped", f"`persona models pull {entry.name}` goes on with it"
        )


def _stop_on(cancel: threading.Event, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        if cancel.wait(_LOOK_EVERY):
            process.kill()
