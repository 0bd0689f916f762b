"""Sheets of lessons as token ids: the same layout and chat template as at run time, plus the replies.

The lessons of a sheet share their prompts up to the message. A row holds that prefix once, and after it
one branch for each lesson, which sees the prefix and itself: five questions for the price of two.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from tokenizers import Tokenizer

from persona.backends.template import ChatTemplate
from trainer.starter import lessons
from trainer.starter.bank import Bank
from trainer.starter.world import World


@dataclass(slots=True)
class Row:
    """A sheet, flattened; every list has one entry for each token.

    branch: 0 for the shared prefix, then 1, 2, … in order. position: of the token in its own lesson.
    said: whether the model is to say it. kinds: of lesson n at n - 1.
    """

    ids: list[int]
    branch: list[int]
    position: list[int]
    said: list[bool]
    kinds: list[str] = field(default_factory=list)

    def add(self, ids: list[int], branch: int, first: int, silent: int) -> None:
        """Append a stretch whose first `silent` tokens are given and the others to be said."""
        self.ids += ids
        self.branch += [branch] * len(ids)
        self.position += range(first, first + len(ids))
        self.said += [i >= silent for i in range(len(ids))]


def encode(sheet: list[lessons.Lesson], tokenizer: Tokenizer, template: ChatTemplate) -> Row:
    """One sheet as a row."""
    prompts, replies = [], []
    for lesson in sheet:
        prompt = lesson.prompt
        said = f"{lesson.task.reply}<|im_end|>"
        if prompt.thinking:
            said = f"<think>\n{lesson.task.thinking}\n</think>\n\n{said}"
        head = template.prompt(prompt.messages, prompt.thinking)
        prompts.append(tokenizer.encode(head, add_special_tokens=False).ids)
        replies.append(tokenizer.encode(said, add_special_tokens=False).ids)
    shared = _in_common(prompts) if len(prompts) > 1 else 0
    row = Row([], [], [], [], [lesson.task.kind for lesson in sheet])
    row.add(prompts[0][:shared], 0, 0, shared)
    for number, (asked, reply) in enumerate(zip(prompts, replies, strict=True), 1):
        row.add(asked[shared:] + reply, number, shared, len(asked) - shared)
    return row


def _in_common(prompts: list[list[int]]) -> int:
    """How many tokens all prompts begin with alike."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False)))


def stream(seed: int, level: int, bank: Bank, tokenizer: Tokenizer, template: ChatTemplate) -> Iterator[Row]:
    """Endless rows of random sheets with up to `level` memory lines."""
    rng = random.Random(seed)
    words = lexicon(tokenizer)
    while True:
        yield encode(lessons.sheet(World(rng, bank, words), level), tokenizer, template)


def lexicon(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The text of every token that is letters only, in the tokenizer's order."""
    texts = (tokenizer.decode([i]) for i in range(tokenizer.get_vocab_size()))
    return tuple(dict.fromkeys(t.strip() for t in texts if t.strip().isalpha()))
