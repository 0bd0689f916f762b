"""Downloading a model, against a hub on this machine that breaks off, lies, stalls and is not there."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_hub import CHUNK, COMMIT, Hub, running_hub

from knowledge.progress import Progress
from persona import models, paths
from persona.errors import ModelError
from persona.models import fetch

NAME = "qwen3-0.6b"
REPO, FILE = "Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf"
CONTENT = random.Random(7).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that `HF_ENDPOINT` names, with one file, and no models of other programs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with running_hub() as running:
        running.files[f"{REPO}/{FILE}"] = CONTENT
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def target() -> Path:
    return paths.models_dir() / FILE


def kept() -> int:
    return sum(part.stat().st_size for part in left_over())


def left_over() -> list[Path]:
    return list(paths.models_dir().glob("*.part"))


def test_a_pull_brings_the_file_and_tells_how_far_it_is(hub: Hub) -> None:
    told: list[Progress] = []
    path = models.pull(NAME, told.append)
    assert path == target() == models.resolve(NAME)
    assert path.read_bytes() == CONTENT
    assert {now.stage for now in told} == {f"Downloading {FILE}", f"Checking {FILE}"}
    assert (told[-1].done, told[-1].total) == (len(CONTENT), len(CONTENT))
    assert hub.served == len(CONTENT)
    assert not left_over()


def test_five_interruptions_and_no_byte_twice(hub: Hub) -> None:
    hub.cuts = [300_000, 1, 700_001, 0, 500_000]
    assert hashlib.sha256(models.pull(NAME).read_bytes()).hexdigest() == SHA256
    assert len(hub.starts) == 6
    assert hub.starts == [0, 300_000, 300_001, 1_000_002, 1_000_002, 1_500_002]
    assert hub.served == len(CONTENT)


def test_five_killed_downloads_and_the_next_goes_on(hub: Hub) -> None:
    """Killed as by a power cut: no goodbye."""
    for stall_at in range(500_000, 3_000_000, 500_000):
        hub.stall_at = stall_at
        command = [sys.executable, "-m", "persona.models.fetch", REPO, FILE, str(target())]
        download = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda at=stall_at: kept() == at)
        download.kill()
        download.wait()
    hub.stall_at = None
    assert models.pull(NAME).read_bytes() == CONTENT
    assert hub.starts == [0, 500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000]
    assert hub.served == len(CONTENT)


def test_a_program_killed_in_full_flow_loses_only_what_was_on_its_way(hub: Hub) -> None:
    hub.pace = 0.02
    pulling = f"from persona import models; models.pull({NAME!r})"
    program = subprocess.Popen([sys.executable, "-c", pulling], start_new_session=True)
    wait_until(lambda: kept() > 5 * CHUNK)
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    wait_until(lambda: hub.busy == 0)
    hub.pace = 0.0
    on_disk, sent = kept(), hub.served
    assert models.pull(NAME).read_bytes() == CONTENT
    assert hub.starts == [0, on_disk]
    # bytes that the system had taken for the program and it had not read; a download on loopback has most
    assert sent - on_disk < 2**20
    assert hub.served == len(CONTENT) + sent - on_disk


def test_cancel_stops_a_stalled_download_within_a_second_and_keeps_it(hub: Hub) -> None:
    hub.stall_at = len(CONTENT) // 2
    cancel = threading.Event()
    cancelled_at: list[float] = []

    def cancel_when_it_stalls() -> None:
        wait_until(lambda: kept() == len(CONTENT) // 2)
        cancelled_at.append(time.monotonic())
        cancel.set()

    threading.Thread(target=cancel_when_it_stalls).start()
    with pytest.raises(models.PullStopped, match="stopped"):
        models.pull(NAME, cancel=cancel)
    assert time.monotonic() - cancelled_at[0] < 1.0
    hub.stall_at = None
    assert models.pull(NAME).read_bytes() == CONTENT
    assert hub.starts == [0, len(CONTENT) // 2]
    assert hub.served == len(CONTENT)


def test_a_wrong_checksum_is_refused_and_the_file_removed(hub: Hub) -> None:
    hub.stated = "ab" * 32
    with pytest.raises(ModelError, match="SHA-256") as refused:
        models.pull(NAME)
    assert "pull it again" in refused.value.hint
    assert not target().exists()
    assert not left_over()
    hub.stated = ""
    assert models.pull(NAME).read_bytes() == CONTENT


def test_what_is_left_of_another_version_is_not_mixed_in(hub: Hub) -> None:
    old = target().with_name(f"{FILE}.{'0' * 16}.part")
    old.parent.mkdir(parents=True)
    old.write_bytes(b"an older upload" * 1000)
    assert models.pull(NAME).read_bytes() == CONTENT
    assert not old.exists()


def test_a_proxy_that_knows_no_ranges_gets_a_whole_file_through(hub: Hub) -> None:
    hub.ranges = False
    hub.cuts = [1_000_000]
    assert models.pull(NAME).read_bytes() == CONTENT


def test_offline_is_one_clear_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9 cannot be reached") as offline:
        models.pull(NAME)
    assert "check the network" in offline.value.hint
    assert "persona models use PATH" in offline.value.hint


def test_a_hub_that_breaks_off_for_good_is_given_up_and_what_came_is_kept(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.cuts = [100_000] + [0] * 20
    to = tmp_path / FILE
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        hub.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(ModelError, match="cannot be reached"):
        fetch.fetch(REPO, FILE, to, lambda _: None, pause=0.001)
    assert len(hub.starts) == 1 + fetch.ATTEMPTS
    assert [part.read_bytes() for part in tmp_path.glob("*.part")] == [CONTENT[:100_000]]


@pytest.mark.parametrize(("status", "what"), [(500, "answered 500"), (404, "has no")])
def test_a_hub_that_refuses(hub: Hub, status: int, what: str) -> None:
    if status == 404:
        hub.files.clear()
    else:
        hub.refuse = status
    with pytest.raises(ModelError, match=what):
        models.pull(NAME)


def test_a_full_disk_is_said_before_the_first_byte(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for through the door of the process, with a disk that says it is full."""
    usage = (
        "import shutil, collections; shutil.disk_usage = lambda _: collections.namedtuple('U', 'free')(1000)"
    )
    (tmp_path / "sitecustomize.py").write_text(usage)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"0\.00 GB free") as full:
        models.pull(NAME)
    assert "smaller model" in full.value.hint
    assert hub.served == 0


