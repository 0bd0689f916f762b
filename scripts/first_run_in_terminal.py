"""The first run as a user meets it: `persona chat` in an empty home, driven key by key in tmux.

    python scripts/first_run_in_terminal.py [--hub URL --model NAME] [--question TEXT]

Without --hub the network is away: the download that is tried fails, and the starter talks. With it the model
NAME is fetched from that hub (`python tests/local_hub.py` is one) and talks. Prints every screen it
came by; exit code 0 when a reply was given in the end.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from persona import paths

PATIENCE = 180.0
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens at the port of `discard`."""


class Pane:
    """A tmux pane of 100 by 30 with one program in it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._tmux = ("tmux", "-L", f"first-run-{os.getpid()}-{time.monotonic_ns()}")
        line = shlex.join(["env", *(f"{k}={v}" for k, v in environment.items()), *command])
        subprocess.run([*self._tmux, "new-session", "-d", "-x", "100", "-y", "30", line], check=True)

    def text(self) -> str:
        """What it shows."""
        shown = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
        )
        return shown.stdout.rstrip()

    def type(self, text: str) -> None:
        """Type `text` letter by letter."""
        subprocess.run([*self._tmux, "send-keys", "-l", text], check=True)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, Escape, C-n, Down."""
        for key in keys:
            subprocess.run([*self._tmux, "send-keys", key], check=True)
            time.sleep(0.2)

    def wait_for(self, *wanted: str) -> None:
        """Wait until all of `wanted` is shown. Raises TimeoutError with what is shown instead."""
        self.wait_until(lambda text: all(part in text for part in wanted), " and ".join(wanted))

    def wait_until(self, condition: Callable[[str], bool], what: str) -> None:
        """Wait until the text fits; then show it."""
        deadline = time.monotonic() + PATIENCE
        while not condition(text := self.text()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never shown: {what}\n{text}")
            time.sleep(0.1)
        time.sleep(0.3)
        print(self.text(), end="\n\n" + "=" * 100 + "\n", flush=True)

    def close(self) -> None:
        """End the program."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


def first_run(pane: Pane, model: str | None, question: str) -> None:
    """Name, two exports, a model, a question. model: to be downloaded; None where that must fail."""
    pane.wait_for("Who are you?")
    pane.type("Mira Sol, mira@nordstern.example")
    pane.press("Enter")
    pane.wait_for("Where are your exports?")
    pane.type(str(paths.sample_dir() / "slack_export.zip"))
    pane.press("Enter")
    pane.wait_for("slack_export.zip  read", "You are Mira Sol")
    pane.type(str(paths.sample_dir() / "mail.mbox"))
    pane.press("Enter")
    pane.wait_for("mail.mbox  read")
    pane.press("C-n")
    pane.wait_for("Which model fits", "starter")
    choose(pane, f"↓ {model or ''}")
    if model is None:
        pane.wait_for("The starter needs no download")
        choose(pane, "● starter")
    pane.wait_for("Write a message", "Mira Sol")
    pane.type(question)
    pane.press("Enter")
    pane.wait_until(lambda text: "first word after" in text, "the end of a reply")


def choose(pane: Pane, wanted: str) -> None:
    """Take the model whose line begins like this."""
    lines = [line.strip("│ ") for line in pane.text().splitlines()]
    models = [line for line in lines if line.startswith(("●", "↓"))]
    number = next(n for n, line in enumerate(models) if line.startswith(wanted))
    pane.press("Home", *["Down"] * number, "Enter")


def main() -> None:
    """Walk the way once and end in a chat."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hub")
    parser.add_argument("--model")
    parser.add_argument("--question", default="What's your dog's name?")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="persona-first-run-", ignore_cleanup_errors=True) as folder:
        environment = {
            "HOME": folder,
            "PERSONA_HOME": str(Path(folder) / "home"),
            "HF_ENDPOINT": options.hub or NOWHERE,
            "PATH": os.environ["PATH"],
        }
        pane = Pane([sys.executable, "-m", "persona", "chat"], environment)
        try:
            first_run(pane, options.model if options.hub else None, options.question)
        finally:
            pane.close()


if __name__ == "__main__":
    main()
