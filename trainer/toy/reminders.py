"""A task to learn: a reminder in plain words → what is to be done with it, the task and the time.

    python -m trainer.toy.reminders FOLDER     # 800 rows to train on, 200 others to test with

    {"input": "could you remind me to call the dentist on friday?",
     "output": {"intent": "add", "task": "call the dentist", "when": "on friday"}}

Task and time are copied as they were said. No input occurs twice, and no test task occurs in training.
"""

import argparse
import json
import random
from collections.abc import Iterator
from itertools import product
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

_TASKS = {
    "call": ("the dentist", "the bank", "my sister", "the landlord", "Jonas", "grandma", "Priya"),
    "buy": ("milk", "bread and eggs", "a birthday card", "train tickets", "new socks", "cat food", "stamps"),
    "pay": ("the rent", "the phone bill", "the gas bill", "the gym", "Tom back", "the parking fine"),
    "book": ("a table for four", "the flight", "a haircut", "the hotel", "the car service", "a room"),
    "water": ("the plants", "the tomatoes", "the neighbour's garden", "the fern"),
    "return": ("the library books", "the drill", "Anna's umbrella", "the blue jacket", "the parcel"),
    "clean": ("the kitchen", "the bike", "the fridge", "the windows", "the coffee machine"),
    "send": ("the invoice", "the photos to mum", "the contract", "the slides", "a thank-you note"),
    "fix": ("the tap", "the back door", "the printer", "the kitchen lamp"),
    "renew": ("my passport", "the insurance", "the bus pass", "the library card"),
    "pick up": ("the kids", "the laundry", "my glasses", "the cake", "the keys"),
    "check": ("the oven", "the smoke alarm", "the mailbox", "the tyre pressure"),
}  # fmt: skip
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
    """Inputs with outputs in random order, each once; the tasks themselves come in a fixed random order."""
    rng = random.Random(seed)
    tasks = [f"{verb} {what}" for verb, things in _TASKS.items() for what in things]
    rng.shuffle(tasks)
    for task in tasks:
        wordings = [(intent, w) for intent, all_of in _WORDINGS.items() for w in all_of]
        every = list(product(wordings, _TIMES))
        rng.shuffle(every)
        for (intent, wording), when in every:
            text = wording.format(task=task, when=when)
            yield {"input": text, "output": {"intent": intent, "task": task, "when": when}}


def write(folder: Path, *, train: int = 800, test: int = 200, seed: int = 0) -> Path:
    """Write a data set for `persona train run --data FOLDER`, and the schema for `persona serve --schema`."""
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in rows(seed):
        by_task.setdefault(row["output"]["task"], []).append(row)
    names = list(by_task)
    held_out = len(names) * test // (train + test)
    folder.mkdir(parents=True, exist_ok=True)
    for name, tasks, count in ((TEST, names[:held_out], test), (TRAIN, names[held_out:], train)):
        chosen = [by_task[tasks[n % len(tasks)]][n // len(tasks)] for n in range(count)]
        random.Random(seed).shuffle(chosen)
        lines = [json.dumps(row, ensure_ascii=False) for row in chosen]
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
