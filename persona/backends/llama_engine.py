"""llama-cpp-python's `Llama` with what it has no argument for. Imports llama_cpp at once, so import
this module inside functions only.

What is mended here:
- Repacked weight buffers pick AMX kernels that die with SIGILL in some virtual machines
  (https://github.com/ggml-org/llama.cpp/issues/28756): `use_extra_bufts` is always off.
- Loading points the process's standard output at /dev/null, which blinds a terminal app that paints
  meanwhile: left out; the engine's log goes to `logging` instead of standard error.
- Prefill of a long prompt takes seconds and cannot be interrupted: `abort_when` stops it.
- How many tokens were evaluated is not told: `evaluated` counts them.
- `detokenize` truncates pieces of more than 32 bytes: `piece` does not.
- `lora_path` takes an adapter that could not be read for a good one, and then dies: `adapt` does not.
- A grammar lets a weak model go on within a text until its reply is cut off: `close_after` ends it in time.
- `draft_model` keeps the scores of every position, 5 GB for Qwen3's vocabulary and a context of 8,192;
  `look_up` needs none but those that llama.cpp has of the guessed tokens anyway.
"""

import contextlib
import ctypes
import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp.llama
from llama_cpp import _internals
from llama_cpp import llama_cpp as lib
from llama_cpp.llama_grammar import LlamaGrammar

from persona.backends import lookup
from persona.backends.grammar import closers, grammar
from persona.backends.local import Aborted
from persona.backends.tokens import shared_prefix