def test_only_the_named_host_is_asked_and_little_is_said_of_this_machine(hub: Hub) -> None:
    models.pull(NAME)
    assert [request.partition(" ")[2].partition("?")[0] for request in hub.requests] == [
        f"/{REPO}/resolve/main/{FILE}",
        f"/{REPO}/resolve/{COMMIT}/{FILE}",
        f"/content/{REPO}/{FILE}",
    ]
    assert all(sent["user-agent"].startswith("persona/") for sent in hub.headers)
    assert not any("torch" in sent["user-agent"] or "authorization" in sent for sent in hub.headers)


def test_a_key_that_the_user_set_goes_to_the_hub_and_not_to_where_it_redirects(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    models.pull(NAME)
    assert [sent.get("authorization") for sent in hub.headers] == [
        "Bearer hf_secret",
        "Bearer hf_secret",
        None,
    ]


def test_pulling_leaves_this_program_offline(hub: Hub) -> None:
    program = (
        "from persona import models, offline; offline.stay_on_this_machine()\n"
        f"models.pull({NAME!r})\n"
        "import huggingface_hub.constants as hub; assert hub.HF_HUB_OFFLINE"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_two_pulls_of_one_model_do_not_mix(hub: Hub) -> None:
    hub.stall_at = 0
    cancel = threading.Event()
    ended: list[Exception] = []

    def first() -> None:
        try:
            models.pull(NAME, cancel=cancel)
        except ModelError as error:
            ended.append(error)

    one = threading.Thread(target=first)
    one.start()
    wait_until(lambda: bool(hub.starts))
    with pytest.raises(ModelError, match="already"):
        models.pull(NAME)
    cancel.set()
    one.join()
    assert isinstance(ended[0], models.PullStopped)


def test_what_is_here_already_is_not_asked_for(hub: Hub) -> None:
    assert models.pull(models.STARTER) == paths.starter_model()
    target().parent.mkdir(parents=True)
    target().write_bytes(b"here")
    assert models.pull(NAME) == target()
    assert hub.requests == []


def test_an_unknown_name_lists_the_known_ones(hub: Hub) -> None:
    with pytest.raises(ModelError) as unknown:
        models.pull("no-such-model")
    assert NAME in unknown.value.hint


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
