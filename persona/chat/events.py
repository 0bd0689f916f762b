"""What a turn is asked with and what it says while it runs: the contract between the engine and its doors."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

from knowledge.records import Memory
from persona.backends.base import Prompt, Reason, TextDelta, ThinkingDelta, Usage
from persona.chat.budget import Budget
from persona.config import Compression

Status = Literal["complete", "partial", "failed"]


class SamplingChanges(TypedDict, total=False):
    """What a request asks for in place of the model's own sampling; as in `Sampling`."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    presence_penalty: float
    stop: tuple[str, ...]
    schema: str


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """One user message. None means: as the settings say (session: start a new one; now: the clock).

    channel: where the correspondent writes, by `channels.Channel.id`; style and memory follow it.
    instructions: what the caller wants of this reply, beside the persona card. With a schema in
    `sampling` the model does not think.
    """

    text: str
    session_id: str | None = None
    thinking: bool | None = None
    compression: Compression | None = None
    memory: bool | None = None
    seed: int | None = None
    now: datetime | None = None
    correspondent: str | None = None
    channel: str | None = None
    max_tokens: int | None = None
    ignore_eos: bool = False
    instructions: str = ""
    sampling: SamplingChanges = field(default_factory=SamplingChanges)


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user's message is stored; nothing else has run yet."""

    session_id: str
    user_turn_id: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The memories this turn is shown, best first; empty when the evidence was too weak."""

    memories: tuple[Memory, ...]


@dataclass(frozen=True, slots=True)
class PromptReady:
    """The exact prompt, its tokens by section, and the budget it must stay within. shares: how the
    window was shared out."""

    prompt: Prompt
    tokens: int
    budget: int
    section_tokens: dict[str, int] = field(default_factory=dict)
    shares: Budget | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The reply as stored. `usage` is None when the engine failed before it could say."""

    session_id: str
    reply_turn_id: str
    text: str
    thinking: str
    status: Status
    usage: Usage | None = None
    memories: tuple[Memory, ...] = ()
    reason: Reason = "stop"


TurnEvent = TurnStarted | Retrieved | PromptReady | ThinkingDelta | TextDelta | TurnFinished
