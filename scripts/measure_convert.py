"""Held-out requests to `POST /api/convert`: how many replies keep to the schema, how many are exactly right.

    python scripts/measure_convert.py --data reminders --model reminders.gguf [--rows 200] [--wrong 10]

Starts `persona serve` on a throw-away home. --data: a folder with `schema.json` and `test.jsonl`, a line
each of {"input": …, "output": …}. --wrong: show that many replies that were not right. Prints one JSON
document; exit code 1 where a reply breaks the schema, or fewer than 80 % are exactly right.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from jsonschema import validators
from serving import serving

LEAST_RIGHT = 0.8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--wrong", type=int, default=0)
    asked = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a stopped script leaves no server behind
    schema = json.loads((asked.data / "schema.json").read_text(encoding="utf-8"))
    validator = validators.validator_for(schema)(schema)
    lines = (asked.data / "test.jsonl").read_text(encoding="utf-8").splitlines()[: asked.rows]
    rows = [json.loads(line) for line in lines]
    valid = right = 0
    seconds: list[float] = []
    wrong: list[dict[str, Any]] = []
    options = ["--model", asked.model, "--schema", str(asked.data / "schema.json")]
    with (
        tempfile.TemporaryDirectory() as home,
        serving(*options, env={**os.environ, "PERSONA_HOME": home}) as (_, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client,
    ):
        for row in rows:
            started = time.perf_counter()
            answer = client.post("/api/convert", json={"text": row["input"]}).raise_for_status().json()
            seconds.append(time.perf_counter() - started)
            data = answer["structured_data"]
            valid += answer["success"] and validator.is_valid(data)
            right += data == row["output"]
            if data != row["output"]:
                wrong.append({"input": row["input"], "wanted": row["output"], "got": data or answer["error"]})
    figures = {
        "model": Path(asked.model).name,
        "requests": len(rows),
        "valid": valid,
        "exactly_right": right,
        "share_right": round(right / len(rows), 3),
        "ms_p50": round(statistics.median(seconds) * 1000),
        "ms_p95": round(statistics.quantiles(seconds, n=20)[-1] * 1000),
        "wrong": wrong[: asked.wrong],
    }
    print(json.dumps(figures, ensure_ascii=False, indent=2))
    return 0 if valid == len(rows) and right >= LEAST_RIGHT * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
