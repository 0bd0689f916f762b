"""Lessons as token ids: the same layout and chat template as at run time, plus the reply to learn."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from persona.backends.template import ChatTemplate
from persona.chat.layout import build
from trainer.starter import lessons
from trainer.starter.bank import Bank
from trainer.starter.world import World


@dataclass(frozen=True, slots=True)
class Row:
    """ids: prompt and reply. start: index of the first token of the reply (thinking included)."""

    ids: list[int]
    start: int
    kind: str


def encode(lesson: lessons.Lesson, tokenizer: Tokenizer, template: ChatTemplate) -> Row:
    """One lesson as a row; what follows `start` is what the model must say, the end token included."""
    prompt = build(lesson.scene)
    head = template.prompt(prompt.messages, prompt.thinking)
    said = f"{lesson.reply}<|im_end|>"
    if prompt.thinking:
        said = f"<think>\n{lesson.thinking}\n</think>\n\n{said}"
    ids = tokenizer.encode(head, add_special_tokens=False).ids
    return Row(ids + tokenizer.encode(said, add_special_tokens=False).ids, len(ids), lesson.kind)


def stream(seed: int, level: int, bank: Bank, tokenizer: Tokenizer, template: ChatTemplate) -> Iterator[Row]:
    """Endless rows of random lessons with up to `level` memory lines."""
    rng = random.Random(seed)
    words = lexicon(tokenizer)
    while True:
        yield encode(lessons.make(World(rng, bank, words), level), tokenizer, template)


def lexicon(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The text of every token that is letters only, in the tokenizer's order."""
    texts = (tokenizer.decode([i]) for i in range(tokenizer.get_vocab_size()))
    return tuple(dict.fromkeys(t.strip() for t in texts if t.strip().isalpha()))
