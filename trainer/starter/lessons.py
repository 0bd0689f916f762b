"""Lessons: one conversation each, as the run time lays it out, with the right thinking and reply.

A lesson is a world, a question, and lines among which at most one is right. The reply gives the right
line back with its date; whose words they are stays clear ("Jonas wrote: …"). Knows nothing of tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from persona.chat.layout import HistoryTurn, Scene, day
from trainer.starter.questions import (
    Question,
    about_event,
    about_month,
    about_topic,
    about_view,
    anything,
    ask_topic,
    asked,
    called,
    kept,
    quoted,
)
from trainer.starter.scenes import ACKNOWLEDGED, aside, bare, card, history, scene_of, user_said
from trainer.starter.world import World


@dataclass(frozen=True, slots=True)
class Lesson:
    """A scene and what the twin should think and say in it."""

    kind: str
    scene: Scene
    thinking: str
    reply: str


def make(world: World, level: int) -> Lesson:
    """A random lesson with up to `level` memory lines (at least one)."""
    maker = world.rng.choices([m for m, _ in _KINDS], [w for _, w in _KINDS])[0]
    return maker(world, max(1, level))


def _read(world: World, level: int, question: Question) -> Lesson:
    """Find the line that answers, and give it back."""
    assert question.answer is not None
    scene, rank = scene_of(world, level, question)
    line = question.answer
    reply = quoted(line, question.sentence)
    text = kept(line, question.sentence)
    author = line.author or "me"
    newest = " (the newest on this)" if question.changed else ""
    cite = f"[{rank}] " if rank else ""
    return Lesson("read", scene, f"{cite}{day(line.when)}, {author}: {text}{newest}", reply)


def _unknown(world: World, level: int) -> Lesson:
    """Nothing in sight answers: say so."""
    rng = world.rng
    bank = world.bank
    if world.chance(0.5):
        question = Question(asked(world, world.fill(rng.choice(bank.unknown_asks))), None)
    else:
        topic = rng.choice(bank.topics)
        person = None if world.chance(0.6) or not topic.ask_other else rng.choice(world.people)
        question = ask_topic(world, topic, person, answered=False)
    if world.chance(0.35):
        scene = bare(world, level, question.text)
    else:
        scene, _ = scene_of(world, level, question)
    return Lesson("unknown", scene, "Nothing here answers this.", rng.choice(bank.dont_know))


def _small_talk(world: World, level: int) -> Lesson:
    pair = world.rng.choice(world.bank.smalltalk)
    scene = aside(world, level, world.rng.choice(pair.ask))
    reply = world.fill(world.rng.choice(pair.reply), name=world.owner.split()[0])
    return Lesson("small talk", scene, "Just small talk, no memory needed.", reply)


def _off_ground(world: World, level: int) -> Lesson:
    bank = world.bank
    scene = aside(world, level, world.fill(world.rng.choice(bank.off_ground_asks)))
    return Lesson(
        "off ground", scene, "This is not about my messages.", world.rng.choice(bank.off_ground_replies)
    )


def _told(world: World, level: int) -> Lesson:
    """What the user said earlier in this chat, verbatim or in a summary."""
    rng = world.rng
    told = rng.choice(world.bank.told)
    value = world.value(told.slot)
    statement = world.casual(world.fill(rng.choice(told.say), v=value))
    turns = history(world, rng.choice((0, 1, 1, 2, 3)))
    summaries: tuple[str, ...] = ()
    if world.chance(0.5):
        place = rng.randrange(len(turns) + 1)
        turns.insert(place, HistoryTurn(statement, rng.choice(ACKNOWLEDGED)))
    else:
        lines = [statement] + [user_said(world) for _ in range(rng.choice((0, 1, 2, 4)))]
        rng.shuffle(lines)
        first = rng.randint(1, 40)
        summaries = ("\n".join(f"- (turn {first + 2 * i}) user: {text}" for i, text in enumerate(lines)),)
    scene = aside(world, min(level, 4), asked(world, rng.choice(told.ask)))
    scene = replace(scene, turns=turns, summaries=summaries)
    return Lesson("told", scene, f"You told me: {statement}", world.fill(rng.choice(told.reply), v=value))


def _follow_up(world: World, level: int) -> Lesson:
    """A question that leans on the turn before it."""
    rng = world.rng
    topics = [t for t in world.bank.topics if t.changes] or list(world.bank.topics)
    topic = rng.choice(topics)
    first = ask_topic(world, topic, None)
    assert first.answer is not None
    turn = HistoryTurn(first.text, quoted(first.answer, first.sentence))
    line, sentence = first.answer, first.sentence
    kind = rng.choice(("before", "when", "person"))
    if kind == "when":
        text = rng.choice(
            ("When was that?", "when did you say that?", "what date was that?", "and when?", "since when?")
        )
        question = Question(text, line, (), sentence)
        scene, _ = scene_of(world, level, question)
        lesson = Lesson("follow-up", scene, f"That was said on {day(line.when)}.", f"{day(line.when)}.")
    else:
        author = None if kind == "before" else rng.choice(world.people)
        at = world.day_before(line.when) if kind == "before" else world.day_before()
        sentence = world.casual(world.fill(rng.choice(topic.say), v=world.value(topic.slot)))
        text = "and before that?" if kind == "before" else f"and {called(world, author or '')}?"
        if kind == "before":
            text = rng.choice(
                (text, "and earlier?", "what was it before?", "before that?", "And what about before that?")
            )
        else:
            text = rng.choice((text, f"what about {called(world, author or '')}?"))
        lesson = _read(
            world, max(level, 2), Question(text, world.line(sentence, author, at), (line,), sentence)
        )
    return replace(
        lesson,
        kind="follow-up",
        scene=replace(lesson.scene, turns=[*history(world, rng.choice((0, 0, 1))), turn]),
    )


def _from_card(world: World, level: int) -> Lesson:
    """A stable fact of the persona card answers."""
    topic = world.rng.choice(world.bank.topics)
    question = ask_topic(world, topic, None)
    scene = aside(world, min(level, 3), question.text)
    facts = [question.sentence, *(anything(world) for _ in range(world.rng.choice((0, 1, 2))))]
    world.rng.shuffle(facts)
    return Lesson(
        "card",
        replace(scene, card=card(world, facts)),
        f"My card says: {question.sentence}",
        question.sentence,
    )


_KINDS: tuple[tuple[Callable[[World, int], Lesson], int], ...] = (
    (lambda w, n: _read(w, n, about_topic(w)), 30),
    (lambda w, n: _read(w, n, about_event(w)), 24),
    (lambda w, n: _read(w, n, about_view(w)), 10),
    (lambda w, n: _read(w, n, about_month(w)), 7),
    (_unknown, 24),
    (_small_talk, 7),
    (_off_ground, 6),
    (_told, 5),
    (_follow_up, 6),
    (_from_card, 3),
)
