"""A backend that counts the summaries its model is asked for."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from persona.backends.base import Backend, Event, ModelInfo, Prompt, Sampling, Usage
from persona.chat.abstract import INSTRUCTION


@dataclass(frozen=True, slots=True)
class Summaries:
    """Calls, and the tokens read and written in them."""

    calls: int = 0
    tokens: int = 0

    def __sub__(self, other: "Summaries") -> "Summaries":
        return Summaries(self.calls - other.calls, self.tokens - other.tokens)


class Metered:
    """Keeps the contract of the backend it wraps."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.summaries = Summaries()

    @property
    def info(self) -> ModelInfo:
        """The model held."""
        return self._backend.info

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """As the contract says."""
        if prompt.messages[0].content != INSTRUCTION:
            return self._backend.stream(prompt, sampling, cancel)
        return self._counted(prompt, sampling, cancel)

    def _counted(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        self.summaries = Summaries(self.summaries.calls + 1, self.summaries.tokens)
        for event in self._backend.stream(prompt, sampling, cancel):
            if isinstance(event, Usage):
                tokens = event.prompt_tokens + event.completion_tokens
                self.summaries = Summaries(self.summaries.calls, self.summaries.tokens + tokens)
            yield event

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """As the contract says."""
        return self._backend.prefill(prompt, cancel)

    def count_tokens(self, text: str) -> int:
        """As the contract says."""
        return self._backend.count_tokens(text)

    def count_prompt(self, prompt: Prompt) -> int:
        """As the contract says."""
        return self._backend.count_prompt(prompt)

    def default_sampling(self, thinking: bool) -> Sampling:
        """As the contract says."""
        return self._backend.default_sampling(thinking)

    def close(self) -> None:
        """Free the model."""
        self._backend.close()
