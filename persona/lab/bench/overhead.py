"""What a whole turn costs over the bare engine, in paired runs of one process.

A turn: store, retrieve, lay out, generate, store, with an empty prefix cache. Bare: llama-cpp-python's own
`generate` on the very same prompt tokens. End-of-text is ignored in both. Which of the two comes first
changes from pair to pair, so that neither has the warmer machine.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona import gates, machine
from persona.backends.base import ChatMessage, Prompt, Usage
from persona.backends.gguf_header import read_header
from persona.backends.llama_cpp import options
from persona.backends.template import ChatTemplate
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.errors import ModelError
from persona.lab.bench.talk import START

if TYPE_CHECKING:
    from persona.backends.llama_engine import LlamaEngine

Pair = dict[str, Any]


def pairs(engine: Engine, questions: Sequence[str], tokens: int) -> Iterator[Pair]:
    """One pair for each question, as it is done; the first one begins with the whole turn.

    Raises ModelError when a turn and its bare run did not do the same work.
    """
    with ExitStack() as stack:
        # opened by the first bare run, so that the memory of a turn is told without it
        bare = cache(lambda: stack.enter_context(closing(_bare_engine(engine))))
        for number, question in enumerate(questions):
            yield _pair(engine, bare, question, tokens, turn_first=number % 2 == 0)


def figures(done: Sequence[Pair]) -> dict[str, Any]:
    """`overhead_ratio` and the model's speeds in tokens a second, each the median of the pairs; `grade` of
    writing; `peak_mb`, the most memory that was held when the first whole turn had ended."""
    ratio, read, written = (
        statistics.median(pair[key] for pair in done) for key in ("ratio", "prefill_tps", "decode_tps")
    )
    return {
        "prefill_tps": round(read, 1),
        "decode_tps": round(written, 1),
        "grade": gates.grade(written),
        "peak_mb": done[0]["peak_mb"],
        "overhead_ratio": round(ratio, 3),
    }


def _pair(
    engine: Engine, bare: Callable[[], "LlamaEngine"], question: str, tokens: int, *, turn_first: bool
) -> Pair:
    request = TurnRequest(question, max_tokens=tokens, ignore_eos=True, seed=1, thinking=False, now=START)
    prompt = engine.preview(request)[0].prompt
    alone = read = 0.0
    if not turn_first:
        alone, read = _bare(bare(), prompt, tokens)
    _forget(engine)
    whole, ready, finished = _turn(engine, request)
    peak = machine.peak_memory_mb()
    if turn_first:
        alone, read = _bare(bare(), prompt, tokens)
    usage = finished.usage
    if usage is None or ready.prompt != prompt:
        raise _unlike()
    if (usage.prompt_tokens, usage.completion_tokens) != (read, tokens):
        raise _unlike()
    return {
        "ratio": round(whole / alone, 3),
        "first": "turn" if turn_first else "bare",
        "turn_s": round(whole, 3),
        "bare_s": round(alone, 3),
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "memories": len(finished.memories),
        "prefill_tps": round(_read(usage), 1),
        "decode_tps": round(usage.tokens_per_second, 1),
        "peak_mb": peak,
    }


def _unlike() -> ModelError:
    return ModelError(
        "a turn and the bare engine did not run on the same tokens",
        "the question may not fit this model's context: try another model",
    )


def _turn(engine: Engine, request: TurnRequest) -> tuple[float, PromptReady, TurnFinished]:
    """Seconds of one turn in a new chat, the prompt it had, and how it ended."""
    started = time.perf_counter()
    events = list(engine.turn(request))
    seconds = time.perf_counter() - started
    ready = next(event for event in events if isinstance(event, PromptReady))
    finished = next(event for event in events if isinstance(event, TurnFinished))
    return seconds, ready, finished


def _forget(engine: Engine) -> None:
    """Leave nothing of earlier prompts in the prefix cache."""
    engine.backend.prefill(Prompt((ChatMessage("user", "something else"),)), threading.Event())


def _read(usage: Usage) -> float:
    return (usage.prompt_tokens - usage.cached_tokens) / usage.ttft_ms * 1000


def _bare(llama: "LlamaEngine", prompt: Prompt, tokens: int) -> tuple[float, int]:
    """Seconds of `tokens` tokens from the bare engine, its cache empty, and the tokens it read."""
    template = ChatTemplate(llama.metadata["tokenizer.chat_template"])
    ids = llama.encode(template.prompt(prompt.messages, prompt.thinking), template=True)
    llama.reset()
    started = time.perf_counter()
    source = llama.generate(ids, temp=0.7, top_p=0.8, top_k=20, min_p=0.0, repeat_penalty=1.0)
    for _ in range(tokens):
        next(source)
    seconds = time.perf_counter() - started
    source.close()
    return seconds, len(ids)


def _bare_engine(engine: Engine) -> "LlamaEngine":
    from persona.backends.llama_engine import LlamaEngine

    path = Path(engine.backend.info.path)
    return LlamaEngine(str(path), **options(read_header(path), engine.settings.model))
