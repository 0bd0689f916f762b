"""The whole road from the archive to a data set: exchanges, questions, split, redaction, files, report."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.privacy import Pseudonyms, Redactor, secrets
from knowledge.progress import Progress
from persona.chat.card import SAMPLE, PersonaCard, make
from persona.chat.style import measure
from trainer.dataset import rows as files
from trainer.dataset.dedupe import Seen
from trainer.dataset.exchanges import Exchange, Windows, exchanges, own_words
from trainer.dataset.facts import Question, Rarity, asked, dont_know_replies, told
from trainer.dataset.rows import DatasetError, Row
from trainer.dataset.scenes import Stage
from trainer.dataset.split import Split, by_time
from trainer.tokens import PromptTokens

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

ENOUGH, SCARCE = 500, 100
"""Style rows: from `ENOUGH` the manner is learned well; below `SCARCE` hardly at all."""

_MOST_ALIKE = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What goes into a data set.

    thinking: share of rows with reasoning. facts: rows of questions for each style row. unknown: share of
    questions that nothing answers. test: share kept for evaluation. per_contact: most replies to one person.
    most: replies in all, the newest ones; None for every one. named: share of style rows that name the
    partner. bare: share of style rows to learn from without memories, as in a chat where nothing is found;
    the test shows what a chat would have. canaries: rows with made-up codes, to see what training learns by
    heart. pseudonyms: replace personal data.
    """

    windows: Windows = field(default_factory=Windows)
    thinking: float = 0.5
    facts: float = 1.0
    unknown: float = 0.25
    test: float = 0.2
    per_contact: int = 400
    most: int | None = None
    named: float = 0.3
    bare: float = 0.5
    canaries: int = 0
    pseudonyms: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set and what is to be said of it. report: see `persona train prepare --json`."""

    train: list[Row]
    test: list[Row]
    report: dict[str, Any]


def prepare(
    memory: "MemoryStore",
    card: PersonaCard,
    tokens: PromptTokens,
    options: Options,
    *,
    memory_tokens: int,
    progress: Callable[[Progress], object] | None = None,
    rethink: Callable[[list[Row]], list[Row]] | None = None,
) -> Dataset:
    """Make a data set in memory; nothing is written. Same archive and options, same rows.

    rethink: gives rows their thinking anew, once nothing is in them that must not be.

    Raises DatasetError when the owner is not known or answered nobody.
    """
    if memory.owner() is None:
        raise DatasetError("nobody has said who you are", "settle it with `persona people me NAME`")
    return _Maker(memory, card, tokens, options, memory_tokens, progress).make(rethink or list)


def write(folder: Path, made: Dataset) -> None:
    """Write rows and report; samples to look through are in `report.md`."""
    files.write(folder / files.TRAIN, made.train)
    files.write(folder / files.TEST, made.test)
    (folder / "report.json").write_text(json.dumps(made.report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    from trainer.dataset.report import markdown

    (folder / "report.md").write_text(markdown(made), "utf-8")


class _Maker:
    """One preparation."""

    def __init__(
        self,
        memory: "MemoryStore",
        card: PersonaCard,
        tokens: PromptTokens,
        options: Options,
        memory_tokens: int,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self.options = options if tokens.thinks else replace(options, thinking=0.0)
        self.tokens = tokens
        self.stage = Stage(memory, card, tokens, memory_tokens, options.windows)
        self.rng = random.Random(options.seed)
        self.progress = progress or (lambda _: None)
        self.messages = memory.messages(limit=None)
        self.own = [m for m in self.messages if m.is_self and own_words(m)]
        self.left_out: Counter[str] = Counter()
        self.redact = Redactor(self._pseudonyms(memory, card) if options.pseudonyms else None)

    def make(self, rethink: Callable[[list[Row]], list[Row]]) -> Dataset:
        """Train and test rows with their report."""
        found = self._chosen(exchanges(self.messages, self.options.windows))
        split = by_time(found, self.options.test)
        if split is None or not split.train:
            raise DatasetError(
                f"too little to learn from: {len(found)} replies of yours to somebody",
                "import more of your messages with `persona ingest`",
            )
        self.left_out["talk across the cut"] += split.straddling
        self.stage = replace(self.stage, card=self._card_until(split.cutoff))
        train_style, train_facts = self._side(split, split.train, "train")
        test_style, test_facts = self._side(split, split.test, "test")
        train = rethink(self._clean([*train_style, *train_facts]))
        test = self._unseen(self._clean([*test_style, *test_facts]), train)
        train += [self.stage.canary(n, split.cutoff, self.rng) for n in range(self.options.canaries)]
        self.rng.shuffle(train)
        return Dataset(train, test, self._report(train, test, split))

    def _card_until(self, cutoff: datetime) -> PersonaCard:
        """The card as it was made at the cut: what was said after it must not be told to training. One that
        the owner wrote stays as it is."""
        card = self.stage.card
        if not card.made:
            return card
        return make(card.name, [m for m in self.messages if m.is_self and m.sent_at < cutoff][-SAMPLE:])

    def _chosen(self, found: Iterable[Exchange]) -> list[Exchange]:
        """Without secrets, near-duplicates and more than a share for each contact; newest first to last."""
        contacts: Counter[str] = Counter()
        replies: Counter[str] = Counter()
        seen = Seen()
        kept: list[Exchange] = []
        for e in sorted(found, key=lambda e: (e.reply.start, e.reply.messages[0].id), reverse=True):
            reply = e.reply.text(True)
            plain = reply.casefold()
            if self.options.most is not None and len(kept) >= self.options.most:
                self.left_out["older than the newest asked for"] += 1
            elif secrets(reply):
                self.left_out["secret in the reply"] += 1
            elif not any(c.isalnum() for c in reply) and len(reply) > 8:
                self.left_out["no words"] += 1
            elif contacts[e.partner_id] >= self.options.per_contact:
                self.left_out["over the contact's share"] += 1
            elif replies[plain] >= _MOST_ALIKE or not seen.add(f"{e.said.text(True)}\n{reply}"):
                self.left_out["near-duplicate"] += 1
            else:
                contacts[e.partner_id] += 1
                replies[plain] += 1
                kept.append(e)
        return kept[::-1]

    def _side(self, split: Split, chosen: Sequence[Exchange], side: str) -> tuple[list[Row], list[Row]]:
        """Style rows and question rows of one side of the cut."""
        style = []
        for n, e in enumerate(chosen):
            named, thinking = self._chance(self.options.named), self._chance(self.options.thinking)
            row = self.stage.style(e, thinking=thinking, named=named)
            bare = self._chance(self.options.bare) and side == "train"
            style.append(row.without_memories() if bare else row)
            self.progress(Progress(f"{side}: replies", n + 1, len(chosen)))
        inside = (lambda at: at < split.cutoff) if side == "train" else (lambda at: at >= split.cutoff)
        limit = split.cutoff if side == "train" else self.messages[-1].sent_at + timedelta(days=1)
        return style, self._questions(chosen, inside, limit, round(self.options.facts * len(style)), side)

    def _questions(
        self,
        chosen: Sequence[Exchange],
        inside: Callable[[datetime], bool],
        limit: datetime,
        most: int,
        side: str,
    ) -> list[Row]:
        known = [m for m in self.messages if m.sent_at < limit]
        rarity = Rarity(known)
        own = [m for m in self.own if inside(m.sent_at) and not secrets(m.text)]
        questions = [*asked(chosen, rarity), *told(own, rarity, self.rng)]
        seen = Seen()
        questions = [q for q in questions if not secrets(q.answer) and seen.add(f"{q.text}\n{q.answer}")]
        self.rng.shuffle(questions)
        style = measure(m.text for m in own)
        unknown = dont_know_replies(own, lower=style is not None and style.lower > 0.5)
        made = []
        for n, question in enumerate(questions[:most]):
            made.append(self._question(question, limit, unknown))
            self.progress(Progress(f"{side}: questions", n + 1, min(most, len(questions))))
        return made

    def _question(self, question: Question, limit: datetime, unknown: Sequence[str]) -> Row:
        earliest = question.at + timedelta(minutes=5)
        room = max(0, int((limit - earliest).total_seconds()))
        now = earliest + timedelta(seconds=self.rng.randint(0, room)) if room else limit
        thinking = self._chance(self.options.thinking)
        if self._chance(self.options.unknown):
            return self.stage.unknown(question, now, self.rng.choice(unknown), thinking=thinking)
        return self.stage.fact(question, now, thinking=thinking)

    def _clean(self, made: Sequence[Row]) -> list[Row]:
        """Rows with secrets and, if asked, people replaced; each row once."""
        kept: dict[str, Row] = {}
        for row in made:
            if row.id not in kept:
                kept[row.id] = row.redacted(self.redact)
        return list(kept.values())

    def _unseen(self, test: list[Row], train: list[Row]) -> list[Row]:
        """Test rows that training has not nearly seen."""
        seen = Seen()
        for row in train:
            seen.add(_asked_and_said(row))
        kept = [row for row in test if seen.add(_asked_and_said(row))]
        self.left_out["test row like a training row"] += len(test) - len(kept)
        return kept

    def _report(self, train: list[Row], test: list[Row], split: Split) -> dict[str, Any]:
        made = [*train, *test]
        prompts = {row.id: len(self.tokens.prompt(row.prompt)) for row in made}
        replies = sum(self.tokens.text(row.reply) for row in made)
        return {
            "rows": len(made),
            "train": len(train),
            "test": len(test),
            "by_category": dict(Counter(row.category for row in made)),
            "by_source": dict(Counter(row.source for row in made)),
            "thinking": sum(row.thinking for row in made),
            "unanswerable": sum(not row.answerable for row in made),
            "contacts": len({row.partner for row in made if row.partner}),
            "redactions": dict(self.redact.counts),
            "left_out": {reason: n for reason, n in self.left_out.items() if n},
            "tokens": {
                "total": sum(prompts.values()) + replies,
                "replies": replies,
                "longest_prompt": max(prompts.values()),
            },
            "cutoff": split.cutoff.isoformat(),
            "warnings": [
                *warnings(sum(row.is_talk for row in train)),
                *([] if self.tokens.thinks else ["this model's template knows no thinking: no row has any"]),
            ],
            "options": asdict(self.options),
        }

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _pseudonyms(self, memory: "MemoryStore", card: PersonaCard) -> Pseudonyms:
        owner = memory.owner()
        keep = (card.name, *((owner.name,) if owner else ()))
        return Pseudonyms(memory.names(), memory.key(), keep)


def warnings(style_rows: int) -> list[str]:
    """What to expect of so many replies to learn a manner from."""
    if style_rows >= ENOUGH:
        return []
    if style_rows >= SCARCE:
        return [
            f"{style_rows} replies are few: expect your length, case and favourite words, not your turns of"
            f" phrase (from about {ENOUGH} on those come too)"
        ]
    return [
        f"{style_rows} replies are too few to learn a manner from: expect little, and measure it with"
        f" `persona train evaluate`; from about {ENOUGH} on it works well"
    ]


def _asked_and_said(row: Row) -> str:
    return f"{row.messages[-1][1].rsplit(chr(10), 1)[-1]}\n{row.reply}"
