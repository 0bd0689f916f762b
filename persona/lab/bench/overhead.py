"""What a whole turn costs over the bare engine, in paired runs of one process.

A turn: store, retrieve, lay out, generate, store, with an empty prefix cache. Bare: llama-cpp-python's own
`generate` on the very same prompt tokens. End-of-text is ignored in both.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona.backends.base import Prompt
from persona.backends.gguf_header import read_header
from persona.backends.llama_cpp import options
from persona.backends.template import ChatTemplate
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.errors import ModelError
from persona.lab.bench.speed import forget

if TYPE_CHECKING:
    from persona.backends.llama_engine import LlamaEngine


def measure(
    engine: Engine, questions: Sequence[str], tokens: int, done: Callable[[], object]
) -> dict[str, Any]:
    """`overhead_ratio`, the median over one pair for each question, and the pairs themselves.

    Raises ModelError when a turn and its bare run did not do the same work.
    """
    pairs = []
    with closing(_bare_engine(engine)) as llama:
        template = ChatTemplate(llama.metadata["tokenizer.chat_template"])
        for question in questions:
            forget(engine)
            whole, ready, finished = turn(engine, question, tokens)
            alone, read = _bare(llama, template, ready.prompt, tokens)
            usage = finished.usage
            if usage is None or (usage.prompt_tokens, usage.completion_tokens) != (read, tokens):
                raise ModelError(
                    "a turn and the bare engine did not run on the same tokens",
                    "the question may not fit this model's context: try another model",
                )
            pairs.append(
                {
                    "ratio": round(whole / alone, 3),
                    "turn_s": round(whole, 3),
                    "bare_s": round(alone, 3),
                    "prompt_tokens": read,
                    "cached_tokens": usage.cached_tokens,
                    "memories": len(finished.memories),
                }
            )
            done()
    return {"overhead_ratio": statistics.median(pair["ratio"] for pair in pairs), "overhead": pairs}


def turn(engine: Engine, question: str, tokens: int) -> tuple[float, PromptReady, TurnFinished]:
    """Seconds of one turn in a new chat, the prompt it had, and how it ended."""
    request = TurnRequest(question, max_tokens=tokens, ignore_eos=True, seed=1, thinking=False)
    started = time.perf_counter()
    events = list(engine.turn(request))
    seconds = time.perf_counter() - started
    ready = next(event for event in events if isinstance(event, PromptReady))
    finished = next(event for event in events if isinstance(event, TurnFinished))
    return seconds, ready, finished


def _bare(llama: "LlamaEngine", template: ChatTemplate, prompt: Prompt, tokens: int) -> tuple[float, int]:
    """Seconds of `tokens` tokens from the bare engine, its cache empty, and the tokens it read."""
    text = template.prompt(prompt.messages, prompt.thinking)
    ids = llama.encode(text, template=True)
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
