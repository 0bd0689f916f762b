"""The one contract every engine keeps: typed events out, exact token counts, a prefix cache."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
Reason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message as the chat template takes it; assistant content never holds thinking."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of the prompt, for budgets and for showing the prompt to the user."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked to continue.

    messages: in template order; a trailing assistant message is the canonical history (nothing is
    to be generated: `prefill` only). thinking: whether the model may think first.
    sections: the same text by section, in prompt order. stable: how many leading messages stay the
    same next turn (everything before the volatile tail).
    """

    messages: tuple[ChatMessage, ...]
    thinking: bool = False
    sections: tuple[Section, ...] = ()
    stable: int = 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens. `max_tokens` counts thinking too; `seed` None draws a fresh one.

    ends_rounds: end a reply that only says one stretch over and over, as greedy drawing may for ever.
    schema: a JSON schema as JSON text; the reply is held to it from its first token, so the prompt must
    not let the model think. "" for no such bounds.
    """

    temperature: float
    top_p: float
    top_k: int
    min_p: float = 0.0
    presence_penalty: float = 0.0
    repeat_penalty: float = 1.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    ends_rounds: bool = False
    schema: str = ""


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of the model's thinking, without its tags."""

    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Sent once, just before `Done`. Times in milliseconds; `stable_tokens` is the token length of
    the prompt before the volatile tail, the base over which the cached share is measured."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    ttft_ms: float
    tokens_per_second: float
    stable_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a stream, always its last event."""

    reason: Reason


Event = ThinkingDelta | TextDelta | Usage | Done


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What an engine says about the model it holds. context: tokens the engine was opened with;
    trained_context: tokens the model card states, None where unknown. memory_tokens: most tokens of
    memories that this model reads well, None for no limit of its own. sampling: what its file asks to be
    drawn with, by the names of `Sampling`."""

    name: str
    architecture: str
    parameters: int
    context: int
    trained_context: int | None = None
    memory_tokens: int | None = None
    is_starter: bool = False
    path: str = ""
    details: dict[str, str] = field(default_factory=dict)
    sampling: Mapping[str, float] = field(default_factory=dict)


class Backend(Protocol):
    """An engine with one model loaded. Safe to call from any thread; one generation at a time."""

    @property
    def info(self) -> ModelInfo:
        """The model held."""
        ...

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """Generate. Setting `cancel` ends the stream within one token, and during prefill.

        Raises ModelError when the prompt does not fit the context.
        """
        ...

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """Evaluate the prompt into the prefix cache, generating nothing; tokens newly evaluated."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text, equal to the engine's own count."""
        ...

    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt, template included."""
        ...

    def default_sampling(self, thinking: bool) -> Sampling:
        """The model's own recommended sampling for this mode."""
        ...

    def close(self) -> None:
        """Free the model; the backend cannot be used afterwards."""
        ...
