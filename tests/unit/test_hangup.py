"""A closed terminal ends what runs in it, also where another process is told of it first."""

import os
import pty
import signal
import subprocess
import sys

import pytest

PROGRAM = (
    "import time; from persona.tui import hangup; hangup.watch(); print('ready', flush=True); time.sleep({})"
)


def test_an_app_under_make_outlived_its_terminal() -> None:
    """The child is no leader of a session, so the system tells it nothing."""
    ours, theirs = pty.openpty()
    app = subprocess.Popen([sys.executable, "-c", PROGRAM.format(30)], stdin=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    assert app.stdout
    assert app.stdout.readline() == b"ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        app.wait(0.3)
    os.close(ours)
    assert app.wait(10) == -signal.SIGTERM


def test_without_a_terminal_nothing_is_watched() -> None:
    app = subprocess.run([sys.executable, "-c", PROGRAM.format(0.3)], stdin=subprocess.DEVNULL, check=False)
    assert app.returncode == 0
