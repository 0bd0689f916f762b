"""A task to learn: a reminder in plain words → what is to be done with it, the task and the time.

    python -m trainer.toy.reminders FOLDER     # 800 rows to train on, 200 others to test with

    {"input": "could you remind me to call the dentist on friday?",
     "output": {"intent": "add", "task": "call the dentist", "when": "on friday"}}

Task and time are copied as they were said. No task occurs twice: of 50 that come back, a small model learns
those fifty and never to copy.
"""

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

from trainer.dataset.rows import SCHEMA, TEST, TRAIN

SCHEMA_OF_REMINDERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "intent": {"enum": ["add", "cancel", "move"]},
        "task": {"type": "string"},
        "when": {"type": "string"},
    },
    "required": ["intent", "task", "when"],
    "additionalProperties": False,
}

_VERBS = (
    "call about", "buy", "pay for", "book", "look for", "return", "clean", "send", "fix", "renew",
    "pick up", "check", "ask about", "order", "sell", "measure", "paint", "bring", "wrap", "photograph",
    "cancel", "print", "sign", "charge", "move",
)  # fmt: skip
_THINGS = (
    "the plants", "milk", "bread and eggs", "a birthday card", "train tickets", "new socks", "cat food",
    "stamps", "the rent", "the phone bill", "the parking fine", "a table for four", "the flight",
    "a haircut", "the hotel", "the car", "the tomatoes", "the neighbour's garden", "the library books",
    "the drill", "Anna's umbrella", "the blue jacket", "the parcel", "the kitchen", "the bike",
    "the fridge", "the windows", "the coffee machine", "the invoice", "the photos for mum",
    "the contract", "the slides", "a thank-you note", "the tap", "the back door", "the printer",
    "the kitchen lamp", "my passport", "the insurance", "the bus pass", "the library card",
    "Jonas's keys", "the laundry", "my glasses", "the cake", "the oven", "the smoke alarm", "the mailbox",
    "the winter tyres", "Priya's present", "the old piano", "two tickets", "the tent",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIMES = ("tomorrow", "tonight", "tomorrow morning", "next week", "at noon", "at 6 pm", "at 10:30",
          "in two hours", "in 20 minutes", "after lunch", "before dinner", "this weekend",
          "on the 3rd of May", "on 12 June",
          *(f"on {day}" for day in _DAYS),
          *(f"on {day} at {hour}" for day in _DAYS for hour in (9, 17)))  # fmt: skip
_WORDINGS = {
    "add": ("remind me to {task} {when}", "{when} I have to {task}", "don't let me forget to {task} {when}",
            "can you remind me to {task} {when}?", "please note: {task} {when}",
            "{task} {when}, please remind me", "I need to {task} {when}", "add {task} {when} to my list"),
    "cancel": ("forget about the reminder to {task} {when}", "I don't need to {task} {when} any more",
               "cancel: {task} {when}", "please delete the reminder to {task} {when}",
               "no need to remind me to {task} {when}"),
    "move": ("move the reminder to {task}, make it {when}", "{task}: {when} suits me better",
             "push back {task}, I will do it {when}", "can we change {task} to {when}?",
             "I will {task} {when} instead"),
}  # fmt: skip


def rows(seed: int = 0) -> Iterator[dict[str, Any]]:
    """Inputs with outputs, a task of its own in each, in random order."""
    rng = random.Random(seed)
    tasks = [f"{verb} {what}" for verb, what in product(_VERBS, _THINGS)]
    rng.shuffle(tasks)
    wordings = [(intent, wording) for intent, all_of in _WORDINGS.items() for wording in all_of]
    for task in tasks:
        (intent, wording), when = rng.choice(wordings), rng.choice(_TIMES)
        text = wording.format(task=task, when=when)
        yield {"input": text, "output": {"intent": intent, "task": task, "when": when}}


def write(folder: Path, *, train: int = 800, test: int = 200, seed: int = 0) -> Path:
    """Write a data set for `persona train run --data FOLDER`, and the schema for `persona serve --schema`."""
    made = rows(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in ((TEST, test), (TRAIN, train)):
        lines = [json.dumps(row, ensure_ascii=False) for row in islice(made, count)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / SCHEMA).write_text(json.dumps(SCHEMA_OF_REMINDERS, indent=2) + "\n", encoding="utf-8")
    return folder


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    write(chosen.folder, seed=chosen.seed)


if __name__ == "__main__":
    main()
