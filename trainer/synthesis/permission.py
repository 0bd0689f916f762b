"""Whether texts may leave this machine: only to a host that was named, after a look at what would go.

Hosts once allowed are kept in a file under the data folder; take a line out to be asked again.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from persona import whole_file
from trainer.synthesis.teacher import TeacherError

_SHOWN = 3


def ask(
    host: str,
    known: Path,
    *,
    named: str | None,
    yes: bool,
    preview: Sequence[str],
    show: Callable[[str], object],
    confirm: Callable[[str], bool],
    terminal: bool | None = None,
) -> None:
    """Return when texts may go to `host` ("" is this machine: always).

    known: the file of hosts that were allowed. named: what `--send-to` said. preview: what would be sent.
    Raises TeacherError when it may not.
    """
    if not host:
        return
    allowed = _read(known)
    if host != named and host not in allowed:
        raise TeacherError(f"{host} is another machine", f"to send it your texts, say so: `--send-to {host}`")
    show(f"{len(preview)} texts would go to {host}; the first ones:")
    for text in preview[:_SHOWN]:
        show("    " + text.replace("\n", "\n    "))
    if not yes:
        if not (sys.stdin.isatty() if terminal is None else terminal):
            raise TeacherError(
                f"nobody is here to allow {host}", "add `--yes` once you have seen what goes there"
            )
        if not confirm(f"Send them to {host}?"):
            raise TeacherError("nothing was sent", "leave `--server` out to use a model on this machine")
    if host not in allowed:
        whole_file.replace(known, json.dumps(sorted({*allowed, host}), indent=2) + "\n")


def _read(file: Path) -> list[str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [host for host in found if isinstance(host, str)] if isinstance(found, list) else []
