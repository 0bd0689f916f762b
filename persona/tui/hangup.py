"""The end of the terminal ends the app.

The system tells the first process of a terminal when it is closed. Under `make chat` that is make, which then
waits for the app; and Textual reads on from a terminal that is gone, at the cost of a whole core.
"""

import os
import select
import signal
import sys
import threading


def watch() -> None:
    """End this process once the terminal on standard input is gone. What was written is stored by then. Does
    nothing where the system cannot tell."""
    if hasattr(select, "poll") and sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="hang-up", daemon=True).start()


def _wait(terminal: int) -> None:
    gone = select.poll()
    gone.register(terminal, 0)
    if any(event & select.POLLHUP for _, event in gone.poll()):
        # a hang-up may be ignored here, as under nohup
        os.kill(os.getpid(), signal.SIGTERM)
