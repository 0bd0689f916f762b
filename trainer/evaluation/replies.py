"""What a model answers to held-out prompts under the run time's own backend, and how to judge it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from persona.backends.base import TextDelta, ThinkingDelta, Usage
from persona.config import ModelSettings
from persona.models import open_backend
from trainer.dataset.facts import DONT_KNOW
from trainer.dataset.rows import Row

_LONGEST = 160
_SLACK = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """silent: tokens that were generated and are in neither text nor thinking: a hidden think block."""

    text: str
    thinking: str
    silent: int


def answer(
    model: Path,
    rows: Sequence[Row],
    *,
    memory: bool,
    thinking: bool,
    tick: Callable[[], object],
    longest: int = _LONGEST,
) -> list[Reply]:
    """One reply for each row, by the model's own sampling with a fixed seed."""
    cancel = threading.Event()
    replies = []
    with closing(open_backend(ModelSettings(name=str(model)))) as backend:
        sampling = replace(backend.default_sampling(thinking), max_tokens=longest, seed=1)
        for row in rows:
            shown = row if memory else row.without_memories()
            text, thought, used = "", "", 0
            for event in backend.stream(replace(shown, thinking=thinking).prompt, sampling, cancel):
                match event:
                    case TextDelta():
                        text += event.text
                    case ThinkingDelta():
                        thought += event.text
                    case Usage():
                        used = event.completion_tokens
                    case _:
                        pass
            said = backend.count_tokens(text) + backend.count_tokens(thought)
            replies.append(Reply(text, thought, max(0, used - said - _SLACK)))
            tick()
    return replies


def recalled(rows: Sequence[Row], replies: Sequence[Reply]) -> float | None:
    """Share of replies that hold one of the words that prove the memory was read."""
    return _share(
        any(word.casefold() in reply.text.casefold() for word in row.expect)
        for row, reply in zip(rows, replies, strict=True)
    )


def abstained(replies: Sequence[Reply]) -> float | None:
    """Share of replies that say they do not know."""
    return _share(bool(DONT_KNOW.search(reply.text)) for reply in replies)


def thought(replies: Sequence[Reply]) -> float | None:
    """Share of replies with thinking before them."""
    return _share(bool(reply.thinking.strip()) for reply in replies)


def silent(replies: Sequence[Reply]) -> float | None:
    """Share of replies that hide no thinking."""
    return _share(reply.silent == 0 for reply in replies)


def repeated(rows: Sequence[Row], replies: Sequence[Reply]) -> float | None:
    """Share of replies that are word for word what was trained on."""
    return _share(row.reply.split() == reply.text.split() for row, reply in zip(rows, replies, strict=True))


def _share(found: Iterable[bool]) -> float | None:
    values = list(found)
    return round(sum(values) / len(values), 4) if values else None
