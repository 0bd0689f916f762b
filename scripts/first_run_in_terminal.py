"""The first run as a user meets it: `persona chat` in an empty home, driven key by key in tmux.

    python scripts/first_run_in_terminal.py [--hub] [--question TEXT]

Without --hub the network is away: the download that is tried fails, and the starter talks. With it a hub on
this machine serves a tiny random model under the name of qwen3-0.6b, which is fetched and talks (noise).
Prints every screen it came by; exit code 0 when a reply was given in the end.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from persona import models, paths

PATIENCE = 180.0
MODEL = "qwen3-0.6b"
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
    pane.wait_until(lambda text: text.count("imported") == 2, "the mail's report")
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


@contextmanager
def hub() -> Iterator[str]:
    """The address of a hub on this machine that has MODEL."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from local_hub import running_hub
    from tiny_model import write_tiny_qwen3

    with tempfile.TemporaryDirectory() as folder, running_hub() as running:
        entry = models.catalogue()[MODEL]
        content = write_tiny_qwen3(Path(folder) / "tiny.gguf").read_bytes()
        running.files[f"{entry.repo}/{entry.file}"] = content
        running.pace = 0.1
        yield running.url


def main() -> None:
    """Walk the way once and end in a chat."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hub", action="store_true")
    parser.add_argument("--question", default="What's your dog's name?")
    options = parser.parse_args()
    with ExitStack() as stack:
        address = stack.enter_context(hub()) if options.hub else NOWHERE
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="persona-first-run-", ignore_cleanup_errors=True)
        )
        environment = {
            "HOME": folder,
            "PERSONA_HOME": str(Path(folder) / "home"),
            "HF_ENDPOINT": address,
            "PATH": os.environ["PATH"],
        }
        pane = Pane([sys.executable, "-m", "persona", "chat"], environment)
        stack.callback(pane.close)
        first_run(pane, MODEL if options.hub else None, options.question)


if __name__ == "__main__":
    main()
