"""What a twin costs: disk, memory, tokens and processor time; and what many cost one Chroma server.

    python scripts/measure_twin.py [--home DIR] [--model starter] [--turns 20] [--tenants 20] [--vectors 1000]

Disk is that of the sample twin's home (or `--home`, which is copied). `persona serve` answers `--turns`
questions in one stored chat on it, with memories and compression as they are set; tokens are what its
`/metrics` counts, memory and processor time what Linux tells of the process. Then a Chroma server is started
and given `--tenants` twins with `--vectors` random vectors each. Bytes, tokens and processor time hold on a
busy machine, too; nothing else is timed.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from load_server import TOKEN, resident_mb, said
from prometheus_client.parser import text_string_to_metric_families
from sample_home import home
from serving import serving

from knowledge import chroma
from knowledge.archive import Archive
from persona import paths

QUESTIONS = (
    "Where do you live now?",
    "What's your dog's name?",
    "What do you drink in the morning nowadays?",
    "I had soup today, and it rained all afternoon.",
    "Who is your sister?",
    "What did we say about the rent?",
    "Tell me about your work.",
)
KEY = {"Authorization": f"Bearer {TOKEN}"}
DIMENSIONS = 384
WAIT_SECONDS = 60


def bytes_in(*places: Path) -> int:
    """Size of files, and of what folders hold."""
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def disk(knowledge: Path) -> dict[str, Any]:
    """What an archive and its index take, in all and for a thousand messages."""
    with closing(Archive(knowledge / "archive.sqlite3")) as archive:
        messages = archive.rows("SELECT COUNT(*) FROM messages")[0][0]
        vectors = messages - archive.rows("SELECT COUNT(*) FROM waiting")[0][0]
    words, index = bytes_in(knowledge / "archive.sqlite3"), bytes_in(knowledge / "index")
    return {
        "messages": messages,
        "without_vectors": messages - vectors,
        "archive_mb_per_1000": round(words / messages / 1000, 2),
        "index_mb_per_1000": round(index / messages / 1000, 2),
    }


def served(model: str, turns: int) -> dict[str, Any]:
    """Memory, processor time, tokens and disk of a chat with `persona serve`."""
    environment = {**os.environ, "PERSONA_SERVE_TOKEN": TOKEN}
    with serving("--model", model, env=environment) as (server, port):
        loaded = {"mb_loaded": round(resident_mb(server.pid)), "cpu_s_loading": cpu_seconds(server.pid)}
        first, kept = figures(port), bytes_in(paths.sessions_file())
        session = "new"
        for number in range(turns):
            session = ask(port, QUESTIONS[number % len(QUESTIONS)], session)
        last, used = figures(port), cpu_seconds(server.pid) - loaded["cpu_s_loading"]
        memory = round(resident_mb(server.pid))
    grown = bytes_in(paths.sessions_file()) - kept  # closed, so that nothing waits in the write-ahead log
    tokens = {
        kind: round((last[f"persona_tokens_total {kind}"] - first[f"persona_tokens_total {kind}"]) / turns)
        for kind in ("in", "cached", "out")
    }
    return {
        **loaded,
        "mb_after": memory,
        "tokens_a_turn": tokens,
        "cpu_s_a_turn": round(used / turns, 2),
        "chat_kb_a_turn": round(grown / turns / 1024, 1),
    }


def ask(port: int, text: str, session: str) -> str:
    """One turn of a stored chat; its id."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps({"messages": said(text), "max_tokens": 80, "seed": 1}).encode(),
        {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "X-Persona-Session": session,
        },
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()
        return str(answer.headers["X-Persona-Session"])


def figures(port: int) -> dict[str, float]:
    """What `/metrics` shows, by name and labels."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=KEY)
    with urllib.request.urlopen(request, timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tenants(count: int, vectors: int) -> dict[str, Any]:
    """What `count` twins of `vectors` vectors each make of a Chroma server."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, chroma_server(Path(folder)) as (address, pid):
        memory = [resident_mb(pid)]
        collections = []
        for number in range(count):
            collection = chroma.open_server(address, f"twin-{number}").get_or_create_collection("speech")
            for start in range(0, vectors, 500):
                drawn = rng.standard_normal((min(500, vectors - start), DIMENSIONS), dtype=np.float32)
                ids = [str(start + n) for n in range(len(drawn))]
                collection.add(ids=ids, embeddings=drawn, metadatas=[{"author": "x", "at": 1}] * len(drawn))
            collections.append(collection)
            memory.append(resident_mb(pid))
        written, used = memory[-1], cpu_seconds(pid)
        for collection in collections:
            collection.query(query_embeddings=rng.standard_normal((1, DIMENSIONS), dtype=np.float32))
        return {
            "tenants": count,
            "vectors_each": vectors,
            "mb_empty": round(memory[0]),
            "mb_written": round(written),
            "mb_all_asked": round(resident_mb(pid)),
            "mb_a_tenant": round((resident_mb(pid) - memory[0]) / count, 2),
            "disk_mb_a_tenant": round(bytes_in(Path(folder)) / count / 1e6, 2),
            "cpu_ms_a_query": round((cpu_seconds(pid) - used) / count * 1000, 1),
            "files_open": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        }


@contextmanager
def chroma_server(folder: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of `chroma run` on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("chroma"), "run", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--path", folder], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(WAIT_SECONDS * 5):
            with suppress(OSError):
                urllib.request.urlopen(f"{address}/api/v2/heartbeat", timeout=5).close()
                break
            time.sleep(0.2)
        yield address, server.pid
    finally:
        server.terminate()
        server.wait(60)


def machine() -> str:
    """The processor's name and the cores that this program may use."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{found.group(1) if found else 'unknown'}, {len(os.sched_getaffinity(0))} cores"


def main() -> None:
    """Measure and print, one line of JSON for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path, help="a home that holds a twin; it is copied")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--vectors", type=int, default=1000)
    given = parser.parse_args()
    print(json.dumps({"machine": machine()}), flush=True)
    with tempfile.TemporaryDirectory() as made:
        copied = shutil.copytree(given.home, Path(made) / "home") if given.home else None
        with home(copied):
            print(json.dumps({"disk": disk(paths.knowledge_dir())}), flush=True)
            print(json.dumps({"served": served(given.model, given.turns)}), flush=True)
    print(json.dumps({"chroma": tenants(given.tenants, given.vectors)}), flush=True)


if __name__ == "__main__":
    main()
