"""What a GGUF model takes of memory under llama.cpp, and how much of it fits where.

All from the header, so that nothing has to be loaded to know. `tests/unit/test_fit.py` holds the figures
against llama.cpp's own account.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from persona import gates, machine
from persona.backends.describe import opened_context
from persona.backends.gguf_header import GgufHeader
from persona.config import ModelSettings

CacheType = Literal["f16", "q8_0", "q4_0"]

BATCH = 512
"""Tokens evaluated at once."""

# Bytes of 32 numbers: a block of Q8_0 and Q4_0 is a scale of two bytes and its numbers (ggml-common.h).
_BLOCK = 32
_BLOCK_BYTES: dict[CacheType, int] = {"f16": 64, "q8_0": 34, "q4_0": 18}
_CELLS = 256
"""llama.cpp rounds a context up to a whole number of these."""

_SPARED_ON_A_CARD = 2**30
"""What llama.cpp's own fitting leaves free on each card (`--fit-target`), for its kernels and the desktop."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model takes when it is open.

    weights: all tensors. parts: tensors of the output (first) and of each layer, from the last one to the
    first, which is the order in which llama.cpp puts them on a card. shares: what each of `parts` has of the
    cache, in numbers a token. packs: whether a head is a whole number of blocks, without which nothing can be
    packed. flash: whether f16 is read with flash attention, too; packed caches always are.
    """

    context: int
    weights: int
    parts: tuple[int, ...]
    shares: tuple[int, ...]
    packs: bool
    work_plain: int
    work_flash: int
    flash: bool = False

    @property
    def cache_types(self) -> tuple[CacheType, ...]:
        """What this model's cache can be kept as, from the largest to the smallest."""
        return ("f16", "q8_0", "q4_0") if self.packs else ("f16",)

    def a_token(self, kind: CacheType) -> int:
        """Bytes of the cache for each token of context."""
        return sum(self.shares) * _BLOCK_BYTES[kind] // _BLOCK

    def cache(self, kind: CacheType) -> int:
        """Bytes of the whole cache."""
        return self.a_token(kind) * _cells(self.context)

    def work(self, kind: CacheType) -> int:
        """Bytes of the buffers that results pass through; estimated."""
        return self.work_flash if self.flash or kind != "f16" else self.work_plain

    def total(self, kind: CacheType) -> int:
        """All of it."""
        return self.weights + self.cache(kind) + self.work(kind)

    def on_card(self, kind: CacheType, layers: int) -> int:
        """Bytes of a graphics card with so many layers on it, counted as `n_gpu_layers`."""
        if not layers:
            return 0
        numbers = sum(self.shares[:layers]) * _cells(self.context)
        return sum(self.parts[:layers]) + numbers * _BLOCK_BYTES[kind] // _BLOCK + self.work(kind)


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes there are for a model. memory: of the whole machine, 0 where it does not say. card: of the
    graphics cards that the engine can use; infinite where they do not say, None without any."""

    memory: int
    card: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """How to open a model. layers: for `n_gpu_layers`. whole: whether nothing is left that does not fit."""

    kv_cache: CacheType
    layers: int
    whole: bool


def here(*, offloads: bool) -> Room:
    """This machine's room. offloads: whether the engine was built for a graphics card.

    The whole memory rather than what is free: the same model is then opened in the same way every time, and
    the same seed gives the same reply.
    """
    memory = machine.ram() or 0
    if not offloads:
        return Room(memory)
    free = [card.free for card in machine.gpus() if card.free is not None]
    return Room(memory, sum(max(0, size - _SPARED_ON_A_CARD) for size in free) if free else math.inf)


def opening(header: GgufHeader, settings: ModelSettings, room: Room) -> tuple[Need, Fit]:
    """What the model takes as these settings open it in `room`, and what they leave open."""
    flash = room.card is not None and settings.gpu_layers != 0
    need = needed(header, opened_context(header, settings.context), flash=flash)
    kind = None if settings.kv_cache == "auto" else settings.kv_cache
    return need, fit(
        need, room, kv_cache=kind, layers=None if settings.gpu_layers < 0 else settings.gpu_layers
    )


def needed(header: GgufHeader, context: int, *, flash: bool = False) -> Need:
    """What the model of `header` takes when it is opened with `context` tokens."""
    architecture = header.text("general.architecture")

    def number(key: str) -> int:
        return header.number(f"{architecture}.{key}") or 0

    layers, hidden, heads = number("block_count"), number("embedding_length"), number("attention.head_count")
    usual = hidden // heads if heads else 0
    key = number("attention.key_length") or usual
    value = number("attention.value_length") or usual
    shares = [kv * (key + value) for kv in _kv_heads(header, architecture, layers, heads)]
    tensors = header.tensor_bytes
    blocks = [_of(tensors, f"blk.{n}.") for n in range(layers)]
    # a model without an output of its own uses its embeddings for it, and takes them to the card as well
    output = tensors.get("output.weight") or tensors.get("token_embd.weight", 0)
    vocabulary = len(header.values.get("tokenizer.ggml.tokens", ()))
    cells, wide = _cells(context), number("feed_forward_length")
    # Found by comparing with llama.cpp's own account: scores of a batch over the vocabulary, or its attention
    # over the whole context (with flash attention only a mask), whichever is more, and what is alive beside.
    scores = vocabulary + 2 * hidden
    attention = cells * (heads + 1) + 6 * hidden
    mask = cells // 2 + 3 * wide + 4 * hidden
    return Need(
        context=context,
        weights=sum(tensors.values()),
        parts=(output + tensors.get("output_norm.weight", 0), *reversed(blocks)),
        shares=(0, *reversed(shares)),
        packs=key % _BLOCK == 0 and value % _BLOCK == 0,
        work_plain=4 * BATCH * max(scores, attention),
        work_flash=4 * BATCH * max(scores, mask),
        flash=flash,
    )


def fit(need: Need, room: Room, *, kv_cache: CacheType | None = None, layers: int | None = None) -> Fit:
    """The best that fits; what is given is kept.

    f16 is exact and, on a processor, the quickest; q8_0 takes its place where it is too large. q4_0, the
    least exact, is left to be asked for.
    """
    kinds = (kv_cache,) if kv_cache else need.cache_types[:2]
    if room.card is None or layers == 0:
        most = gates.MOST_MEMORY * room.memory or math.inf
        kind = next((kind for kind in kinds if need.total(kind) <= most), kinds[-1])
        return Fit(kind, layers or 0, need.total(kind) <= most)
    every = len(need.parts)
    wanted = every if layers is None else min(layers, every)
    kind = next((kind for kind in kinds if need.on_card(kind, wanted) <= room.card), kinds[-1])
    held = max(n for n in range(wanted + 1) if need.on_card(kind, n) <= room.card)
    return Fit(kind, held if layers is None else wanted, held == wanted)


def longest_context(header: GgufHeader, settings: ModelSettings, room: Room) -> int:
    """The longest context, in whole thousands, with which the model fits, all else as these settings have it;
    0 for none."""
    most = opened_context(header, settings.context)
    for context in range((most - 1) // 1024 * 1024, 0, -1024):
        shorter = settings.model_copy(update={"context": context})
        if opening(header, shorter, room)[1].whole:
            return context
    return 0


def _cells(context: int) -> int:
    return math.ceil(context / _CELLS) * _CELLS


def _kv_heads(header: GgufHeader, architecture: str, layers: int, heads: int) -> list[int]:
    """Key-value heads of each layer; none where a layer of a hybrid model remembers in another way."""
    given = header.values.get(f"{architecture}.attention.head_count_kv", heads)
    if isinstance(given, list):
        return given
    every = header.number(f"{architecture}.full_attention_interval") or 1
    return [given if (layer + 1) % every == 0 else 0 for layer in range(layers)]


def _of(tensors: Mapping[str, int], prefix: str) -> int:
    return sum(size for name, size in tensors.items() if name.startswith(prefix))
