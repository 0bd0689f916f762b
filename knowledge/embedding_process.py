"""Sentence embeddings in a process of their own, of low priority and with few threads: long work that
must not be felt by whoever is chatting.

It computes vectors and touches no file of ours: Chroma bears one process at a time, so whoever asks for
vectors also stores them. Requests are lines of JSON on its standard input; it ends with the process that
started it, however that one ends. Knows nothing of archive or index.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from knowledge.embedding import Embedder
from knowledge.errors import ModelError

if TYPE_CHECKING:
    from knowledge.timeline import Floats

_NICER = 10
"""About a tenth of a contested core: hardly felt by who chats, and it still gets on."""

_LOOK_EVERY = 0.1


class Cancelled(Exception):
    """The caller's cancel was heard; the process has ended."""


def half_the_cores() -> int:
    """Threads for work in the background: half of the cores this process may use, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)


class EmbeddingProcess:
    """`Embedder.embed` done elsewhere; the process starts with the first call and lives until `close`.

    cancel: makes a running `embed` raise Cancelled soon.
    """

    def __init__(self, model: str, cancel: threading.Event | None = None, threads: int = 0) -> None:
        self._model = model
        self._cancel = cancel or threading.Event()
        self._threads = threads or half_the_cores()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmbeddingProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process else None

    def embed(self, texts: Sequence[str]) -> "Floats":
        """One unit vector for each text, rows in the order given.

        Raises ModelError when the model cannot be loaded or the process was ended from outside.
        """
        import numpy as np

        if self._cancel.is_set():
            raise Cancelled
        if self._process is None:
            self._process = _start(self._model, self._threads)
            threading.Thread(target=_end_on, args=(self._cancel, self._process), daemon=True).start()
        try:
            header, body = _ask(self._process, texts)
        except (OSError, ValueError):
            self.close()
            if self._cancel.is_set():
                raise Cancelled from None
            raise ModelError(
                "the embedding process ended early", "free some memory; the work goes on where it stopped"
            ) from None
        if "error" in header:
            raise ModelError(*header["error"])
        vectors: Floats = np.frombuffer(body, dtype="<f4").reshape(header["shape"])
        return vectors

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()


def _ask(process: "subprocess.Popen[bytes]", texts: Sequence[str]) -> tuple[dict[str, Any], bytes]:
    """One request and its reply. Raises OSError or ValueError when the process is gone."""
    requests, replies = process.stdin, process.stdout
    assert requests is not None
    assert replies is not None
    requests.write(json.dumps(list(texts)).encode() + b"\n")
    requests.flush()
    header: dict[str, Any] = json.loads(replies.readline())
    rows, columns = header.get("shape", (0, 0))
    body = replies.read(4 * rows * columns)
    if len(body) < 4 * rows * columns:
        raise ValueError("half a reply")
    return header, body


def _end_on(cancel: threading.Event, process: "subprocess.Popen[bytes]") -> None:
    """Whoever waits for a reply is freed at once, also while the process is still loading its model."""
    while process.poll() is None:
        if cancel.wait(_LOOK_EVERY):
            process.kill()


def _start(model: str, threads: int) -> "subprocess.Popen[bytes]":
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.IDLE_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW}
    environment = {
        **os.environ,
        # the same modules as here, and none from the folder the user happens to be in
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": str(threads),
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, model, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        **apart,
    )


def main() -> None:
    """The process: answer requests until there are no more."""
    model, threads = sys.argv[1], int(sys.argv[2])
    if hasattr(os, "nice"):
        os.nice(_NICER)
    # what a library prints must not end up between the replies
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    embedder = Embedder(model)
    while True:
        try:
            vectors = embedder.embed(json.loads(requests.get())).astype("<f4")
        except ModelError as error:
            replies.write(json.dumps({"error": [error.message, error.hint]}).encode() + b"\n")
        else:
            replies.write(json.dumps({"shape": vectors.shape}).encode() + b"\n" + vectors.tobytes())
        replies.flush()


def _listen(requests: "queue.SimpleQueue[bytes]") -> None:
    """Take requests; end at once when whoever sent them is gone, whatever is being computed."""
    for request in sys.stdin.buffer:
        requests.put(request)
    os._exit(0)


if __name__ == "__main__":
    main()
