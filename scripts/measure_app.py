"""What the app feels like: echo of keys, long chats, memory, the cost of streaming, first paint beside peers.

    python scripts/measure_app.py [--only echo,chat,stream,paint] [--keys 200] [--exchanges 1000]
                                  [--notes 200] [--seconds 20] [--pairs 7] [--peers DIR]

`echo`, `chat` and `stream` drive the real app through its own event loop, in a terminal of 100 by 30; `paint`
starts programs in tmux, a bare Textual app among them. The model of the first three is a scripted engine
that says 30 tokens a second, so that nothing but the app is measured; the store and, for `echo`, the archive
whose messages are embedded meanwhile (in the child process that does it in real life) are the real ones. A
key or a turn of the wheel is timed until the app hands over the frame that shows it, written out as the
terminal gets it; the wheel turns 25 times a second whether the app keeps up or not. Prints one JSON document;
wants a quiet machine; fails where a frame does not come, or where the embedding did not last. Peers: a folder
with a virtual environment for each, named as its package (their versions of Textual differ); those that are
not there are left out:

    for p in elia-chat oterm parllama; do python -m venv peers/$p && peers/$p/bin/pip install $p; done
"""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from textual._compositor import CompositorUpdate
from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from knowledge.progress import Progress
from knowledge.records import Memory
from persona import config
from persona.backends import base
from persona.backends.base import ModelInfo, TextDelta, Usage
from persona.chat.events import PromptReady, Retrieved, TurnEvent, TurnFinished, TurnRequest, TurnStarted
from persona.chat.store import SessionStore
from persona.demo import enter
from persona.offline import stay_on_this_machine
from persona.tui.app import PersonaApp
from persona.tui.first_run import FirstRun
from persona.tui.widgets.conversation import Conversation
from persona.tui.widgets.prompt import Prompt
from persona.tui.widgets.said import Said

SIZE = (100, 30)
RATE = 30.0
"""Tokens a second of the scripted model."""

WORDS = (
    "the river behind the market was *quiet* in the morning and we walked as far as the bridge before it "
    "began to rain so `print(1)` was all that he said about **the release** and nobody asked him again"
).split()
LETTERS = "абвгдежзиклмнопрстуфхцчшщэюяαβγδεζηθικλμνξπρστφχψω"
"""Typed one after the other: none occurs in a frame before its key."""

PAUSE = 0.15
"""Seconds between two keys."""

TURN = 0.04
"""Seconds from one turn of the wheel to the next."""

TURNS = 400
"""Of the wheel, each of two lines: three quarters of them up, from the end."""

PATIENCE = 120.0
FRAME_PATIENCE = 30.0


class Metronome:
    """An engine whose model says a word every 1/RATE seconds, until it is stopped or `words` are said."""

    def __init__(self, sessions: SessionStore, memory: Any = None, words: int = 10**9) -> None:
        self.card = SimpleNamespace(name="Mira Sol", text="Name: Mira Sol")
        info = ModelInfo("metronome", "qwen3", 3_100_000, 2048, 2048, is_starter=True)
        self.backend = SimpleNamespace(info=info, default_sampling=lambda thinking: None)
        self.sessions = sessions
        self.memory = memory
        self._words = words

    def load(self) -> None:
        """Nothing to load."""

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        """Say words at the rate."""
        cancel = cancel or threading.Event()
        session_id = request.session_id or self.sessions.create().id
        asked = self.sessions.add_user(session_id, request.text)
        yield TurnStarted(session_id, asked.id)
        yield Retrieved(())
        yield PromptReady(base.Prompt(()), 423, 1664)
        reply = self.sessions.add_reply(session_id, asked.number)
        said: list[str] = []
        begun = time.monotonic()
        while len(said) < self._words and not cancel.is_set():
            time.sleep(max(0.0, begun + len(said) / RATE - time.monotonic()))
            end = "\n\n" if len(said) % 60 == 59 else " "
            said.append(WORDS[len(said) % len(WORDS)] + end)
            yield TextDelta(said[-1])
        text, usage = "".join(said), Usage(423, 310, len(said), 30.0, RATE, 400)
        self.sessions.update_reply(reply.id, text=text, thinking="", status="complete", usage=usage)
        yield TurnFinished(session_id, reply.id, text, "", "complete", usage)

    def idle(self, session_id: str, cancel: threading.Event | None = None) -> None:
        """Nothing to do."""

    def index(
        self, cancel: threading.Event | None = None, progress: Callable[[Progress], object] | None = None
    ) -> None:
        """The real embedding, where there is an archive."""
        if self.memory is not None:
            self.memory.embed_pending(progress, cancel, apart=True)

    def preview(self, request: TurnRequest) -> tuple[PromptReady, tuple[Memory, ...]]:
        """An empty prompt."""
        return PromptReady(base.Prompt(()), 0, 1664), ()

    def context(self, session_id: str) -> SimpleNamespace:
        """Of no matter."""
        return SimpleNamespace(used=512, budget=1664)

    def close(self) -> None:
        """Close the stores."""
        if self.memory is not None:
            self.memory.close()
        self.sessions.close()


