"""The whole road on the sample twin, one command after the other, and what came of it.

    python scripts/measure_training.py [--home DIR] [--preset NAME] [--set KEY=VALUE …] [--limit 60]
                                       [--write docs/training-report]

demo → prepare → run → evaluate → export → models use → ask, with the starter model. Prints the figures
beside what was asked of them; --write keeps them as Markdown and HTML. A killed measurement goes on with the
same command and home.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from trainer.evaluation.report import html

QUESTION = "Where do you live now?"


class Road:
    """Commands run in one home; `ran` lists each with its seconds and the CPU seconds of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ran: list[tuple[str, float, float]] = []

    def __call__(self, *words: str) -> dict[str, Any]:
        """The JSON that the command printed; SystemExit with its last words when it failed."""
        began, busy = time.monotonic(), os.times()
        environment = {**os.environ, "PERSONA_HOME": str(self.home)}
        command = [sys.executable, "-m", "persona", *words]
        found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if found.returncode:
            raise SystemExit(f"{' '.join(words)} ended with {found.returncode}")
        after = os.times()
        spent = after.children_user + after.children_system - busy.children_user - busy.children_system
        self.ran.append((f"persona {' '.join(words)}", time.monotonic() - began, spent))
        return dict(json.loads(found.stdout)) if "--json" in words else {}


def measure(road: Road, chosen: list[str], limit: int) -> dict[str, Any]:
    """Everything that the commands print. chosen: options of `train run`; none takes its own choice."""
    if not (road.home / "data" / "knowledge").is_dir():
        road("demo", "--no-chat", "--home", str(road.home))
    if not (road.home / "data" / "training" / "dataset" / "report.json").is_file():
        road("train", "prepare", "--canaries", "5", "--json")
    trained = road("train", "run", *chosen, "--json")
    figures = road("train", "evaluate", "--limit", str(limit), "--json")
    exported = road("train", "export", "--quantise", "Q4_K_M", "--json")
    road("models", "use", exported["gguf"])
    asked = road("ask", QUESTION, "--seed", "1", "--json")
    road("models", "use", "starter")
    return {"run": trained, "figures": figures, "export": exported, "ask": asked}


def demands(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What was asked of the figures, what they are, and whether they hold."""
    figures = found["figures"]
    arms = figures["arms"]
    base, tuned = arms["base"], arms["tuned"]
    with_memory, tuned_memory = arms["base_memory"], arms["tuned_memory"]
    likelier = 1 - tuned["nll"] / base["nll"]
    stranger = figures["other_person_distance"]
    kept = [arm["thinking_kept"] for arm in (tuned, tuned_memory)]
    absent = [arm["thinking_absent"] for arm in (tuned, tuned_memory)]
    return [
        (
            "held-out nats a token at least 10 % below base",
            f"{base['nll']:.3f} → {tuned['nll']:.3f} ({likelier:.0%})",
            likelier >= 0.1,
        ),
        *_manner(
            "with memories, as a chat has them",
            with_memory,
            tuned_memory,
            figures["style_gain_memory"],
            stranger,
        ),
        *_manner("without memories", base, tuned, figures["style_gain"], stranger),
        (
            "facts with memory no lower than base - 0.02",
            f"{with_memory['fact_recall']:.0%} → {tuned_memory['fact_recall']:.0%}",
            tuned_memory["fact_recall"] >= with_memory["fact_recall"] - 0.02,
        ),
        (
            "thinking kept in 95 % and absent in all others",
            f"{min(kept):.0%} and {min(absent):.0%}",
            min(kept) >= 0.95 and min(absent) == 1,
        ),
        (
            "F16 logits within 0.02 of the merged model",
            f"{found['export']['max_logit_difference']:.4f}",
            found["export"]["max_logit_difference"] <= 0.02,
        ),
        (
            f"the Q4_K_M file answers “{QUESTION}”",
            f"“{found['ask']['reply']}”",
            bool(found["ask"]["reply"].strip()),
        ),
    ]


def _manner(
    how: str, base: dict[str, float], tuned: dict[str, float], gain: dict[str, float], stranger: float
) -> list[tuple[str, str, bool]]:
    return [
        (
            f"distance of manner below base, the 95 % interval above zero, {how}",
            f"{base['style_distance']:.2f} → {tuned['style_distance']:.2f}, gain {gain['value']:.2f}"
            f" ({gain['low']:.2f} to {gain['high']:.2f})",
            gain["low"] > 0,
        ),
        (
            f"and below another person's, {how}",
            f"{tuned['style_distance']:.2f} against {stranger:.2f}",
            tuned["style_distance"] < stranger,
        ),
    ]


def markdown(found: dict[str, Any], road: Road, command: str) -> str:
    """The report, its first line whether tuning helped."""
    report = Path(found["run"]["adapter"]).with_name("evaluation.md").read_text(encoding="utf-8")
    verdict, _, rest = report.partition("\n")
    ran, home = found["run"], str(road.home)
    lines = [
        verdict,
        "",
        "# Tuning the starter on the sample twin",
        f"`{command}` on {platform.machine()} with {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}:"
        f" {ran['rows']:,} rows, {ran['steps']} steps, loss {ran['loss_first']:.2f} → {ran['loss_last']:.2f},"
        f" {ran['peak_mb']:,.0f} MB at most.",
        "",
        "| asked | found | |",
        "|---|---|---|",
        *(
            f"| {asked} | {got} | {'holds' if holds else '**does not hold**'} |"
            for asked, got, holds in demands(found)
        ),
        "",
        "| command | minutes | of CPU |",
        "|---|---:|---:|",
        *(
            f"| `{words.replace(home, 'HOME')}` | {took / 60:.1f} | {cpu / 60:.1f} |"
            for words, took, cpu in road.ran
        ),
    ]
    return "\n".join(lines) + "\n" + rest


def main() -> int:
    """The command; 0 when everything holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--preset", help="else the one that `persona train run` takes by itself")
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="persona-training-"))
    road = Road(home.resolve())
    preset = [f"--preset={chosen.preset}"] if chosen.preset else []
    options = [*preset, *(f"--set={change}" for change in chosen.changes)]
    found = measure(road, options, chosen.limit)
    said = " ".join(["scripts/measure_training.py", *options, "--limit", str(chosen.limit)])
    text = markdown(found, road, said)
    if chosen.write:
        chosen.write.with_suffix(".md").write_text(text, encoding="utf-8")
        chosen.write.with_suffix(".html").write_text(html(text), encoding="utf-8")
    checked = demands(found)
    for asked, got, holds in checked:
        print(f"{'ok ' if holds else 'NOT'} {asked}: {got}")
    return 0 if all(holds for *_, holds in checked) else 1


if __name__ == "__main__":
    sys.exit(main())
