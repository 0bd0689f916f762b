"""The figures of the last run that was finished, for whoever draws them again.

Numbers and names alone: what was said in it stays with whoever asked for it (`--html`, `--json`), so that
there is nothing here to forget.
"""

import json
from typing import Any

from persona import paths

_PROBES = ("asked", "recalled", "recall", "interval", "in_prompt")


def keep(found: dict[str, Any]) -> None:
    """Keep what `figures.document` gives, in place of the run before."""
    arms = {
        name: {
            "prompt_tokens": [turn["prompt_tokens"] for turn in arm["turns"]],
            "probes": {key: arm["probes"][key] for key in _PROBES},
        }
        for name, arm in found["arms"].items()
    }
    about = {key: found[key] for key in ("script", "turns", "probes", "seed", "start")}
    file = paths.last_ab_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**about, "arms": arms}), encoding="utf-8")


def read() -> dict[str, Any] | None:
    """The run: `{script, turns, probes, seed, start, arms: {NAME: {prompt_tokens, probes}}}`, prompt_tokens
    by turn and probes as in `ab run --json`; None where none was finished yet."""
    try:
        found: dict[str, Any] = json.loads(paths.last_ab_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
