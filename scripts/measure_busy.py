"""How fast a chat's model decodes while its archive is embedded, beside the idle program.

    python scripts/measure_busy.py [--model NAME_OR_PATH] [--messages 20000] [--replies 5]

Runs the real `persona chat` in a pseudo-terminal, twice in one home: with nothing to embed, and while
`--messages` generated messages get their vectors. Decode speed: what the engine stores with each reply.
Prints one JSON document; says so when the embedding ended before the measuring did. The echo of keys
meanwhile is measured by `measure_app.py --only echo`.
"""

import argparse
import json
import os
import pty
import random
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from fcntl import ioctl
from pathlib import Path
from typing import Any

from persona import config, models
from persona.chat.opening import open_memory, open_sessions
from persona.demo import enter
from persona.offline import stay_on_this_machine
from persona.tui.first_run import FirstRun

WORDS = (
    "we the release moves to monday because tests on arm still fail and nobody has time before the weekend "
    "coffee later i think migration is done but logs look odd can you check them ship it when green thanks "
    "flat in porto has good light dog slept all day train was late again let us talk about budget tomorrow"
).split()
PATIENCE = 600.0
ENTER = b"\r"


class Terminal:
    """`persona chat` in a pseudo-terminal of 100 by 30, whose output is taken as it comes."""

    def __init__(self, home: Path) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", PERSONA_HOME=str(home))
            os.execv(sys.executable, [sys.executable, "-m", "persona", "chat"])
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self._painted = bytearray()
        self._news = threading.Condition()
        # a full pipe would hold up the app, and the measuring with it
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while came := os.read(self._fd, 65536):
                with self._news:
                    self._painted += came
                    self._news.notify_all()

    def press(self, keys: bytes) -> None:
        """Write bytes as a keyboard would, and forget what was painted before."""
        with self._news:
            self._painted.clear()
        os.write(self._fd, keys)

    def read_until(self, wanted: str) -> None:
        """Wait until `wanted` is painted. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: wanted.encode() in self._painted, PATIENCE):
                raise TimeoutError(f"{wanted!r} was never shown")

    def sent(self, answered: Callable[[], bool]) -> bool:
        """Whether what is written was answered; sends it again: the model may not be opening yet."""
        self.press(ENTER)
        time.sleep(0.5)
        return answered()

    def close(self) -> None:
        """End the program."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)


@contextmanager
def chatting(home: Path) -> Iterator[Terminal]:
    """The chat with its model open."""
    terminal = Terminal(home)
    try:
        terminal.read_until("Write a message")
        before = len(speeds())
        terminal.press(b"hello")
        wait_until(lambda: terminal.sent(lambda: len(speeds()) > before))
        yield terminal
    finally:
        terminal.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it never came to that")
        time.sleep(0.1)


def decoding(terminal: Terminal, replies: int) -> float:
    """Tokens a second, the median of so many replies."""
    before = len(speeds())
    for number in range(replies):
        terminal.press(f"what did we decide in week {number}".encode() + ENTER)
        wait_until(lambda wanted=before + number + 1: len(speeds()) >= wanted)
    return statistics.median(speeds()[before:])


def speeds() -> list[float]:
    """Tokens a second of every finished reply in the home, oldest first."""
    with closing(open_sessions()) as store:
        turns = [turn for session in store.list() for turn in store.turns(session.id)]
    return [t.usage.tokens_per_second for t in sorted(turns, key=lambda t: t.created_at) if t.usage]


def pending() -> int:
    """Messages that wait for their vectors."""
    with closing(open_memory(config.load())) as memory:
        return int(memory.stats()["pending_embeddings"])


def archive(count: int, folder: Path, channel: str) -> None:
    """Import `count` generated messages of 3 to 40 words."""
    rng = random.Random(channel)
    users = [{"id": f"U{n}", "name": f"user{n}", "real_name": f"User {n}", "profile": {}} for n in range(9)]
    said = [
        {
            "type": "message",
            "user": f"U{rng.randrange(9)}",
            "ts": f"{1600000000 + 600 * n}.000100",
            "text": " ".join(rng.choices(WORDS, k=rng.randint(3, 40))),
        }
        for n in range(count)
    ]
    files: dict[str, Any] = {
        "users.json": users,
        "channels.json": [{"id": f"C{channel}", "name": channel, "members": []}],
        f"{channel}/2020-09-13.json": said,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    with closing(open_memory(config.load())) as memory:
        memory.ingest([folder], me=["User 0"])


def main() -> None:
    """Measure the idle program, then the busy one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--replies", type=int, default=5)
    options = parser.parse_args()
    stay_on_this_machine()
    os.environ["PERSONA_MODEL__NAME"] = str(models.resolve(options.model))
    os.environ["PERSONA_CHAT__REPLY_TOKENS"] = "128"
    with tempfile.TemporaryDirectory(prefix="persona-busy-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        enter(folder / "home")
        FirstRun(finished=True).save()
        archive(64, folder / "few", "few")
        with closing(open_memory(config.load())) as memory:
            memory.embed_pending()
        with chatting(folder / "home") as terminal:
            idle = decoding(terminal, options.replies)
        archive(options.messages, folder / "many", "many")
        with chatting(folder / "home") as terminal:
            wait_until(lambda: pending() < options.messages)
            waiting, started = pending(), time.monotonic()
            busy = decoding(terminal, options.replies)
            left = pending()
            rate = (waiting - left) / (time.monotonic() - started)
    print(
        json.dumps(
            {
                "idle_tokens_per_second": round(idle, 1),
                "busy_tokens_per_second": round(busy, 1),
                "decode_ratio": round(busy / idle, 2),
                "embedded_a_second": round(rate, 1),
                "busy_to_the_end": left > 0,
            },
            indent=2,
        )
    )
    if left == 0:
        print("the embedding ended too soon: give more --messages", file=sys.stderr)


if __name__ == "__main__":
    main()
