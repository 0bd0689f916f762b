"""The starter's tokenizer: a small byte-level BPE of Qwen3's kind, with Qwen3's special tokens.

It learns from the lessons themselves and from a list of frequent English words, so that ordinary words
it never met in a lesson are still one or two tokens.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from trainer.starter import lessons
from trainer.starter.bank import load
from trainer.starter.world import World

VOCABULARY = 4096
# The pattern of Qwen2 and Qwen3 tokenizers (tokenizer.json of the Qwen3 release, Apache-2.0).
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# (text, is it a control token), in the order of Qwen3's ids from 151643 on.
SPECIAL = (
    *(
        (t, True)
        for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>")
    ),
    *((t, True) for t in ("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>")),
    *(
        (t, True)
        for t in ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
    ),
    *(
        (t, False)
        for t in ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
    ),
    *(
        (t, False)
        for t in ("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>")
    ),
    *((t, False) for t in ("<think>", "</think>")),
)


def train(file: Path, *, seed: int = 0, samples: int = 12_000) -> Tokenizer:
    """Train the tokenizer and write it to `file` as a tokenizer.json."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed, samples), trainer)
    tokenizer.add_tokens([AddedToken(t, special=control, normalized=False) for t, control in SPECIAL])
    file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(file))
    return tokenizer


def _corpus(seed: int, samples: int) -> Iterator[str]:
    """Lessons, then frequent English words weighted by a power of their frequency."""
    from wordfreq import top_n_list, word_frequency

    rng = random.Random(seed)
    bank = load()
    for _ in range(samples):
        for lesson in lessons.sheet(World(rng, bank), 3)[:1]:
            yield from (m.content for m in lesson.prompt.messages[1:])
            yield lesson.task.reply
    for word in top_n_list("en", 8000):
        if word.isalpha():
            times = max(1, round(word_frequency(word, "en") ** 0.6 * 8000))
            yield from [f" {word}"] * times
            yield from [word.capitalize()] * (1 + times // 8)