_logger = logging.getLogger("persona.llama_cpp")
_LEVELS = {2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
_ERROR = 4
_FAVOUR = 1e6
_errors: deque[str] = deque(maxlen=4)


def _undisturbed(disable: bool = True) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def _on_log(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    line = text.decode("utf-8", errors="replace").strip()
    if level == _ERROR and line:
        _errors.append(line)
    _logger.log(_LEVELS.get(level, logging.DEBUG), "%s", line)


# Kept for as long as the process lives: the engine calls it from its own threads.
_log = lib.llama_log_callback(_on_log)
llama_cpp.llama.suppress_stdout_stderr = _undisturbed
_internals.suppress_stdout_stderr = _undisturbed
_logger.addHandler(logging.NullHandler())
lib.llama_log_set(_log, ctypes.c_void_p(0))


def last_errors() -> str:
    """The engine's newest error lines, joined: what a failed load has to say."""
    return "; ".join(_errors)


def has_gpu() -> bool:
    """Whether this build of the engine can put layers on a GPU."""
    return bool(lib.llama_supports_gpu_offload())


class LlamaEngine(llama_cpp.llama.Llama):  # type: ignore[misc]
    """One loaded model with one context. Not thread-safe: its owner holds a lock."""

    n_tokens: int
    """Tokens live in the context."""

    evaluated = 0
    """Tokens evaluated since loading."""

    _aborting: Callable[[], bool] | None = None

    _barred: tuple[int, ...] = ()

    _favoured: Sequence[int] = ()

    @property
    def model_params(self) -> Any:
        """The parameters of loading, as handed to the engine."""
        return self._model_params

    @model_params.setter
    def model_params(self, params: Any) -> None:
        params.use_extra_bufts = False
        self._model_params = params

    def adapt(self, file: Path) -> None:
        """Lay a LoRA adapter over the model, until it is closed. Raises ValueError where it does not fit."""
        adapter = lib.llama_adapter_lora_init(self._model.model, str(file).encode())
        if not adapter:
            raise ValueError("it is damaged, or of another model")
        self._stack.callback(lib.llama_adapter_lora_free, adapter)
        adapters = (lib.llama_adapter_lora_p_ctypes * 1)(adapter)
        if lib.llama_set_adapters_lora(self.ctx, adapters, 1, (ctypes.c_float * 1)(1.0)):
            raise ValueError("the engine refuses it")

    def look_up(self) -> None:
        """From now on guess tokens by prompt lookup; nothing for models that cannot take a token back."""
        if not (self._is_recurrent or self._is_hybrid):
            self.draft_model = lookup.guess

    def eval(self, tokens: Sequence[int]) -> None:
        """Evaluate `tokens` after those already live. Raises Aborted."""
        before = self.n_tokens
        try:
            if self.draft_model is not None and 0 < len(tokens) <= 1 + lookup.MOST:
                self._judge(tokens)
            else:
                super().eval(tokens)
        except RuntimeError:
            if self._aborting is None or not self._aborting():
                raise
            if self._is_recurrent or self._is_hybrid:
                self.reset()
            raise Aborted from None
        finally:
            self.evaluated += max(0, self.n_tokens - before)

    def _judge(self, tokens: Sequence[int]) -> None:
        """As `Llama.eval` in one batch, but the next token can be drawn after each of `tokens`."""
        self._ctx.kv_cache_seq_rm(-1, self.n_tokens, -1)
        self._batch.set_batch(batch=tokens, n_past=self.n_tokens, logits_all=True)
        self._ctx.decode(self._batch)
        self.input_ids[self.n_tokens : self.n_tokens + len(tokens)] = tokens
        self.n_tokens += len(tokens)
        self._requires_eval = False

    def generate(
        self,
        tokens: Sequence[int],
        *,
        barred: tuple[int, ...] = (),
        close_after: int | None = None,
        **sampling: Any,
    ) -> Generator[int, None, None]:
        """Token ids without end after `tokens`, none `barred`. sampling: as `Llama.generate` takes it.

        close_after: tokens after which what closes a text, a list or an object in JSON comes first,
        wherever the grammar lets it.
        """
        self._barred, self._favoured = barred, ()
        said: list[bytes] = []
        for token in super().generate(tokens, **sampling):
            if close_after is not None:
                said.append(self.piece(token))
                if len(said) >= close_after:
                    ids = [self.encode(one, template=False) for one in closers(b"".join(said))]
                    self._favoured = [*(one[0] for one in ids if len(one) == 1), self.token_eos()]
            yield token

    def sample(self, *, idx: int | None = None, **sampling: Any) -> int:
        """The next token: barred and favoured ones have their scores before anything else looks at them."""
        scores = lib.llama_get_logits_ith(self.ctx, -1 if idx is None else idx - self.n_tokens)
        for token in self._barred:
            scores[token] = -math.inf
        for behind, token in enumerate(self._favoured, start=1):
            scores[token] += _FAVOUR / behind
        drawn: int = super().sample(idx=idx, **sampling)
        return drawn

    @contextlib.contextmanager
    def abort_when(self, asked: Callable[[], bool]) -> Iterator[None]:
        """Stop evaluations within the block as soon as `asked()` is true.

        The engine asks after every node of its graph; keep the block to prefill, since a generated
        token is over sooner than its nodes have asked.
        """
        callback = lib.ggml_abort_callback(lambda _: asked())
        self._aborting = asked
        lib.llama_set_abort_callback(self.ctx, callback, None)
        try:
            yield
        finally:
            lib.llama_set_abort_callback(self.ctx, lib.ggml_abort_callback(), None)
            self._aborting = None

    def advance(self, tokens: Sequence[int]) -> None:
        """Evaluate what of `tokens` is not yet live, so that a prompt beginning with them starts there."""
        keep = shared_prefix(self.input_ids[: self.n_tokens].tolist(), tokens)
        if keep == len(tokens):
            return
        if self._ctx.kv_cache_seq_rm(-1, keep, -1):
            self.n_tokens = keep
        else:
            # Recurrent and hybrid models cannot forget a part of what they have read.
            self.reset()
        self.eval(tokens[self.n_tokens :])

    def encode(self, text: str, *, template: bool) -> list[int]:
        """Token ids; template: control tokens in `text` count as one."""
        data = text.encode("utf-8", errors="replace")
        ids: list[int] = self.tokenize(data, add_bos=False, special=template)
        return ids

    def ends(self, controls: Iterable[int]) -> frozenset[int]:
        """The tokens that end a reply: those of `controls` that llama.cpp holds for it, and the eos."""
        vocab = self._model.vocab
        ends = {token for token in controls if lib.llama_vocab_is_eog(vocab, token)}
        return frozenset({*ends, self.token_eos()})

    def grammar(self, schema: str) -> LlamaGrammar:
        """The grammar of a JSON schema. Raises ModelError for one that cannot be used."""
        return grammar(schema, self._model.vocab)

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for control tokens."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = lib.llama_token_to_piece(self._model.vocab, token, buffer, size, 0, False)
            if n >= 0:
                return buffer.raw[:n]
            size = -n
