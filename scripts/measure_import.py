"""How long generated Slack messages in one zip take until their words can be searched, and what they cost.

    python scripts/measure_import.py [--messages 300000] [--runs 1] [--searches 200] [--json]

Two processes of their own take the same zip: a bare one (`json.load` of every day, `executemany` into an FTS5
table) and Persona's import without embedding. Told are both times, their ratio, the peak of memory of each,
the size on disk, and the 50th and 95th percentile of text searches (one to three words of a random message,
looked for as a question's words are). Same seed, same messages.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from itertools import accumulate
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHANNELS, PEOPLE, A_DAY = 20, 60, 500
START = 1_600_000_000
SYLLABLES = "ba ko ri tel mun sa vor li den ga shi pro an tur mel ox qui fen lo wex".split()


def generate(path: Path, messages: int, seed: int) -> None:
    """An official export: channels of days of A_DAY messages, a tenth of them answers, some edited."""
    chance = random.Random(seed)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(20_000)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    users = [
        {
            "id": f"U{n}",
            "name": f"user{n}",
            "real_name": f"User {n}",
            "profile": {"email": f"u{n}@example.org"},
        }
        for n in range(PEOPLE)
    ]
    channels = [{"id": f"C{n}", "name": f"channel-{n}", "members": ["U0"]} for n in range(CHANNELS)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("users.json", json.dumps(users))
        archive.writestr("channels.json", json.dumps(channels))
        for first in range(0, messages, A_DAY):
            day, channel = divmod(first // A_DAY, CHANNELS)
            records: list[dict[str, Any]] = []
            for number in range(min(A_DAY, messages - first)):
                ts = f"{START + day * 86_400 + number * 100}.{chance.randrange(10**6):06}"
                text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(3, 30)))
                record = {"type": "message", "user": f"U{chance.randrange(PEOPLE)}", "text": text, "ts": ts}
                if records and chance.random() < 0.1:
                    record["thread_ts"] = chance.choice(records)["ts"]
                if chance.random() < 0.02:
                    record["edited"] = {"user": record["user"], "ts": ts}
                records.append(record)
            name = time.strftime("%Y-%m-%d", time.gmtime(START + day * 86_400))
            archive.writestr(f"channel-{channel}/{name}.json", json.dumps(records))


def bare(path: Path, home: Path) -> dict[str, float]:
    """What cannot be done without: parse, and index the words."""
    began, used = time.perf_counter(), time.process_time()
    db = sqlite3.connect(home / "bare.sqlite3")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "/" in name:
                with archive.open(name) as stream:
                    db.executemany("INSERT INTO words VALUES (?)", [(r["text"],) for r in json.load(stream)])
    db.commit()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used, "mb": _peak()}


def ours(path: Path, home: Path, searches: int) -> dict[str, float]:
    """Persona's import, until the words can be searched, and then searches of one to three words."""
    from knowledge import lexical, timeline
    from knowledge.archive import Archive
    from knowledge.memory import MemoryStore

    began, used = time.perf_counter(), time.process_time()
    store = MemoryStore(home)
    total = store.ingest([path], me=["U0"]).total
    store.close()
    took, cpu = time.perf_counter() - began, time.process_time() - used
    found = {"seconds": took, "cpu": cpu, "mb": _peak(), "imported": total.imported}
    archive = Archive(home / "archive.sqlite3")
    chance, times, line = random.Random(1), [], timeline.load(archive)
    for _ in range(searches):
        ((text,),) = archive.rows(
            "SELECT text FROM messages WHERE key = ?", (chance.randint(1, total.imported),)
        )
        asked = " ".join(chance.sample(text.split(), k=min(chance.randint(1, 3), len(text.split()))))
        begun = time.perf_counter()
        weights = lexical.weighted(asked)
        lexical.match(lexical.hits(archive, line, weights), line, line, weights)
        times.append(time.perf_counter() - begun)
    archive.close()
    if len(times) > 1:
        found |= {"search_p50_ms": statistics.median(times) * 1000}
        found |= {"search_p95_ms": statistics.quantiles(times, n=20)[-1] * 1000}
    return found | {"disk_mb": sum(f.stat().st_size for f in home.rglob("*") if f.is_file()) / 1e6}


def _peak() -> float:
    """MB that this process took at most, told by the system (0 where it does not say)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def apart(arm: str, path: Path, home: Path, searches: int) -> dict[str, float]:
    """One arm in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, "--zip", str(path), "--home", str(home)]
    done = subprocess.run([*command, "--searches", str(searches)], check=True, capture_output=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arm", choices=("bare", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--zip", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        sys.path.insert(0, str(ROOT))
        found = bare(args.zip, args.home) if args.arm == "bare" else ours(args.zip, args.home, args.searches)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "slack.zip"
        generate(path, args.messages, args.seed)
        runs = []
        for number in range(args.runs):
            homes = [Path(scratch) / f"{arm}-{number}" for arm in ("bare", "ours")]
            for home in homes:
                home.mkdir()
            pair = [
                apart(arm, path, home, args.searches)
                for arm, home in zip(("bare", "ours"), homes, strict=True)
            ]
            runs.append({"bare": pair[0], "ours": pair[1]})
    for run in runs:
        run["ratio"] = {key: run["ours"][key] / run["bare"][key] for key in ("seconds", "cpu")}
    if args.json:
        print(json.dumps({"messages": args.messages, "runs": runs}, indent=2))
        return
    for run in runs:
        for arm, figures in run.items():
            print(f"{arm:6}", ", ".join(f"{name} {value:,.2f}" for name, value in figures.items()))
    print("median ratio", round(statistics.median(run["ratio"]["seconds"] for run in runs), 2))


if __name__ == "__main__":
    main()
