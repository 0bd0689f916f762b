"""From the start of the process to the first frame, ours beside a bare Textual app, in paired runs.

    python scripts/measure_first_paint.py [--home DIR] [--pairs 7]

Both run in tmux, a real terminal emulator (a bare pseudo-terminal leaves Textual's questions to the
terminal unanswered, and it waits a second for them). The clock stops when the pane shows a text of the
first frame; it is looked at every few milliseconds. Without --home: an empty one, its first run over.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from persona.tui.first_run import FirstRun

BARE = """
from textual.app import App
from textual.widgets import Footer, Input, Label
class Bare(App):
    def compose(self):
        yield Label("Hello")
        yield Input(placeholder="Write a message")
        yield Footer()
Bare().run()
"""
MARKER = "Write a message"


def first_paint(command: list[str], home: Path) -> float:
    """Seconds until the pane shows MARKER; TimeoutError after 30."""
    # a server of its own: one that is being killed answers no new session
    tmux = ("tmux", "-L", f"first-paint-{time.monotonic_ns()}")
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "30", "sh"], check=True)
    time.sleep(0.3)
    line = f"PERSONA_HOME={shlex.quote(str(home))} {shlex.join(command)}"
    try:
        started = time.perf_counter()
        subprocess.run([*tmux, "respawn-pane", "-k", line], check=True)
        while time.perf_counter() - started < 30:
            shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False)
            if MARKER in shown.stdout:
                return time.perf_counter() - started
            time.sleep(0.005)
        raise TimeoutError(shown.stdout)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def main() -> None:
    """Measure pair by pair; print the medians and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    arms = {
        "bare Textual app": [sys.executable, "-c", BARE],
        "persona chat": [sys.executable, "-m", "persona", "chat"],
    }
    times: dict[str, list[float]] = {name: [] for name in arms}
    with tempfile.TemporaryDirectory() as empty:
        home = options.home or Path(empty)
        if options.home is None:
            os.environ["PERSONA_HOME"] = empty
            FirstRun(finished=True).save()
        for pair in range(options.pairs + 1):
            for name, command in arms.items():
                seconds = first_paint(command, home)
                if pair:  # the first pair warms the file cache
                    times[name].append(seconds)
    for name, taken in times.items():
        print(f"{name:18} median {median(taken):.2f} s  ({', '.join(f'{t:.2f}' for t in taken)})")
    bare, ours = (median(t) for t in times.values())
    print(f"ratio {ours / bare:.2f}")


if __name__ == "__main__":
    main()
