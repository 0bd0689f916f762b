"""What a whole turn costs over the bare engine, in paired runs of one process.

    python scripts/measure_turn.py MODEL.gguf [--home DIR] [--pairs 7] [--tokens 128]

A turn: store, retrieve, lay out, generate, store, with an empty prefix cache. Bare: `Llama.generate` of
llama-cpp-python on the very same prompt tokens, end-of-text ignored in both. Prints the median ratio.
"""

import argparse
import json
import statistics
import threading
import time
from contextlib import closing
from pathlib import Path

from llama_cpp import Llama

from persona import config, demo
from persona.backends.base import ChatMessage, Prompt
from persona.backends.cores import physical_cores
from persona.backends.template import ChatTemplate
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_engine


def turn(engine: Engine, question: str, tokens: int) -> tuple[float, PromptReady, TurnFinished]:
    """Seconds of one turn in a new chat, the prompt it had, and how it ended."""
    started = time.perf_counter()
    events = list(
        engine.turn(TurnRequest(question, max_tokens=tokens, ignore_eos=True, seed=1, thinking=False))
    )
    seconds = time.perf_counter() - started
    ready = next(e for e in events if isinstance(e, PromptReady))
    finished = next(e for e in events if isinstance(e, TurnFinished))
    return seconds, ready, finished


def bare(llama: Llama, prompt: list[int], tokens: int) -> float:
    """Seconds of `tokens` tokens from the bare engine, its cache empty."""
    llama.reset()
    started = time.perf_counter()
    source = llama.generate(prompt, temp=0.7, top_p=0.8, top_k=20, min_p=0.0, repeat_penalty=1.0)
    for _ in range(tokens):
        next(source)
    seconds = time.perf_counter() - started
    source.close()
    return seconds


def main() -> None:
    """Time pairs of turn and bare run over the demo's questions, and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--home", type=Path, default=Path("runs/sample-home"))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    demo.prepare(options.home)
    ratios = []
    with closing(open_engine(config.load(), model=str(options.model))) as engine:
        engine.load()
        window = engine.backend.info.context
        cores = physical_cores()
        llama = Llama(str(options.model), n_ctx=window, n_threads=cores, n_threads_batch=cores, verbose=False)
        template = ChatTemplate(llama.metadata["tokenizer.chat_template"])
        turn(engine, "hello", 4)
        for number in range(options.pairs):
            engine.backend.prefill(Prompt((ChatMessage("user", "something else"),)), threading.Event())
            question = demo.DEMO_QUESTIONS[number % len(demo.DEMO_QUESTIONS)]
            whole, ready, finished = turn(engine, question, options.tokens)
            text = template.prompt(ready.prompt.messages, ready.prompt.thinking)
            prompt = llama.tokenize(text.encode(), add_bos=False, special=True)
            alone = bare(llama, prompt, options.tokens)
            usage = finished.usage
            assert usage is not None
            assert usage.prompt_tokens == len(prompt)
            assert usage.completion_tokens == options.tokens
            ratios.append(whole / alone)
            figures = {"prompt_tokens": len(prompt), "cached_tokens": usage.cached_tokens}
            print(json.dumps({**figures, "turn_s": round(whole, 3), "bare_s": round(alone, 3)}), flush=True)
    rounded = [round(r, 3) for r in ratios]
    print(json.dumps({"ratio_median": statistics.median(rounded), "ratios": rounded}))


if __name__ == "__main__":
    main()
