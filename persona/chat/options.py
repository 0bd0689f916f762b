"""What a turn is run with: its request, and the settings where the request leaves something open."""

from dataclasses import dataclass, replace
from datetime import datetime

from persona.backends.base import Sampling
from persona.chat.events import TurnRequest
from persona.chat.manager import Draft
from persona.config import Compression, Settings

FACT_TOKENS = 160
"""Most tokens of facts of this chat that are looked up for a question while the archive is off."""


@dataclass(frozen=True, slots=True)
class Options:
    """A request laid over the settings."""

    request: TurnRequest
    settings: Settings

    @property
    def thinks(self) -> bool:
        """Whether the model may think first; under a schema it must not."""
        if self.request.sampling.get("schema"):
            return False
        asked = self.request.thinking
        return self.settings.chat.thinking if asked is None else asked

    @property
    def remembers(self) -> bool:
        """Whether the archive is asked."""
        return self.settings.memory.enabled if self.request.memory is None else self.request.memory

    @property
    def compression(self) -> Compression:
        """How turns above the high mark are folded."""
        return self.request.compression or self.settings.chat.compression

    @property
    def folds(self) -> bool:
        """Whether turns that leave the prompt stay to be found."""
        return self.compression != "off"

    @property
    def reply_tokens(self) -> int:
        """Longest reply, thinking included."""
        return self.request.max_tokens or self.settings.chat.reply_tokens

    @property
    def memory_tokens(self) -> int:
        """Room for memories. What the user told in this chat is served with the archive off, too."""
        most = self.settings.memory.budget_tokens
        if self.remembers:
            return most
        return min(most, FACT_TOKENS) if self.folds else 0

    @property
    def style_tokens(self) -> int:
        """Room for examples of style."""
        return self.settings.memory.style_tokens if self.remembers else 0

    def draft(self, session_id: str, before: int | None = None) -> Draft:
        """What the prompt is for. before: only exchanges before this number are history."""
        request = self.request
        return Draft(
            session_id=session_id,
            message=request.text,
            now=aware(request.now or datetime.now()),
            compression=self.compression,
            reply_tokens=self.reply_tokens,
            memory_tokens=self.memory_tokens,
            thinking=self.thinks,
            partner=request.correspondent,
            before=before,
            instructions=request.instructions,
            style_tokens=self.style_tokens,
            # what is to come out the same again must not depend on how fast it went
            paced=request.seed is None,
        )

    def sampling(self, own: Sampling, room: int) -> Sampling:
        """How to draw tokens: the model's `own` way, but for what was asked. room: tokens left for it."""
        return replace(
            replace(own, **self.request.sampling),
            max_tokens=min(self.reply_tokens, room),
            seed=self.request.seed,
            ignore_eos=self.request.ignore_eos,
        )


def aware(moment: datetime) -> datetime:
    """The moment with its own offset, else this machine's."""
    return moment if moment.tzinfo else moment.astimezone()
