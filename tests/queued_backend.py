"""A backend that says what a test put into its queue: for tests that must control the words.

It keeps the whole contract, counts a token for each word or mark, and remembers every prompt.
"""

import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from persona.backends.base import (
    Done,
    Event,
    ModelInfo,
    Prompt,
    Sampling,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from persona.chat.abstract import INSTRUCTION

_TOKEN = re.compile(r"\w+|[^\w\s]|\n")


@dataclass
class QueuedBackend:
    """Put deltas, exceptions or callables into `say`; None ends a reply."""

    context: int = 400
    trained: int | None = None
    say: "queue.Queue[Event | Exception | None]" = field(default_factory=queue.Queue)
    prompts: list[Prompt] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    prefilled: list[Prompt] = field(default_factory=list)
    prefilling: threading.Event = field(default_factory=threading.Event)
    hold_prefill: bool = False
    closed: bool = False
    first_ms: float = 1.0
    """What it says that the first token took."""
    summarise: Callable[[Prompt], str] | None = None
    """What is said to a summary prompt, in place of the queue."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("queued", "qwen3", 1, self.context, self.trained)

    def reply(self, *words: str, thinking: str = "") -> None:
        """Queue a whole reply."""
        if thinking:
            self.say.put(ThinkingDelta(thinking))
        for word in words:
            self.say.put(TextDelta(word))
        self.say.put(None)

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        said = 0
        if self.summarise is not None and prompt.messages[0].content == INSTRUCTION:
            yield TextDelta(self.summarise(prompt))
            yield Done("cancelled" if cancel.is_set() else "stop")
            return
        while not cancel.is_set():
            event = self.say.get(timeout=20)
            if event is None:
                break
            if isinstance(event, Exception):
                raise event
            said += 1
            yield event
        yield Usage(self.count_prompt(prompt), 0, said, self.first_ms, 100.0, 0)
        yield Done("cancelled" if cancel.is_set() else "stop")

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        self.prefilled.append(prompt)
        self.prefilling.set()
        if self.hold_prefill:
            assert cancel.wait(20), "nobody interrupted the prefill"
        return self.count_prompt(prompt)

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def count_prompt(self, prompt: Prompt) -> int:
        asks = prompt.messages[-1].role == "user"
        return sum(self.count_tokens(m.content) + 4 for m in prompt.messages) + 3 * asks

    def default_sampling(self, thinking: bool) -> Sampling:
        return Sampling(temperature=0.6 if thinking else 0.7, top_p=0.9, top_k=20)

    def close(self) -> None:
        self.closed = True
