"""What the image of `deploy/Dockerfile` starts, started here: its command, its health check, its end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

TOKEN = "a-long-enough-token"
DOCKERFILE = Path(__file__).resolve().parents[2] / "deploy" / "Dockerfile"


def said(pattern: str) -> list[str]:
    """The words of the last JSON array after `pattern`."""
    words: list[str] = json.loads(
        re.findall(rf"{pattern} (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)[-1]
    )
    return words


def command() -> list[str]:
    """The image's own, on a free port."""
    return [sys.executable, "-m", "persona", *said("^CMD")[:-1], "0"]


def environment(home: Path) -> dict[str, str]:
    """That of a container: nothing of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "PERSONA_HOME": str(home)}


@pytest.fixture
def server(tmp_path: Path, tiny_model_path: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The container's process and its port."""
    variables = {"PERSONA_SERVE_TOKEN": TOKEN, "PERSONA_MODEL__NAME": str(tiny_model_path)}
    process = subprocess.Popen(
        command(), env={**environment(tmp_path), **variables}, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stderr is not None
    found = next(
        filter(None, (re.search(r"listening on http://0\.0\.0\.0:(\d+)", n) for n in process.stderr))
    )
    threading.Thread(target=process.stderr.read, daemon=True).start()
    yield process, int(found.group(1))
    process.kill()
    process.wait(30)


def healthy(port: int) -> bool:
    """What the image's health check says, run as Docker runs it."""
    python, flag, code = said(r"^ +CMD")
    assert (python, flag) == ("python", "-c")
    check = [sys.executable, flag, code.replace("8008", str(port))]
    return subprocess.run(check, capture_output=True, timeout=30).returncode == 0


def test_it_gets_healthy_and_ends_when_it_is_told_to(server: tuple["subprocess.Popen[str]", int]) -> None:
    process, port = server
    tries = 0
    while not healthy(port):
        tries += 1
        assert tries < 200
        assert process.poll() is None
    for token, status in ((TOKEN, 200), ("wrong", 401)):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            got = urllib.request.urlopen(request, timeout=30).status
        except urllib.error.HTTPError as error:
            got = error.code
        assert got == status
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not healthy(port)


def test_without_a_token_it_ends_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(command(), env=environment(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "PERSONA_SERVE_TOKEN" in done.stderr
