"""The one module that opens a network connection, and it runs in a process of its own.

That process alone is let online, for one file of one repository on the hub that `HF_ENDPOINT` names
(huggingface.co unless set), so the program that started it stays offline, and stopping it stops everything at
once. It tells its progress and its ending in lines of JSON on standard output.

What the file is (size, SHA-256, commit) huggingface_hub says. Its own download is not used: that of version
2.4 writes to a file of the process's own and deletes it when interrupted, with Xet and without
(huggingface_hub, pull request 4228), so a killed download would begin anew. So the bytes come by plain range
requests, appended as they arrive to a file named after the checksum: whatever ended the last attempt, the
next goes on at that byte.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from knowledge.progress import Progress
from persona import __version__
from persona.errors import ModelError, PersonaError
from persona.offline import stay_on_this_machine

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

Report = Callable[[Progress], None]

ATTEMPTS = 5
"""Attempts in a row without one new byte before giving up."""

_WHO = "persona"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = 30.0
_REPORT_EVERY = 0.1
_SPARE_DISK = 256 * 2**20
_HASH_CHUNK = 4 * 2**20
_AGAIN = "the same command goes on where it stopped"


def fetch(repo: str, file: str, target: Path, report: Report, pause: float = 0.5) -> None:
    """Bring `file` of `repo` to `target`, going on with what an earlier attempt left.

    pause: seconds before the second attempt, doubled with each that brings nothing.
    Raises ModelError when the hub cannot be reached, does not have the file, or sent something else, and
    when the disk is too full, and when another process is at it. What was fetched is kept, unless its
    checksum is wrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target.with_name(f"{target.name}.lock"), blocking=False):
            _fetch(repo, file, target, report, pause)
    except Timeout:
        raise ModelError(f"{file} is being downloaded already", "wait for it, or stop it") from None


def _fetch(repo: str, file: str, target: Path, report: Report, pause: float) -> None:
    from huggingface_hub import hf_hub_url

    about = _ask(repo, file)
    size, sha256 = about.size, about.etag or ""
    if not size or not _SHA256.fullmatch(sha256):
        raise ModelError(f"{_host()} states no checksum for {file}", "choose another model")
    part = target.with_name(f"{target.name}.{sha256[:16]}.part")
    for stale in target.parent.glob(f"{target.name}.*.part"):
        if stale != part:
            stale.unlink()
    _room_for(size - _size(part), target.parent)
    _receive_all(hf_hub_url(repo, file, revision=about.commit_hash), part, size, report, pause)
    _check(part, size, sha256, report)
    os.replace(part, target)


def _ask(repo: str, file: str) -> "HfFileMetadata":
    """What the hub says of the file."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
    )

    try:
        return get_hf_file_metadata(
            hf_hub_url(repo, file),
            token=_token(),
            timeout=_TIMEOUT,
            library_name=_WHO,
            library_version=__version__,
        )
    except GatedRepoError:
        raise ModelError(
            f"{repo} is only for those who accepted its terms",
            f"accept them at {_host()}/{repo} and set HF_TOKEN, or choose another model",
        ) from None
    except (RepositoryNotFoundError, EntryNotFoundError):
        raise ModelError(f"{_host()} has no {repo}/{file}", "choose another model") from None
    except HfHubHTTPError as error:
        raise ModelError(f"{_host()} answered {error.response.status_code}", "try again later") from None
    except _network_errors() as error:
        raise _unreachable(error) from None


def _receive_all(url: str, part: Path, size: int, report: Report, pause: float) -> None:
    """Append to `part` until it has `size` bytes, over as many connections as it takes."""
    barren = 0
    while (have := _size(part)) < size:
        problem: Exception | None = None
        try:
            _receive(url, part, have, size, report)
        except _network_errors() as error:
            problem = error
        if _size(part) >= size:
            return
        barren = barren + 1 if _size(part) <= have else 0
        if barren >= ATTEMPTS:
            raise _unreachable(problem)
        time.sleep(pause * 2**barren)


def _receive(url: str, part: Path, have: int, size: int, report: Report) -> None:
    """One connection: the bytes from `have` on."""
    from huggingface_hub import get_session, hf_raise_for_status

    headers = {
        "User-Agent": f"{_WHO}/{__version__}",
        "Accept-Encoding": "identity",
        "Range": f"bytes={have}-",
    }
    if _token():
        headers["Authorization"] = f"Bearer {_token()}"
    stage = f"Downloading {part.name.partition('.gguf')[0]}.gguf"
    with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as reply:
        hf_raise_for_status(reply)
        if reply.status_code != 206:  # a proxy that knows no ranges sends everything again
            have = 0
        told = time.monotonic()
        with part.open("r+b" if part.exists() else "wb", buffering=0) as out:
            out.truncate(have)
            out.seek(have)
            report(Progress(stage, have, size))
            for piece in reply.iter_raw():
                out.write(piece)
                have += len(piece)
                if have > size:
                    return
                if time.monotonic() - told >= _REPORT_EVERY:
                    told = time.monotonic()
                    report(Progress(stage, have, size))
    report(Progress(stage, have, size))


def _check(part: Path, size: int, sha256: str, report: Report) -> None:
    """Compare with what the hub stated; what differs is deleted."""
    stage = f"Checking {part.name.partition('.gguf')[0]}.gguf"
    digest, done = hashlib.sha256(), 0
    with part.open("rb") as file:
        while piece := file.read(_HASH_CHUNK):
            digest.update(piece)
            done += len(piece)
            report(Progress(stage, done, size))
        os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        part.unlink()
        raise ModelError(
            "what came is not what the hub states (its SHA-256 differs), so it was deleted",
            "pull it again; if it happens twice, something between here and the hub changes what it sends",
        )


def _room_for(missing: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if missing + _SPARE_DISK > free:
        raise ModelError(
            f"{missing / 1e9:.2f} GB are to come and {folder} has {free / 1e9:.2f} GB free",
            "free some space, choose a smaller model, or set PERSONA_HOME to another disk",
        )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _token() -> str | bool:
    """Only a key the user set for this: one that other programs stored is none of our business."""
    return os.environ.get("HF_TOKEN") or False


def _host() -> str:
    from huggingface_hub.constants import ENDPOINT

    return ENDPOINT.partition("://")[2]


def _network_errors() -> tuple[type[Exception], ...]:
    """What the hub client's HTTP library raises; which library that is, depends on its version."""
    from huggingface_hub import errors

    return (errors.HTTPError,)  # type: ignore[attr-defined]


def _unreachable(problem: Exception | None) -> ModelError:
    why = f" ({problem or type(problem).__name__})" if problem else ""
    return ModelError(
        f"{_host()} cannot be reached{why}",
        f"check the network; {_AGAIN}. Without one, bring the GGUF file on a disk: `persona models use PATH`",
    )


def main() -> None:
    """The process: `python -m persona.models.fetch REPO FILE TARGET`."""
    os.environ["HF_HUB_OFFLINE"] = "0"
    stay_on_this_machine()
    repo, file, target = sys.argv[1:]
    try:
        fetch(repo, file, Path(target), lambda now: _tell(stage=now.stage, done=now.done, total=now.total))
    except PersonaError as error:
        _tell(error=error.message, hint=error.hint)
    except OSError as error:
        _tell(error=f"the download stopped: {error.strerror or error}", hint=f"mend it; {_AGAIN}")
    except Exception as error:
        _tell(error=f"the download stopped: {type(error).__name__}: {error}", hint=_AGAIN)
    else:
        _tell(path=target)


def _tell(**line: object) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