class Painted(PersonaApp):
    """The real app, with its frames written out for a terminal that nobody looks at."""

    _shows: Callable[[str], bool] | None = None
    _shown: asyncio.Future[float]

    async def frame(self, shows: Callable[[str], bool]) -> float:
        """When the next frame was there for which `shows` is true. Raises TimeoutError."""
        self._shown = asyncio.get_running_loop().create_future()
        self._shows = shows
        try:
            return await asyncio.wait_for(self._shown, FRAME_PATIENCE)
        except TimeoutError:
            raise TimeoutError(f"no frame of {FRAME_PATIENCE:.0f} s showed what was waited for") from None

    def _display(self, screen: Any, renderable: Any) -> None:
        super()._display(screen, renderable)
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            frame = renderable.render_segments(self.console)
            if self._shows is not None and self._shows(frame):
                self._shows = None
                self._shown.set_result(time.perf_counter())


def make_app(engine: Metronome, session_id: str | None = None) -> Painted:
    """The real app over the engine."""
    opener: Any = lambda progress: engine  # noqa: E731
    return Painted(opener, settings=config.load(), session_id=session_id)


async def until(pilot: Pilot[Any], condition: Callable[[], object], every: float = 0.005) -> None:
    """Poll `condition`, `every` so many seconds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the app never got there")
        await asyncio.sleep(every)


def spread(milliseconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and worst."""
    ordered = sorted(milliseconds)
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        "max_ms": round(ordered[-1], 1),
    }


# Keys


async def echo(keys: int, notes: int) -> dict[str, Any]:
    """From a key event to the frame with its letter, while a reply streams and an archive is embedded.

    The first key waits until vectors are computed. Raises RuntimeError where that did not last to the last.
    """
    from persona.chat.opening import open_memory, open_sessions

    memory = open_memory(config.load())
    archive(memory, notes)

    def pending() -> int:
        return int(memory.stats()["pending_embeddings"])

    imported = pending()
    engine = Metronome(open_sessions(), memory)
    app = make_app(engine)
    taken: list[float] = []
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.room.engine)
        prompt = app.screen.query_one(Prompt)
        prompt.replace_with("hello")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query_one(Prompt).text == "")
        await until(pilot, lambda: pending() < imported, every=0.2)
        waiting = pending()
        for letter in islice(cycle(LETTERS), keys):
            if letter in prompt.text:
                prompt.replace_with("")
            await asyncio.sleep(PAUSE)
            started = time.perf_counter()
            app.post_message(Key(letter, letter))
            taken.append(1000 * (await app.frame(lambda frame, letter=letter: letter in frame) - started))
        left = pending()
    app.room.close()
    if not 0 < left < waiting:
        raise RuntimeError(f"of {waiting} notes {left} were left to embed: give another number of --notes")
    return {**spread(taken), "embedded_meanwhile": waiting - left, "left_to_embed": left}


