"""What every engine in this process shares: one context, one generation at a time, cancelling, counting.

Renders the model's own chat template, draws token by token and splits thinking from text. Knows no engine:
`TokenEngine` says what it asks of one.
"""

import codecs
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from persona.backends.base import Done, Event, ModelInfo, Prompt, Sampling, Usage
from persona.backends.rounds import goes_round
from persona.backends.sampling import family, recommended
from persona.backends.template import ChatTemplate
from persona.backends.thinking import OPEN, ThinkingSplitter
from persona.backends.tokens import shared_prefix
from persona.errors import ModelError

_WAIT_SECONDS = 0.05
_CLOSE_SECONDS = 10.0


class Aborted(Exception):
    """An evaluation was stopped by `abort_when`; what was evaluated before stays usable."""


class TokenEngine(Protocol):
    """One loaded model with one context that keeps what it evaluated. Not thread-safe."""

    @property
    def evaluated(self) -> int:
        """Tokens evaluated since loading."""
        ...

    def abort_when(self, asked: Callable[[], bool]) -> AbstractContextManager[None]:
        """Within the block an evaluation raises Aborted as soon as `asked()` is true."""
        ...

    def advance(self, tokens: Sequence[int]) -> None:
        """Evaluate what of `tokens` is not yet live, so that a prompt beginning with them starts there."""
        ...

    def generate(
        self,
        tokens: Sequence[int],
        *,
        barred: tuple[int, ...] = (),
        close_after: int | None = None,
        **sampling: Any,
    ) -> Generator[int, None, None]:
        """Token ids without end after `tokens`, none of them `barred`; closing it ends it.

        close_after: tokens after which JSON that a grammar holds is brought to its end.
        """
        ...

    def set_seed(self, seed: int) -> None:
        """What the next tokens are drawn with."""
        ...

    def grammar(self, schema: str) -> Any:
        """What holds a reply to a JSON schema. Raises ModelError for one that cannot be used."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for control tokens."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class LocalBackend:
    """A model in this process; keeps the `Backend` contract.

    encode: token ids of a text, which a chat template rendered or not. ends: the tokens that end a reply.
    tags: template tags that never belong to one. pieces: bytes of tokens that the engine has none for.
    """

    def __init__(
        self,
        engine: TokenEngine,
        info: ModelInfo,
        template: ChatTemplate,
        encode: Callable[[str, bool], list[int]],
        *,
        ends: frozenset[int],
        tags: tuple[str, ...],
        pieces: Mapping[int, bytes],
    ) -> None:
        self._engine = engine
        self._info = info
        self._template = template
        self._encoder = encode
        self._ends = ends
        self._tags = tags
        self._pieces = dict(pieces)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        opening = encode(OPEN, True)
        self._opening = tuple(opening) if len(opening) == 1 else ()
        """What opens a thought, where the model has a token for it: barred from replies without thinking."""

    @property
    def info(self) -> ModelInfo:
        """The model held."""
        return self._info

    def default_sampling(self, thinking: bool) -> Sampling:
        """The model's own recommended sampling for this mode."""
        info = self._info
        name = family(info.architecture, is_starter=info.is_starter)
        return recommended(name, thinking=thinking, asked=info.sampling)

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text; template tokens in it count as the words they are spelled with."""
        return len(self._encode(text, template=False))

    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt: with the generation prompt when it asks for a reply."""
        return len(self._encode(self._text(prompt), template=True))

    def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
        """Generate. Closing the iterator ends the generation, too.

        Raises ModelError when the prompt does not fit the context, or the engine fails.
        """
        reply = _Reply(time.perf_counter())
        with self._turn(cancel) as mine:
            if mine:
                yield from self._generate(prompt, sampling, cancel, reply)
            else:
                reply.reason = "cancelled"
        yield reply.usage()
        yield Done(reply.reason)

    def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
        """Evaluate the prompt's history into the prefix cache; tokens newly evaluated.

        What was evaluated before `cancel` stays in the cache. Raises ModelError as `stream` does.
        """
        with self._turn(cancel) as mine:
            if not mine:
                return 0
            tokens = self._fitting(self._template.history(prompt.messages, prompt.thinking))
            before = self._engine.evaluated
            with self._prefilling(cancel):
                self._engine.advance(tokens)
            return self._engine.evaluated - before

    def close(self) -> None:
        """Stop what is running and free the model."""
        self._closing.set()
        # A reader that neither goes on nor closes its stream keeps the context: the process's end frees it.
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            self._engine.close()
            self._lock.release()

    def _generate(
        self, prompt: Prompt, sampling: Sampling, cancel: threading.Event, reply: "_Reply"
    ) -> Iterator[Event]:
        text = self._template.prompt(prompt.messages, prompt.thinking)
        tokens = self._fitting(text)
        reply.prompt_tokens = len(tokens)
        limit = min(sampling.max_tokens, self._info.context - len(tokens))
        close_after = self._closes_after(sampling.schema, limit)
        ends = frozenset[int]() if sampling.ignore_eos else self._ends
        inside = text.rstrip().endswith(OPEN)
        splitter = ThinkingSplitter(
            thinking=prompt.thinking, inside=inside, tags=self._tags, stops=sampling.stop
        )
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        before = self._engine.evaluated
        barred = () if prompt.thinking else self._opening
        source = self._draw(tokens, sampling, barred=barred, close_after=close_after)
        token: int | None = None
        said: list[int] = []
        ends_rounds = sampling.ends_rounds and not (sampling.ignore_eos or sampling.schema)
        try:
            with self._prefilling(cancel):
                token = next(source)
                reply.begin(cached=len(tokens) - (self._engine.evaluated - before))
            while token is not None and token not in ends:
                reply.completion_tokens += 1
                yield from splitter.feed(decode(self._piece(token)))
                said.append(token)
                if splitter.stopped or (ends_rounds and goes_round(said)):
                    break
                if reply.completion_tokens >= limit:
                    reply.reason = "length"
                    break
                if self._stopped(cancel):
                    token = None
                    break
                asked = time.perf_counter()
                token = next(source)
                reply.decode_seconds += time.perf_counter() - asked
        finally:
            source.close()
        if token is None:
            reply.reason = "cancelled"
        elif close_after is not None and reply.completion_tokens > close_after:
            reply.reason = "length"  # whole JSON, but not all that the model would have put into it
        yield from splitter.feed(decode(b"", final=True))
        yield from splitter.finish()
        reply.stable_tokens = self._stable_tokens(prompt, tokens)

    def _closes_after(self, schema: str, limit: int) -> int | None:
        """Tokens after which a reply under `schema` must come to its end to be whole at `limit`.

        What the schema itself takes is room for the rest of it; None for a reply under none.
        """
        return limit - min(limit // 2, len(self._encode(schema, template=False))) if schema else None

    def _draw(
        self, tokens: list[int], sampling: Sampling, *, barred: tuple[int, ...], close_after: int | None
    ) -> Generator[int, None, None]:
        """Token ids without end; nothing is evaluated before the first is asked for."""
        self._engine.set_seed(secrets.randbits(32) if sampling.seed is None else sampling.seed)
        source: Generator[int, None, None] = self._engine.generate(
            tokens,
            temp=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            presence_penalty=sampling.presence_penalty,
            repeat_penalty=sampling.repeat_penalty,
            grammar=self._engine.grammar(sampling.schema) if sampling.schema else None,
            barred=barred,
            close_after=close_after,
        )
        return source

    @contextmanager
    def _turn(self, cancel: threading.Event) -> Iterator[bool]:
        """Have the context to oneself; False when cancelled while waiting for it."""
        while not self._lock.acquire(timeout=_WAIT_SECONDS):
            if self._stopped(cancel):
                yield False
                return
        try:
            if self._closing.is_set():
                raise ModelError("the model was closed", "open it again")
            yield True
        except RuntimeError as error:
            raise ModelError(
                f"the engine failed: {error}", "try a smaller model or a smaller `model.context`"
            ) from error
        finally:
            self._lock.release()

    @contextmanager
    def _prefilling(self, cancel: threading.Event) -> Iterator[None]:
        """Evaluate prompt tokens; the block ends early and quietly when cancelled."""
        with suppress(Aborted), self._engine.abort_when(lambda: self._stopped(cancel)):
            yield

    def _stopped(self, cancel: threading.Event) -> bool:
        return cancel.is_set() or self._closing.is_set()

    def _text(self, prompt: Prompt) -> str:
        if prompt.messages and prompt.messages[-1].role == "user":
            return self._template.prompt(prompt.messages, prompt.thinking)
        return self._template.history(prompt.messages, prompt.thinking)

    def _fitting(self, text: str) -> list[int]:
        """The tokens of rendered text. Raises ModelError when they leave no room in the context."""
        tokens = self._encode(text, template=True)
        if len(tokens) >= self._info.context:
            raise ModelError(
                f"the prompt has {len(tokens)} tokens and the context holds {self._info.context}",
                "shorten the message, lower `memory.budget_tokens`, or raise `model.context`",
            )
        return tokens

    def _stable_tokens(self, prompt: Prompt, tokens: list[int]) -> int:
        if not prompt.stable:
            return 0
        text = self._template.history(prompt.messages[: prompt.stable], prompt.thinking)
        return shared_prefix(self._encode(text, template=True), tokens)

    def _encode(self, text: str, *, template: bool) -> list[int]:
        return self._encoder(text, template)

    def _piece(self, token: int) -> bytes:
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._engine.piece(token)
        return piece


@dataclass(slots=True)
class _Reply:
    """The figures of one reply while it runs."""

    started: float
    reason: Literal["stop", "length", "cancelled"] = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    stable_tokens: int = 0
    ttft_ms: float = 0.0
    decode_seconds: float = 0.0

    def begin(self, *, cached: int) -> None:
        """The first token is there; `cached` prompt tokens needed no evaluation."""
        self.cached_tokens = cached
        self.ttft_ms = (time.perf_counter() - self.started) * 1000

    def usage(self) -> Usage:
        decoded = self.completion_tokens - 1
        speed = decoded / self.decode_seconds if decoded > 0 and self.decode_seconds > 0 else 0.0
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=self.completion_tokens,
            ttft_ms=self.ttft_ms,
            tokens_per_second=speed,
            stable_tokens=self.stable_tokens,
        )
