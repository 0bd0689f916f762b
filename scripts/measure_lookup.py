"""What prompt lookup brings: the same prompts with `model.speculative` off and on, temperature 0, in turn.

    python scripts/measure_lookup.py                    # the starter on the sample twin's questions
    python scripts/measure_lookup.py --model PATH.gguf --home HOME   # chats are added to a home that is given

Prints how many replies are the same word for word, the speed of writing.
"""

import argparse
import statistics
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sample_home import home

from persona import config, models
from persona.backends.base import Backend, Prompt, Sampling, TextDelta, Usage
from persona.chat.events import PromptReady, TurnRequest
from persona.chat.opening import open_engine
from trainer.starter.evaluate import questions

HOW = ("off", "prompt_lookup")


def main() -> None:
    """Collect the prompts, then let both answer each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=96, help="most of each reply")
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    with home(asked.home):
        settings = config.load().model.model_copy(update={"name": asked.model})
        prompts = collect(asked.questions)
        left, right = (models.open_backend(settings.model_copy(update={"speculative": how})) for how in HOW)
        with closing(left), closing(right):
            pairs = [[reply(one, prompt, asked.tokens) for one in (left, right)] for prompt in prompts]
    same = sum(plain[0] == guessed[0] for plain, guessed in pairs)
    print(f"{same} of {len(pairs)} replies are the same")
    for place, how in enumerate(HOW):
        used = [pair[place][1] for pair in pairs]
        speeds = [one.tokens_per_second for one in used if one.completion_tokens > 1]
        tokens = sum(one.completion_tokens for one in used)
        seconds = sum(
            (one.completion_tokens - 1) / one.tokens_per_second for one in used if one.tokens_per_second
        )
        median = statistics.median(speeds)
        print(f"{how}: {median:.1f} tokens a second at the median, {tokens / seconds:.1f} over all")


def collect(most: int) -> list[Prompt]:
    """The prompts that the sample questions make, memories and all."""
    with closing(open_engine(config.load())) as engine:
        found = []
        for row in questions()[:most]:
            request = TurnRequest(
                row["question"], thinking=False, max_tokens=1, seed=1, now=datetime.fromisoformat(row["now"])
            )
            found += [event.prompt for event in engine.turn(request) if isinstance(event, PromptReady)]
    return found


def reply(backend: Backend, prompt: Prompt, tokens: int) -> tuple[str, Usage]:
    """The likeliest reply, and what it took."""
    sampling = Sampling(temperature=0, top_p=1, top_k=0, max_tokens=tokens, seed=1)
    events = list(backend.stream(prompt, sampling, threading.Event()))
    usage = next(event for event in events if isinstance(event, Usage))
    return "".join(event.text for event in events if isinstance(event, TextDelta)), usage


if __name__ == "__main__":
    main()