def archive(memory: Any, count: int) -> None:
    """Import so many generated notes of 2,500 words, without their vectors."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        for part in range(count):
            lines = "\n\n".join(" ".join(rng.choices(WORDS, k=25)) for _ in range(100))
            (Path(folder) / f"{part}.md").write_text(f"# Notes {part}\n\n{lines}\n", encoding="utf-8")
        memory.ingest([Path(folder)])


# A long chat


async def long_chat(exchanges: int) -> dict[str, Any]:
    """Opening and scrolling a chat of so many exchanges; memory beside that of an empty one."""
    from persona.chat.opening import open_sessions

    store = open_sessions()
    rng = random.Random(7)
    session = store.create("long")
    with store.writing():
        pass
    for number in range(exchanges):
        asked = store.add_user(session.id, " ".join(rng.choices(WORDS, k=12)) + f" {number}")
        text = "\n\n".join(" ".join(rng.choices(WORDS, k=30)) for _ in range(2)) + "\n\n- one\n- two\n"
        store.add_reply(session.id, asked.number, text=text, status="complete")
    app = make_app(Metronome(store))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.room.engine)
        await pilot.pause(1.0)
        gc.collect()
        empty = resident_mb()
        screen: Any = app.screen
        page = screen.query_one(Conversation)
        started, used = time.perf_counter(), time.process_time()
        screen._leave_for(session.id)
        await until(pilot, lambda: len(page.children) > 10 and page.max_scroll_y > 0)
        painted = asyncio.Event()
        screen.call_after_refresh(painted.set)
        await painted.wait()
        opened, opened_cpu = time.perf_counter() - started, time.process_time() - used
        await pilot.pause(0.5)
        before = len(page.children)
        up = await scroll(app, MouseScrollUp, 3 * TURNS // 4)
        down = await scroll(app, MouseScrollDown, TURNS // 4)
        gc.collect()
        grown = resident_mb() - empty
        widgets = len(page.children)
    app.room.close()
    return {
        "turns": 2 * exchanges,
        "open_s": round(opened, 2),
        "open_processor_s": round(opened_cpu, 2),
        "scroll_frame": spread(up[0] + down[0]),
        "scroll_frame_processor": spread(up[1] + down[1]),
        "memory_growth_mb": round(grown, 1),
        "messages_on_the_page": [before, widgets],
    }


async def scroll(
    app: Painted, way: type[MouseScrollUp] | type[MouseScrollDown], turns: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from each turn of the wheel to the frame that shows it, told by how far a message in the
    middle of the view has moved; and the processor's for each frame. The wheel waits for no frame."""
    middle = SIZE[0] // 2, SIZE[1] // 3
    shown: list[float] = []
    processor: list[float] = []
    moved, used = 0, time.thread_time()
    mark, place = _mark(app, middle[1])
    begun = time.perf_counter()

    def see(frame: str) -> bool:
        nonlocal moved, used, mark, place
        moved += abs(mark.region.y - place)
        mark, place = _mark(app, middle[1])
        processor.append(1000 * (time.thread_time() - used))
        used = time.thread_time()
        while moved >= (len(shown) + 1) * app.scroll_sensitivity_y:
            shown.append(1000 * (time.perf_counter() - begun - len(shown) * TURN))
        return len(shown) >= turns

    last = asyncio.create_task(app.frame(see))
    for number in range(turns):
        await asyncio.sleep(max(0.0, begun + number * TURN - time.perf_counter()))
        app.post_message(way(None, *middle, 0, 0, 0, False, False, False))
    await last
    return shown, processor


def _mark(app: Painted, line: int) -> tuple[Said, int]:
    """The message nearest to a line of the screen, and its first line."""
    seen = [widget for widget in app.screen._compositor.visible_widgets if isinstance(widget, Said)]
    mark = min(seen, key=lambda said: abs(said.region.y - line))
    return mark, mark.region.y


