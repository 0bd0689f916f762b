"""`persona serve` as a process of its own, for scripts that measure it."""

import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress


@contextmanager
def serving(*options: str, env: Mapping[str, str]) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A server with its model loaded, and its port; it has ended by SIGTERM at the end of the block.

    options: of `persona serve`. Ends the program when the server does not start within two minutes.
    """
    command = [sys.executable, "-m", "persona", "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        try:
            port = _port(server)
            _until_healthy(port)
            yield server, port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def _port(server: "subprocess.Popen[str]") -> int:
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        if found := re.search(r"listening on http://[^:]+:(\d+)", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return int(found.group(1))
        said.append(line)
    raise SystemExit(f"the server did not start:\n{''.join(said)}")


def _until_healthy(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise SystemExit("the model was not loaded within two minutes")
