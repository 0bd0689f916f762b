"""What is served for questions that nothing in the archive answers, and what the threshold costs the others.

    python scripts/measure_abstention.py [--home DIR] [--json]

Thirty questions to the sample twin, written for this measurement when the threshold was as it is and never
used to choose it; none is among those of data/sample. Words that an answer would need are named beside each
question and must occur nowhere in the sample. recall: share of the answerable questions of data/sample
(questions.jsonl and make/dev_questions.jsonl) with a proof among the first ten memories, without a token
budget, with the threshold and without it. Without --home the sample twin is prepared in a temporary one.
"""

import argparse
import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sample_home import home

from knowledge.archive import Archive
from knowledge.embedding import Embedder
from knowledge.index import VectorIndex
from knowledge.retrieval import Retriever
from persona import paths

NOW = datetime.fromisoformat("2026-10-31T18:00:00+00:00")
TEN = 10

UNKNOWABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is your middle name?", ("middle name",)),
    ("Which phone do you use?", ("iphone", "android", "samsung", "fairphone")),
    ("Who does your hair?", ("hairdresser", "haircut", "barber")),
    ("What is the number plate of your car?", ("number plate", "licence plate", "license plate")),
    ("Which shampoo do you buy?", ("shampoo",)),
    ("What was your grade in chemistry at school?", ("chemistry",)),
    ("Who is your lawyer?", ("lawyer", "attorney", "solicitor")),
    ("How much is left on your mortgage?", ("mortgage",)),
    ("What star sign are you?", ("star sign", "taurus", "zodiac", "horoscope")),
    ("Which newspaper do you subscribe to?", ("newspaper subscription", "subscribed to")),
    ("Have you ever been to Japan?", ("japan", "tokyo", "kyoto")),
    ("What did you wear at your graduation?", ("graduation",)),
    ("Which vaccines did you get for the trip?", ("vaccin", "jab ")),
    ("What is Duarte's shoe size?", ("shoe size",)),
    ("What is Lena's middle name?", ("middle name",)),
    ("Which car does Tomasz drive?", ("volvo", "skoda", "tomasz's car", "passat")),
    ("How much does Jonas pay his apprentice?", ("apprentice",)),
    ("What did Kofi study at university?", ("kofi studied", "university")),
    ("Which hospital was Emil born in?", ("hospital",)),
    ("What is Noor's landlord called?", ("noor's land", "my landlord")),
    ("Who was your first boyfriend?", ("first boyfriend", "ex-boyfriend")),
    ("What password do you use for your laptop?", ("password",)),
    ("Which team do you support in the Champions League?", ("champions league",)),
    ("What did you dream about last night?", ("nightmare", "dreamed")),
    ("What is the capital of Mongolia?", ("mongolia", "ulaanbaatar")),
    ("How do I reset the thermostat?", ("thermostat",)),
    ("What did you pay for your sofa?", ("sofa cost", "for the sofa")),
    ("When is your appointment with the cardiologist?", ("cardiolog",)),
    ("Which gym are you a member of?", ("gym",)),
    ("What is your favourite brand of sneakers?", ("sneaker", "trainers")),
)
"""A question, and words of which its answer would need one."""


def answerable() -> list[dict[str, Any]]:
    """The questions of the sample that have a proof."""
    folder = paths.sample_dir()
    found: list[dict[str, Any]] = []
    for file in (folder / "questions.jsonl", folder / "make" / "dev_questions.jsonl"):
        if file.exists():
            found += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [question for question in found if question["evidence"]]


def measure(archive: Archive, retriever: Retriever) -> dict[str, Any]:
    """Served for the unknowable; recall of the answerable with and without the threshold."""
    said = "\n".join(str(text).casefold() for (text,) in archive.rows("SELECT text FROM messages"))
    held = [f"{q}: {w}" for q, words in UNKNOWABLE for w in words if w in said]
    served = {
        question: [m.text for m in found]
        for question, _ in UNKNOWABLE
        if (found := retriever.search(question, now=NOW, cost=lambda memories: 0, budget_tokens=None))
    }
    recall = {"with": 0, "without": 0}
    silenced = []
    for question in answerable():
        now = datetime.fromisoformat(question["now"])
        proof = set(question["evidence"])
        found = retriever.search(question["question"], now=now, budget_tokens=None, cost=lambda m: 0, k=TEN)
        ranking = retriever.rank(question["question"], now=now)
        keys = [int(key) for key in ranking.timeline.key[ranking.order[:TEN]]]
        first = {m.id for m in archive.by_key(keys).values()}
        recall["with"] += not proof.isdisjoint(m.id for m in found)
        recall["without"] += not proof.isdisjoint(first)
        if not found:
            silenced.append(question["question"])
    asked = len(answerable())
    return {
        "unknowable": len(UNKNOWABLE),
        "nothing_served": len(UNKNOWABLE) - len(served),
        "served": served,
        "words_that_occur": held,
        "answerable": asked,
        "recall_with": round(recall["with"] / asked, 4),
        "recall_without": round(recall["without"] / asked, 4),
        "silenced": silenced,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--home", type=Path, help="a home that holds the sample twin, embedded; only read")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with home(given.home):
        folder, embedder = paths.knowledge_dir(), Embedder()
        with (
            closing(Archive(folder / "archive.sqlite3")) as archive,
            closing(VectorIndex(folder / "index", archive, embedder)) as index,
        ):
            found = measure(archive, Retriever(archive, index, embedder))
    if given.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print(f"no memory above the threshold: {found['nothing_served']} of {found['unknowable']}")
    print(
        f"recall@{TEN} of {found['answerable']} answerable: {found['recall_with']:.3f} with the threshold, "
        f"{found['recall_without']:.3f} without"
    )
    for name in ("words_that_occur", "silenced"):
        print(f"{name.replace('_', ' ')}:", *found[name] or ["none"], sep="\n  ")
    for question, texts in found["served"].items():
        print(f"{question}", *(f"  {text[:100]!r}" for text in texts[:3]), sep="\n")


if __name__ == "__main__":
    main()
