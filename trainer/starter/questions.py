"""Questions about a random world: what is asked, the line that answers it, and lines that only look right."""

from dataclasses import dataclass
from datetime import datetime

from persona.chat.layout import day
from trainer.starter.bank import Topic
from trainer.starter.events import Event, event
from trainer.starter.world import Line, World

FULL_COPY_WORDS = 30


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the line that answers it (None: nothing does), and lines that only look right."""

    text: str
    answer: Line | None
    rivals: tuple[Line, ...] = ()
    sentence: str = ""
    changed: bool = False


def about_topic(world: World) -> Question:
    """A topic of the bank: about the owner, or about somebody else."""
    rng = world.rng
    topic = rng.choice(world.bank.topics)
    person = None if world.chance(0.62) or not topic.ask_other else rng.choice(world.people)
    return ask_topic(world, topic, person)


def ask_topic(world: World, topic: Topic, person: str | None, *, answered: bool = True) -> Question:
    rng = world.rng
    when = world.day_before()
    values: set[str] = set()

    def say(author: str | None, at: datetime) -> tuple[Line, str]:
        value = world.value(topic.slot)
        while value in values:
            value = world.value(topic.slot)
        values.add(value)
        sentence = world.casual(world.fill(rng.choice(topic.say), v=value))
        return world.line(dressed(world, sentence), author, at), sentence

    answer, sentence = say(person, when)
    rivals = []
    changed = topic.changes and world.chance(0.6)
    if changed:
        rivals.append(say(person, world.day_before(when))[0])
    others = [None, *world.people]
    others.remove(person)
    if world.chance(0.5):
        rivals.append(say(rng.choice(others), world.day_before())[0])
    if world.chance(0.2):
        rivals.append(say(rng.choice(others), world.day_before())[0])
    if person and world.chance(0.5):
        rivals.append(_addressed(world, person))
    asks = topic.ask_other if person else topic.ask
    text = rng.choice(asks).replace("{p}", called(world, person or ""))
    if not answered:
        others_only = tuple(r for r in rivals if r.author != person)
        return Question(asked(world, text), None, others_only)
    return Question(asked(world, text), answer, tuple(rivals), sentence, changed)


def _addressed(world: World, person: str) -> Line:
    """A line that calls somebody by name, and says nothing about them."""
    name = person.split()[0]
    said = world.chatter().text
    text = world.rng.choice((f"{name}!! {said}", f"{said}, {name}", f"{name}, {said}", f"@{name} {said}"))
    return world.line(text, world.rng.choice([None, *(p for p in world.people if p != person)]))


def about_event(world: World) -> Question:
    """Who did what to which thing; the rivals share the verb or the doer."""
    rng = world.rng
    doer = None if world.chance(0.5) else rng.choice(world.people)
    teller = doer if world.chance(0.55) else rng.choice([None, *world.people])
    told_about = teller != doer
    if told_about and doer is None:
        teller = None
        told_about = False
    happened: Event = event(world, called(world, doer or "") if told_about else None)
    rivals = tuple(
        world.line(event(world, None).sentence, rng.choice([None, *world.people]))
        for _ in range(rng.choice((0, 1, 1, 2, 3)))
    )
    text = rng.choice(happened.mine if doer is None else happened.about)
    text = text.replace("{p}", called(world, doer or ""))
    line = world.line(dressed(world, happened.sentence), teller)
    return Question(asked(world, text), line, rivals, happened.sentence)


def about_view(world: World) -> Question:
    """An opinion, or a decision with its reason."""
    rng = world.rng
    view = rng.choice(world.bank.opinions if world.chance(0.5) else world.bank.decisions)
    kind = rng.choice(
        ("thing", "product", "tool", "food", "city", "activity", "hobby", "brand", "app", "device")
    )

    def said() -> tuple[str, dict[str, str]]:
        slots = {"x": world.value(kind), "y": world.value(kind), "reason": world.value("reason")}
        return world.casual(world.fill(rng.choice(view.say), **slots)), slots

    sentence, slots = said()
    rivals = [
        world.line(said()[0], None if world.chance(0.6) else rng.choice(world.people))
        for _ in range(rng.choice((0, 1, 2)))
    ]
    if world.chance(0.3):
        rivals.append(
            world.line(world.casual(world.fill(rng.choice(view.say), **slots)), rng.choice(world.people))
        )
    text = world.fill(rng.choice(view.ask), **slots)
    return Question(asked(world, text), world.line(dressed(world, sentence), None), tuple(rivals), sentence)


def about_month(world: World) -> Question:
    """What happened in a month or on a day; the rivals are of other months."""
    rng = world.rng
    when = world.day_before()
    person = None if world.chance(0.75) else rng.choice(world.people)
    sentence = anything(world)
    line = world.line(dressed(world, sentence), person, when)
    rivals = []
    for _ in range(rng.choice((1, 2, 3))):
        at = world.day_before()
        if abs((at - when).days) > 40:
            rivals.append(world.line(anything(world), person, at))
    who = called(world, person) if person else "you"
    was, did = ("was", "did") if person else ("were", "did")
    month, exact = f"{when:%B %Y}", day(when)
    text = rng.choice(
        (
            f"What {did} {who} do in {month}?",
            f"What {was} {who} up to in {month}?",
            f"What happened in {month}?",
            f"How was {month} for {who}?",
            f"Tell me about {month}.",
            f"Where {was} {who} in {month}?",
            f"What {did} {who} say on {exact}?",
            f"What {was} {who} doing on {exact}?",
            f"What did {who} write back in {month}?",
            f"Do you remember {month}?",
        )
    )
    return Question(asked(world, text), line, tuple(rivals), sentence)


def anything(world: World) -> str:
    """Any sentence about the speaker."""
    if world.chance(0.5):
        return event(world, None).sentence
    topic = world.rng.choice(world.bank.topics)
    return world.casual(world.fill(world.rng.choice(topic.say), v=world.value(topic.slot)))


def quoted(line: Line, sentence: str) -> str:
    """The reply that gives `line` back: the owner's own words as they are, others' as theirs."""
    text = kept(line, sentence)
    if line.author is None:
        return f"{text} ({day(line.when)})"
    return f'{line.author} wrote: "{text}" ({day(line.when)})'


def kept(line: Line, sentence: str) -> str:
    return " ".join((line.text if len(line.text.split()) <= FULL_COPY_WORDS else sentence).split())


def called(world: World, person: str) -> str:
    """How people refer to somebody: mostly by the first name."""
    first = person.split()[0] if person.split() else person
    return person if world.chance(0.15) else first.capitalize()


def asked(world: World, text: str) -> str:
    """A question as people type it."""
    rng = world.rng
    roll = rng.random()
    if roll < 0.12:
        text = (
            rng.choice(
                (
                    "hey, ",
                    "quick question: ",
                    "so ",
                    "do you remember, ",
                    "tell me, ",
                    "hm, ",
                    "and ",
                    "by the way, ",
                )
            )
            + text
        )
    elif roll < 0.2:
        text = text.rstrip("?.") + rng.choice(
            (", do you know?", " again?", " exactly?", ", by the way?", " these days?")
        )
    if world.chance(0.35):
        text = text[:1].lower() + text[1:]
    if world.chance(0.15):
        text = text.rstrip("?.")
    return text


def dressed(world: World, sentence: str) -> str:
    """A message that holds `sentence`: mostly alone, sometimes among others."""
    roll = world.rng.random()
    if roll < 0.72:
        return sentence
    before = [world.chatter().text for _ in range(1 if roll < 0.9 else world.rng.randint(1, 4))]
    after = [world.chatter().text for _ in range(0 if roll < 0.8 else world.rng.randint(0, 4))]
    parts = [_closed(s) for s in (*before, sentence, *after)]
    if world.chance(0.4) and len(before) == 1:
        parts = parts[1:] + parts[:1]
    return " ".join(parts)


def _closed(sentence: str) -> str:
    """`sentence` ending in a mark, so that another can follow."""
    return sentence if sentence[-1:] in ".!?)" else sentence + "."
