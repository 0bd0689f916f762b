"""A transformers model as a `TokenEngine`. Imports torch and transformers at once, so import this module
inside functions only.

`generate` of transformers neither stops within a token nor keeps its cache between calls: the loop here is
its `_sample` with both, over the library's own cache and logits processors.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.cache_utils import DynamicCache
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.utils import logging

from persona.backends.local import Aborted
from persona.backends.tokens import byte_of_character, shared_prefix
from persona.errors import ModelError

_BATCH = 512


class TorchEngine:
    """One loaded model with one context. Not thread-safe: its owner holds a lock."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.evaluated = 0
        self._model = model
        self._tokenizer = tokenizer
        self._bytes = byte_of_character()
        self._special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._live: list[int] = []
        self._cache = DynamicCache(config=model.config)
        self._random = torch.Generator()
        self._aborting: Callable[[], bool] | None = None
        for part in model.modules():
            part.register_forward_pre_hook(self._on_forward)

    @property
    def parameters(self) -> int:
        """How many weights it has; packed ones count as what they stand for."""
        return int(self._model.num_parameters())

    def set_seed(self, seed: int) -> None:
        """What the next tokens are drawn with."""
        self._random.manual_seed(seed)

    def grammar(self, schema: str) -> Any:
        """Not offered by this engine: raises ModelError."""
        raise ModelError(
            "this engine cannot hold a reply to a JSON schema", "use the model as a GGUF file, or a server"
        )

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for control tokens."""
        if token in self._special:
            return b""
        text = self._tokenizer.convert_ids_to_tokens(token) or ""
        if token in self._tokenizer.added_tokens_decoder:
            return bytes(text.encode())
        if all(character in self._bytes for character in text):
            return bytes(self._bytes[character] for character in text)
        if text.startswith("<0x") and len(text) == 6:
            return bytes([int(text[3:5], 16)])
        return bytes(text.replace("▁", " ").encode())

    @contextlib.contextmanager
    def abort_when(self, asked: Callable[[], bool]) -> Iterator[None]:
        """Within the block an evaluation raises Aborted as soon as `asked()` is true."""
        self._aborting = asked
        try:
            yield
        finally:
            self._aborting = None

    def advance(self, tokens: Sequence[int]) -> None:
        """Evaluate what of `tokens` is not yet live. Raises Aborted."""
        keep = shared_prefix(self._live, tokens)
        if keep < len(tokens):
            self._keep(keep)
            self._evaluate(tokens[len(self._live) :])

    def generate(
        self,
        tokens: Sequence[int],
        *,
        barred: tuple[int, ...] = (),
        close_after: int | None = None,
        **sampling: Any,
    ) -> Generator[int, None, None]:
        """Token ids without end after `tokens`, none `barred`. sampling: as `Llama.generate` takes it.

        close_after: for grammars, of which there are none here.
        """
        warp, presence = _processors(sampling), float(sampling.get("presence_penalty") or 0)
        greedy = not sampling.get("temp")
        said: list[int] = []
        # the last token is always read again: its logits were not kept
        self._keep(min(shared_prefix(self._live, tokens), len(tokens) - 1))
        logits = self._evaluate(tokens[len(self._live) :])
        while True:
            scores = logits.float().cpu().unsqueeze(0).clone()
            scores[0, list(barred)] = -torch.inf
            if presence and said:
                scores[0, list(set(said))] -= presence
            context = torch.tensor([[*tokens, *said]])
            scores = warp(context, scores)[0]
            if greedy:
                token = int(scores.argmax())
            else:
                token = int(torch.multinomial(scores.softmax(-1), 1, generator=self._random))
            said.append(token)
            yield token
            logits = self._evaluate([token])

    def close(self) -> None:
        """Free the model."""
        self._model = self._cache = None
        self._live = []
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _keep(self, count: int) -> None:
        """Leave the first `count` tokens in the cache, or none where the model's cache cannot be cut."""
        if count == len(self._live):
            return
        if count:
            # a window that has slid, and a recurrent state, cannot forget a part of what they have read
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError, AttributeError):
                # layer by layer: after an abort some have read more than others
                for layer in self._cache.layers:
                    if (more := layer.get_seq_length() - count) > 0:
                        layer.crop(-more)
                self._live = self._live[:count]
                return
        self._cache = DynamicCache(config=self._model.config)
        self._live = []

    @torch.inference_mode()
    def _evaluate(self, tokens: Sequence[int]) -> torch.Tensor:
        """The logits after `tokens`, which follow those already live. Raises Aborted."""
        logits = torch.empty(0)
        for start in range(0, len(tokens), _BATCH):
            batch = list(tokens[start : start + _BATCH])
            before = len(self._live)
            try:
                ids = torch.tensor([batch], device=self._model.device)
                out = self._model(
                    input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=1
                )
            except BaseException:
                # some layers have read the batch, others have not
                self._live = [*self._live, *batch]
                self._keep(before)
                raise
            self._live += batch
            self.evaluated += len(batch)
            logits = out.logits[0, -1]
        return logits

    def _on_forward(self, *_: Any) -> None:
        if self._aborting is not None and self._aborting():
            raise Aborted


def load(folder: Path, *, adapter: Path | None, four_bit: bool, gpu: bool) -> Any:
    """The model of a folder, with a PEFT adapter laid on. Raises ModelError."""
    cuda = gpu and torch.cuda.is_available()
    if four_bit and not cuda:
        raise ModelError("4 bits need a CUDA card", "set `model.four_bit` to false, or take a GGUF file")
    device = "cuda" if cuda else "mps" if gpu and torch.backends.mps.is_available() else "cpu"
    logging.disable_progress_bar()
    packed = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        # half precision on a CPU is emulated, and slower than single
        dtype=torch.float32 if device == "cpu" else torch.bfloat16,
        device_map={"": device} if four_bit else None,
        quantization_config=packed if four_bit else None,
        local_files_only=True,
        trust_remote_code=False,
    )
    if adapter:
        model.load_adapter(str(adapter))
    return (model if four_bit else model.to(device)).eval()


def _processors(sampling: dict[str, Any]) -> LogitsProcessorList:
    """What shapes the scores, in the order of llama.cpp; nothing of it when greedy."""
    found: list[Any] = []
    if (penalty := sampling.get("repeat_penalty", 1.0)) != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(penalty))
    if temperature := sampling.get("temp"):
        if top_k := sampling.get("top_k"):
            found.append(TopKLogitsWarper(top_k))
        if (top_p := sampling.get("top_p", 1.0)) < 1.0:
            found.append(TopPLogitsWarper(top_p))
        if min_p := sampling.get("min_p"):
            found.append(MinPLogitsWarper(min_p))
        found.append(TemperatureLogitsWarper(temperature))
    return LogitsProcessorList(found)
