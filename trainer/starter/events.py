"""Sentences of who did what to which thing, and questions on each of their parts.

They are put together from parts, so a model can only answer by matching the words of the question
with the words of the right line, whatever the topic.
"""

from dataclasses import dataclass

from trainer.starter.world import World

# base form, past form, and which tails fit: who (from/to/with somebody), price, place, why
_VERBS = (
    ("buy", "bought", "from"), ("sell", "sold", "to"), ("borrow", "borrowed", "from"),
    ("lend", "lent", "to"), ("lose", "lost", ""), ("find", "found", ""), ("break", "broke", ""),
    ("fix", "fixed", "with"), ("repair", "repaired", "with"), ("paint", "painted", "with"),
    ("build", "built", "with"), ("order", "ordered", "from"), ("return", "returned", "to"),
    ("cancel", "cancelled", ""), ("book", "booked", "with"), ("rent", "rented", "from"),
    ("clean", "cleaned", "with"), ("cook", "cooked", "for"), ("bake", "baked", "for"),
    ("write", "wrote", "with"), ("send", "sent", "to"), ("throw out", "threw out", ""),
    ("give away", "gave away", "to"), ("pick up", "picked up", "from"), ("drop", "dropped", ""),
    ("forget", "forgot", ""), ("hide", "hid", "from"), ("win", "won", "with"), ("draw", "drew", "for"),
    ("plant", "planted", "with"), ("finish", "finished", "with"), ("start", "started", "with"),
    ("replace", "replaced", "with"), ("try", "tried", "with"), ("test", "tested", "with"),
    ("wash", "washed", "with"), ("carry", "carried", "for"), ("move", "moved", "with"),
    ("steal", "stole", "from"), ("get", "got", "from"), ("choose", "chose", "with"),
    ("miss", "missed", ""), ("visit", "visited", "with"), ("wrap", "wrapped", "for"),
    ("share", "shared", "with"), ("film", "filmed", "with"), ("measure", "measured", "with"),
    ("design", "designed", "for"), ("teach", "taught", "to"), ("translate", "translated", "for"),
    ("pay for", "paid for", ""),
)  # fmt: skip
_ADJECTIVES = (
    "old", "new", "big", "small", "green", "red", "blue", "yellow", "broken", "wooden", "cheap",
    "heavy", "white", "black", "second-hand", "spare", "tiny", "lovely", "rusty", "grey", "orange",
    "vintage", "electric", "plastic",
)  # fmt: skip
_OPENERS = (
    "",
    "",
    "",
    "",
    "so ",
    "finally ",
    "guess what, ",
    "update: ",
    "btw ",
    "today ",
    "yesterday ",
    "ok, ",
    "haha ",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: the sentence, and questions that this sentence answers.

    `mine` has the questions to the doer, `about` those on the doer as {p}.
    """

    sentence: str
    mine: tuple[str, ...]
    about: tuple[str, ...]


def event(world: World, doer: str | None) -> Event:
    """A random event done by `doer`, told by the doer (None) or by somebody else."""
    rng = world.rng
    base, past, preposition = rng.choice(_VERBS)
    thing = world.value("thing")
    described = f"{rng.choice(_ADJECTIVES)} {thing}" if world.chance(0.5) else thing
    who = world.value("person")
    tails: list[str] = []
    asks = [
        (f"What did {{s}} {base}?", 2),
        (f"When did {{s}} {base} the {thing}?", 2),
        (f"Did {{s}} {base} a {thing}?", 1),
    ]
    asks += [
        (f"What happened with the {thing}?", 1),
        (f"Tell me about the {thing}.", 1),
        (f"What about the {thing}?", 1),
    ]
    if preposition and world.chance(0.5):
        tails.append(f"{preposition} {who}")
        asks.append((f"Who did {{s}} {base} the {thing} {preposition}?", 3))
        asks.append((f"What did {{s}} {base} {preposition} {who}?", 3))
    if base in ("buy", "sell", "rent", "order", "get", "book", "repair") and world.chance(0.5):
        tails.append(f"for {world.value('price')}")
        asks.append((f"How much was the {thing}?", 2))
        asks.append((f"What price did {{s}} {base} the {thing} for?", 2))
    elif world.chance(0.35):
        place = world.value(rng.choice(("city", "place")))
        tails.append(f"in {place}")
        asks.append((f"Where did {{s}} {base} the {thing}?", 3))
        asks.append((f"What did {{s}} {base} in {place}?", 3))
    if world.chance(0.3):
        tails.append(f"because {world.value('reason')}")
        asks.append((f"Why did {{s}} {base} the {thing}?", 4))
        asks.append((f"What was the reason {{s}} {past} the {thing}?", 2))
    if world.chance(0.2):
        tails.append(f"on {world.value('weekday')}")
    article = rng.choice(("the", "a", "my" if doer is None else "the"))
    sentence = f"{doer or 'I'} {past} {article} {described} {' '.join(tails)}".strip()
    sentence = world.casual(rng.choice(_OPENERS) + sentence + rng.choice(("", ".", ".", "!", " :)")))
    picked = rng.choices([a for a, _ in asks], [w for _, w in asks], k=3)
    return Event(sentence, tuple(a.format(s="you") for a in picked), tuple(a.format(s="{p}") for a in picked))
