"""Exact and fast token counts: a `tiktoken.Encoding` built from a GGUF's own vocabulary.

Valid only for byte-level BPE whose tokens are numbered in the order of their merges, which holds for
Qwen's; then merging the pair with the lowest token number is merging by the merge list. Anything
else is left to the engine's own tokenizer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from persona.backends.gguf_header import GgufHeader

if TYPE_CHECKING:
    import tiktoken

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4

# Pre-tokenizers as llama.cpp defines them, by `tokenizer.ggml.pre`. Qwen's own pattern ignores case by
# Unicode rules, llama.cpp's by ASCII letters only; the engine's is what counts.
_PATTERNS = {
    "qwen2": (
        r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
        r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}

TURN_ENDS = frozenset(
    "</s> <end_of_turn> <end_of_utterance> <EOT> _<EOT> [EOT] <｜end▁of▁sentence｜> <|eot_id|> <|im_end|> "
    "<|end|> <|endoftext|> <|end_of_text|> <|eom_id|>".split()
)
"""What llama.cpp takes for an end of turn, and so for a control token, whatever the file says of it."""


class Vocabulary:
    """Encodes text as the engine would."""

    def __init__(self, encoding: "tiktoken.Encoding", plain: frozenset[str]) -> None:
        self._encoding = encoding
        self._plain = plain

    def encode(self, text: str, *, template: bool) -> list[int]:
        """Token ids. template: the text was rendered by a chat template, so control tokens count as
        one; else they are words, and only tokens defined by the user (`<think>`) count as one."""
        special = self._encoding.special_tokens_set if template else self._plain
        return self._encoding.encode(text, allowed_special=special, disallowed_special=())


def shared_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    shared = min(len(a), len(b))
    return next((i for i in range(shared) if a[i] != b[i]), shared)


def token_text(header: GgufHeader, key: str) -> str:
    """The text of the token whose id is under `key`; empty where there is none."""
    token = header.number(key)
    tokens = header.values.get("tokenizer.ggml.tokens", [])
    return tokens[token] if token is not None and 0 <= token < len(tokens) else ""


def control_tokens(header: GgufHeader) -> dict[str, int]:
    """Control tokens by text: those that never belong to a reply."""
    tokens = header.values.get("tokenizer.ggml.tokens", [])
    kinds = header.values.get("tokenizer.ggml.token_type", [])
    return {t: i for i, (t, kind) in enumerate(zip(tokens, kinds, strict=False)) if kind == _CONTROL}


def build_vocabulary(header: GgufHeader) -> Vocabulary | None:
    """The vocabulary of a model, None where it is of another kind or out of order."""
    import tiktoken

    pattern = _PATTERNS.get(header.text("tokenizer.ggml.pre"))
    tokens = header.values.get("tokenizer.ggml.tokens")
    kinds = header.values.get("tokenizer.ggml.token_type")
    if header.text("tokenizer.ggml.model") != "gpt2" or not (pattern and tokens and kinds):
        return None
    ids = {text: i for i, text in enumerate(tokens) if kinds[i] == _NORMAL}
    if not _in_merge_order(ids, header.values.get("tokenizer.ggml.merges", [])):
        return None
    to_byte = byte_of_character()
    try:
        ranks = {bytes(map(to_byte.__getitem__, text)): i for text, i in ids.items()}
    except KeyError:
        return None
    special = {
        text: i for i, text in enumerate(tokens) if kinds[i] in (_CONTROL, _USER_DEFINED) or text in TURN_ENDS
    }
    # Longest first: where one is the beginning of another the engine takes the longer.
    special = dict(sorted(special.items(), key=lambda item: -len(item[0])))
    encoding = tiktoken.Encoding(
        header.text("general.name", "gguf"), pat_str=pattern, mergeable_ranks=ranks, special_tokens=special
    )
    return Vocabulary(encoding, frozenset(t for t, i in special.items() if kinds[i] == _USER_DEFINED))


def byte_of_character() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes, by character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(hidden)}


def _in_merge_order(ids: dict[str, int], merges: list[str]) -> bool:
    """All 256 bytes come first, then exactly one token for each merge, in the same order."""
    if len(ids) != 256 + len(merges):
        return False
    last = max((ids.get(c, len(ids)) for c in byte_of_character()), default=0)
    for merge in merges:
        left, _, right = merge.partition(" ")
        made = ids.get(left + right, -1)
        if made <= last:
            return False
        last = made
    return True
