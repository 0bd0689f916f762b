"""Questions about a random world: what is asked, the line that answers it, and lines that only look right."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from persona.chat.layout import day
from trainer.starter.bank import Chain, Topic
from trainer.starter.events import Event, event
from trainer.starter.world import Line, World

FULL_COPY_WORDS = 30
_ASKING = frozenset("what which where when your you're does have tell with these this that about".split())


@dataclass(frozen=True, slots=True)
class Question:
    """A question in up to three wordings, the line that answers it (None: nothing does), and lines that
    only look right. sentence: the part of the line that matters; changed: it was otherwise before. via: the
    line that says whom the question means, where it does not name them.
    """

    texts: tuple[str, ...]
    answer: Line | None
    rivals: tuple[Line, ...] = ()
    sentence: str = ""
    changed: bool = False
    via: Line | None = None


def about_topic(world: World, topic: Topic | None = None, *, answered: bool = True) -> Question:
    """A topic of the bank: about the owner, or about somebody else."""
    topic = topic or world.rng.choice(world.bank.topics)
    person = None if world.chance(0.62) or not topic.ask_other else world.rng.choice(world.people)
    return ask_topic(world, topic, person, answered=answered)


def about_chain(world: World, topic: Topic) -> Question:
    """A question on somebody who is named by what they are to the owner: one line says who that is, another,
    of their own, answers. Half of what else such lines say is of others, and where the first is missing
    nothing answers.
    """
    chain, other = world.rng.sample(world.bank.chains, 2)
    person, stranger = world.rng.sample(world.people, 2)
    question = ask_topic(world, topic, person, name=chain.role)

    def says(one: Chain, who: str) -> Line:
        sentence = world.casual(world.fill(world.rng.choice(one.say), p=called(world, who)))
        return world.line(dressed(world, sentence), None)

    if world.chance(0.5):
        question = replace(question, rivals=(*question.rivals, says(other, stranger)))
    if world.chance(0.2):
        assert question.answer is not None
        return replace(question, answer=None, rivals=(question.answer, *question.rivals))
    return replace(question, via=says(chain, person))


def ask_topic(
    world: World, topic: Topic, person: str | None, *, answered: bool = True, name: str = ""
) -> Question:
    """A topic, asked of the owner or of `person`. name: what the question calls them, theirs unless given."""
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
    name = name or called(world, person or "")
    texts = worded(world, [a.replace("{p}", name) for a in asks])
    if world.chance(0.25 if answered else 0.75):
        rivals += [echo(world, texts[0]) for _ in range(rng.choice((1, 1, 2)))]
    if not answered:
        return Question(texts, None, tuple(r for r in rivals if r.author != person or r.echo))
    return Question(texts, answer, tuple(rivals), sentence, changed)


def echo(world: World, text: str) -> Line:
    """A line that holds a word of the question, and answers nothing: what a search by words brings up."""
    words = [w.strip("?.,!'").lower() for w in text.split()]
    words = sorted((w for w in words if len(w) > 3 and w not in _ASKING), key=len, reverse=True)[:3]
    said = world.chatter()
    parts = said.text.split()
    if words:
        parts.insert(world.rng.randint(0, len(parts)), world.rng.choice(words))
    return replace(said, text=" ".join(parts), echo=True)


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
    asks = happened.mine if doer is None else happened.about
    texts = worded(world, [a.replace("{p}", called(world, doer or "")) for a in asks])
    if world.chance(0.2):
        rivals = (*rivals, echo(world, texts[0]))
    line = world.line(dressed(world, happened.sentence), teller)
    return Question(texts, line, rivals, happened.sentence)


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
    texts = worded(world, [world.fill(a, **slots) for a in view.ask])
    if world.chance(0.4):
        rivals += [echo(world, texts[0]) for _ in range(rng.choice((1, 1, 2)))]
    return Question(texts, world.line(dressed(world, sentence), None), tuple(rivals), sentence)


def about_month(world: World, line: Line) -> str:
    """A question on the month or the day of `line`; right only when no other line falls in that month."""
    who = called(world, line.author) if line.author else "you"
    was, did = ("was", "did") if line.author else ("were", "did")
    month, exact = f"{line.when:%B %Y}", day(line.when)
    text = world.rng.choice(
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
    return asked(world, text)


def anything(world: World) -> str:
    """Any sentence about the speaker."""
    if world.chance(0.5):
        return event(world, None).sentence
    topic = world.rng.choice(world.bank.topics)
    return world.casual(world.fill(world.rng.choice(topic.say), v=world.value(topic.slot)))


def quoted(line: Line, sentence: str) -> str:
    """The reply that gives `line` back, its date first.

    With the date the model has chosen its line before it copies; and after the colon the words have the
    very tokens that they have in the line, the space before the first included.
    """
    return f"On {day(line.when)} {line.author or 'I'} wrote: {kept(line, sentence)}"


_LEADS = (
    ("do you remember", "I do. "),
    ("tell me", "Sure. "),
    ("hey", "Hey! "),
    ("quick question", "A quick answer. "),
    ("by the way", "Oh, that. "),
    ("when", "I can tell you when. "),
)
"""How a reply begins, by how the message does: what the model can see it can learn to vary with."""


def answered(text: str, line: Line, sentence: str) -> str:
    """`quoted`, begun as the question asks for."""
    plain = text.casefold()
    lead = next((lead for opening, lead in _LEADS if plain.startswith(opening)), "")
    return f"{lead}{quoted(line, sentence)}"


def kept(line: Line, sentence: str) -> str:
    return " ".join((line.text if len(line.text.split()) <= FULL_COPY_WORDS else sentence).split())


def called(world: World, person: str) -> str:
    """How people refer to somebody: mostly by the first name."""
    first = person.split()[0] if person.split() else person
    return person if world.chance(0.15) else first.capitalize()


def worded(world: World, asks: Sequence[str]) -> tuple[str, ...]:
    """Up to three of the wordings, as people type them."""
    return tuple(asked(world, text) for text in world.rng.sample(asks, min(3, len(asks))))


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
