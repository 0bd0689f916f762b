"""Does prompt lookup pay off with the model that talks? A child process lets it answer both ways.

python -m persona.lab.doctor.quoting SETTINGS    # `ModelSettings` as JSON; prints speeds as JSON
"""

import json
import math
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from knowledge.records import Memory
from persona import models
from persona.backends.base import Backend, Sampling, Usage
from persona.chat.layout import Scene, build
from persona.config import ModelSettings
from persona.errors import ModelError
from persona.lab import probe
from persona.lab.doctor.check import Check, guarded

_PAYS = 1.1
"""How much quicker it must be to be suggested: less is within what two runs differ by."""

_WRITTEN, _SECONDS = 48, 2.0
"""Most tokens of a reply, and seconds of writing it."""

_NOW = datetime.fromisoformat("2026-11-02T09:00:00+00:00")
_SAID = (
    "The spare key hangs behind the blue door in the cellar, under the old lamp",
    "We take the train to Graz at 7:40 on Friday and come back on Sunday evening",
    "Lena's new number is 0664 318 992, she changed it after the move to Porto",
)
_ASKED = (
    "Where does the spare key hang?",
    "When do we take the train to Graz?",
    "What is Lena's new number?",
)


def checks(path: Path, settings: ModelSettings) -> Iterator[Check]:
    """One check of the GGUF model in `path`, opened as `settings` say."""
    yield guarded("lookup", lambda: _check(settings.model_copy(update={"name": str(path)})))


def verdict(speeds: Mapping[str, float], set_to: str) -> Check:
    """What suits the model. speeds: tokens a second by `model.speculative`; set_to: its present value."""
    plain, guessed = speeds["off"], speeds["prompt_lookup"]
    better = "prompt_lookup" if guessed > _PAYS * plain else "off"
    detail = (
        f"answering from memories it writes {plain:.1f} tokens a second, {guessed:.1f} with prompt lookup"
    )
    figures = {"tokens_per_second": dict(speeds), "speculative": better}
    if set_to == "prompt_lookup" and plain > _PAYS * guessed:
        return Check("lookup", "warn", detail, "`persona config set model.speculative off`", figures)
    return Check("lookup", "ok", f"{detail}: {better} suits it", figures=figures)


def suggested(found: Sequence[Check]) -> dict[str, str | int]:
    """`model.speculative` as it suits the model, where the check could tell."""
    told = next((check.figures for check in found if check.name == "lookup"), {})
    return {"model.speculative": told["speculative"]} if told else {}


def _check(settings: ModelSettings) -> Check:
    speeds, died_of = probe.in_child(__name__, [settings.model_dump_json()])
    if died_of:
        raise ModelError(f"the model could not be asked: {died_of}", "choose another one, or try once more")
    if not speeds:
        return Check("lookup", "ok", "too slow, or too busy, to try prompt lookup")
    return verdict(speeds, settings.speculative)


def main() -> None:
    """Measure, and print it."""
    settings = ModelSettings.model_validate_json(sys.argv[1])
    speeds = {}
    for how in ("off", "prompt_lookup"):
        with closing(models.open_backend(settings.model_copy(update={"speculative": how}))) as backend:
            speeds[how] = _speed(backend)
    print(json.dumps(speeds))


def _speed(backend: Backend) -> float:
    """Tokens a second of writing what is likeliest."""
    tokens = seconds = 0.0
    for question in _ASKED:
        usage = _reply(backend, question)
        if usage.tokens_per_second:
            tokens += usage.completion_tokens - 1
            seconds += (usage.completion_tokens - 1) / usage.tokens_per_second
    return round(tokens / seconds, 2) if seconds else 0.0


def _reply(backend: Backend, question: str) -> Usage:
    prompt = build(Scene("Ada Quill", "Name: Ada Quill", question, _NOW, memories=_memories()))
    sampling = Sampling(temperature=0, top_p=1, top_k=0, max_tokens=_WRITTEN, seed=1)
    cancel = threading.Event()
    began = math.inf
    usage: Usage | None = None
    for event in backend.stream(prompt, sampling, cancel):
        if isinstance(event, Usage):
            usage = event
        began = min(began, time.monotonic())
        if time.monotonic() - began > _SECONDS:
            cancel.set()
    assert usage is not None
    return usage


def _memories() -> list[Memory]:
    notes = ("notes", "notes", "notes")
    return [
        Memory(str(n), said, "Ada Quill", True, _NOW - timedelta(days=n), *notes, n, 1.0, "")
        for n, said in enumerate(_SAID, 1)
    ]


if __name__ == "__main__":
    main()
