"""The toy set, made from the archive of the sample twin.

    persona demo --no-chat --home HOME; export PERSONA_HOME=HOME
    persona train prepare && python -m trainer.toy.make data/toy

15 style and 15 fact rows are picked from the prepared set, evenly over time; 30 decision rows ask what the
twin decided, and why. The newest style and fact rows and the last decisions of the list are the test.
"""

import argparse
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from knowledge.lexical import fold
from knowledge.sentences import sentences
from knowledge.text import one_line
from persona import config, paths
from persona.chat.card import load_or_make
from persona.cli.stores import open_memory
from trainer.dataset import rows as files
from trainer.dataset.exchanges import Windows
from trainer.dataset.facts import Question
from trainer.dataset.rows import Category, Row
from trainer.dataset.scenes import Stage
from trainer.folders import dataset_dir
from trainer.models import resolve
from trainer.tokens import PromptTokens

_PICKED: dict[Category, tuple[int, int]] = {"style": (12, 3), "fact": (13, 2)}
"""Of each category: rows to train on, rows to test with."""

_DECISIONS = 25
"""Of the questions on decisions, how many are trained on."""

_WORDS = range(3, 31)

# What stands in the message that decides, and what is asked about it.
_ASKED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("decided to move to portugal", ("What did you decide about Portugal?", "Where did you decide to move?")),
    ("picked porto because", ("Which city did you pick in the end?", "Why did you pick Porto?")),
    ("turned every stone here twice", ("Why did you want to leave Graz?", "What made you go?")),
    ("settled on qgis", ("What did you settle on for the maps?", "Why did you settle on qgis?")),
    ("bought a bike", ("What kind of bike did you buy?", "What did you decide about a bike?")),
    ("fits in my hallway", ("Why did you choose that bike?", "What made you choose a folding bike?")),
    ("ginger goes in", ("What did you decide about the jam?", "Does ginger go in the jam?")),
    ("no more bouldering", ("Do you still go bouldering?", "Why did you stop bouldering?")),
    ("moved the armchair", ("Where did you move the armchair?", "Why did you move the armchair?")),
    ("railway map of 1911", ("What did you buy at the map fair?", "Which map did you buy in Brno?")),
    ("booked the flight", ("What did you do about the flight?", "Did you book the flight?")),
    ("i bought four copies", ("How many copies did you buy in Leeds?", "Who are the four copies for?")),
    ("gave up on a saga", ("What did you do about the saga about a brewery?",)),
    ("chess in two minutes", ("Which game did you pick over yahtzee?", "Why chess and not yahtzee?")),
    ("flat here is let", ("What did you do with the flat?", "What did you get for the cat?")),
    ("bring duarte", ("Whom do you bring along, now that it is booked?",)),
)


def pick(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Style and fact rows, to train on and to test with. Raises ValueError where rows lack."""
    train: list[Row] = []
    test: list[Row] = []
    for category, (trained, kept) in _PICKED.items():
        found = [row for row in rows if row.category == category and _fits(row)]
        if len(found) < trained + kept:
            raise ValueError(f"{len(found)} rows of {category} are too few")
        found.sort(key=lambda row: (row.at, row.id))
        step = len(found) / (trained + kept)
        chosen = [found[int(n * step)] for n in range(trained + kept)]
        train += chosen[:trained]
        test += chosen[trained:]
    return train, test


def decisions() -> Iterator[Row]:
    """Questions on decisions, laid out over the home's archive. Raises ValueError where one is missing."""
    settings = config.load()
    tokens = PromptTokens(resolve("starter"))
    budget = min(settings.memory.budget_tokens, tokens.memory_tokens or settings.memory.budget_tokens)
    with open_memory() as memory:
        stage = Stage(memory, load_or_make(paths.card_file(), memory), tokens, budget, Windows())
        own = [m for m in memory.messages(limit=None) if m.is_self]
        for words, asked in _ASKED:
            holder = next((m for m in own if words in m.text.casefold()), None)
            if holder is None:
                raise ValueError(f"nothing in the archive says {words!r}")
            said = one_line(holder.text)
            if len(said.split()) not in _WORDS:
                said = next(s for s in map(one_line, sentences(holder.text)) if words in s.casefold())
            for text in asked:
                given = {fold(w.strip("?,")) for w in text.split()}
                expect = [w.strip(".,;:") for w in said.split() if len(w) > 4]
                proof = tuple(w for w in expect if fold(w) not in given)[:3]
                question = Question(
                    text, said, holder, proof, "decision", (holder.id,), holder.id, holder.sent_at
                )
                yield stage.fact(question, own[-1].sent_at + timedelta(days=1), thinking=False)


def _fits(row: Row) -> bool:
    return not row.thinking and row.answerable and len(row.reply.split()) in _WORDS


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    data = dataset_dir()
    train, test = pick([*files.read(data / files.TRAIN), *files.read(data / files.TEST)])
    decided = list(decisions())
    files.write(folder / files.TRAIN, [*train, *decided[:_DECISIONS]])
    files.write(folder / files.TEST, [*test, *decided[_DECISIONS:]])


if __name__ == "__main__":
    main()
