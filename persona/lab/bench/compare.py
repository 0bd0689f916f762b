"""A bench beside an earlier one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from persona.errors import PersonaError

_SAME = ("model", "parameters", "threads", "tokens", "machine")


def read(file: Path) -> dict[str, Any]:
    """An earlier result, as `bench --json` gave it. Raises PersonaError when it is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        dict(figures(found))
    except OSError as error:
        raise PersonaError(
            f"{file} cannot be read: {error.strerror}", "give the path of an earlier result"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PersonaError(
            f"{file} is no result of a bench", "`persona bench --json > FILE` makes one"
        ) from None
    return dict(found)


def compare(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`figures`: before, now and their ratio, of what both have; `differs`: what makes them less alike."""
    old = dict(figures(before))
    rows = {
        name: {"before": old[name], "now": value, "ratio": round(value / old[name], 3) if old[name] else None}
        for name, value in figures(now)
        if name in old
    }
    differs = {key: [before.get(key), now.get(key)] for key in _SAME if before.get(key) != now.get(key)}
    return {"figures": rows, "differs": differs}


def figures(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every figure of a result under a name of its own."""
    for name in ("prefill_tps", "decode_tps", "peak_mb", "overhead_ratio"):
        if found[name] is not None:
            yield name, found[name]
    for row in found["ttft_by_turn"]:
        yield f"ttft_ms, turn {row['turns']}, {row['compression']}", row["ttft_ms"]
    for row in found.get("retrieval", []):
        yield f"query_ms_p50, {row['messages']} messages", row["query_ms_p50"]