def resident_mb() -> float:
    """Resident memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * resource.getpagesize() / 2**20


# Streaming


async def stream(seconds: float) -> dict[str, Any]:
    """Processor time of the app, as a share of one core, while a reply comes at 30 tokens a second."""
    from persona.chat.opening import open_sessions

    app = make_app(Metronome(open_sessions(), words=int(RATE * (seconds + 5))))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.room.engine)
        await asyncio.sleep(1.0)
        still = await share(seconds / 4)
        app.screen.query_one(Prompt).replace_with("hello")
        await pilot.press("enter")
        await asyncio.sleep(2.0)
        streaming = await share(seconds)
    app.room.close()
    return {"idle_share": round(still, 3), "streaming_share": round(streaming, 3), "tokens_per_second": RATE}


async def share(seconds: float) -> float:
    """Processor seconds per second of this process, all of its threads."""
    started, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - used) / (time.perf_counter() - started)


# First paint

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
PEERS = {"elia-chat": ("elia", "Elia"), "oterm": ("oterm", "oterm"), "parllama": ("parllama", "PAR LLAMA")}
"""The program of each package, and a text of its first frame."""


def first_paints(pairs: int, peers: Path | None) -> dict[str, Any]:
    """Median seconds to the first frame, and memory then; by turns, and the first round is not counted."""
    ours = [sys.executable, "-m", "persona", "chat"]
    arms = {
        "persona": (ours, "Write a message"),
        "bare Textual app": ([sys.executable, "-c", BARE], "Write a message"),
    }
    for name, (program, marker) in PEERS.items():
        if peers is not None and (file := peers / name / "bin" / program).exists():
            arms[name] = ([str(file)], marker)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for pair in range(pairs + 1):
        for name, (command, marker) in arms.items():
            figures = first_paint(command, marker)
            if pair and figures is not None:
                taken[name].append(figures)
    found = {
        name: {
            "first_paint_s": round(statistics.median(t for t, _ in runs), 2),
            "memory_mb": round(statistics.median(mb for _, mb in runs)),
            "runs": len(runs),
        }
        for name, runs in taken.items()
        if runs
    }
    ours_s = found["persona"]["first_paint_s"]
    return {
        name: {**row, "times_ours": round(row["first_paint_s"] / ours_s, 2)} for name, row in found.items()
    }


def first_paint(command: list[str], marker: str) -> tuple[float, float] | None:
    """Seconds until a tmux pane shows `marker`, and the program's memory then in MB; None after 30 s."""
    tmux = ("tmux", "-L", f"measure-app-{time.monotonic_ns()}")
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "30", "sh"], check=True)
    time.sleep(0.3)
    try:
        started = time.perf_counter()
        subprocess.run([*tmux, "respawn-pane", "-k", f"exec {shlex.join(command)}"], check=True)
        while time.perf_counter() - started < 30:
            shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False)
            if marker.casefold() in shown.stdout.casefold():
                seconds = time.perf_counter() - started
                time.sleep(1.0)
                pid = subprocess.run(
                    [*tmux, "display-message", "-p", "#{pane_pid}"],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.strip()
                fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
                return seconds, int(fields[1]) * resource.getpagesize() / 2**20
            time.sleep(0.005)
        return None
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def main() -> None:
    """Measure what is asked for, each in a home of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="echo,chat,stream,paint")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--exchanges", type=int, default=1000)
    parser.add_argument("--notes", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--peers", type=Path)
    options = parser.parse_args()
    stay_on_this_machine()
    found: dict[str, Any] = {}
    for part in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="persona-app-", ignore_cleanup_errors=True) as home:
            enter(Path(home))
            FirstRun(finished=True).save()
            os.environ["PERSONA_HOME"] = home
            match part:
                case "echo":
                    found[part] = asyncio.run(echo(options.keys, options.notes))
                case "chat":
                    found[part] = asyncio.run(long_chat(options.exchanges))
                case "stream":
                    found[part] = asyncio.run(stream(options.seconds))
                case "paint":
                    found[part] = first_paints(options.pairs, options.peers)
                case _:
                    parser.error(f"there is no part `{part}`")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
