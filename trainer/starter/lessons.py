"""Lessons: what to think and say in one scene, as the run time lays it out.

A sheet is a handful of lessons that differ in the message only: the same memories, card and earlier
turns, asked about from several sides. What one message must be answered with, the next must not be, so
a sheet teaches reading where a single question would let the model guess. Knows nothing of tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from persona.backends.base import Prompt
from persona.chat.layout import HistoryTurn, Scene, build, day
from persona.chat.lines import USER
from trainer.starter.bank import Topic
from trainer.starter.chats import as_memory, in_chat, summary, tell
from trainer.starter.questions import (
    Question,
    about_chain,
    about_event,
    about_month,
    about_topic,
    about_view,
    answered,
    anything,
    ask_topic,
    asked,
    called,
    quoted,
)
from trainer.starter.scenes import (
    ACKNOWLEDGED,
    Shown,
    among_chatter,
    card,
    chatting,
    setting,
    shown,
)
from trainer.starter.world import Line, World

THINKING = 0.35
"""Share of lessons with thinking."""

CHAINS = 0.1
"""Share of questions that two lines answer together."""

SUMMARIES, TOLD = 0.08, 0.3
"""Share of sheets that ask for a summary, and of the others that ask for what the user told."""

MUCH = (1, 2, 3, 5, 8, 12, 16, 20, 32, 48)
"""How many things may be told in one chat, the last at the highest levels only."""

ASKED = 6
"""Most of the things told in a summary or in recent turns that one sheet asks for."""


@dataclass(frozen=True, slots=True)
class Task:
    """A message, and what the twin should think and say to it."""

    kind: str
    message: str
    thinking: str
    reply: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """A task, and the prompt that sets it, which says whether to think."""

    prompt: Prompt
    task: Task


def sheet(world: World, level: int) -> list[Lesson]:
    """The lessons of a random scene with up to `level` memory lines (at least one)."""
    rng = world.rng
    if level > 1 and world.chance(SUMMARIES):
        prompt, reply = summary(world, rng.randint(2, level))
        return [Lesson(prompt, Task("summary", "", "", reply))]
    topics = iter(rng.sample(world.bank.topics, 12))
    scene = setting(world, max(1, level))
    tasks: list[Task] = []
    told = tell(world, rng.choice(MUCH[: level + 1])) if world.chance(TOLD) else []
    served = told[: rng.choice((1, 1, 2, 3))] if world.chance(0.7) else []
    # a summary has no room for all: what is served may stand nowhere else
    seen = [one for one in told if one not in served or world.chance(0.5)]
    if seen:
        scene = in_chat(world, scene, seen)
    if not served:
        tasks += [Task("told", one.asks[0], "Told in this chat.", one.reply) for one in told[:ASKED]]
    if world.chance(0.5):
        scene, task = _with_card(world, scene, next(topics))
        tasks += [task] if world.chance(0.3) else []
        # a few facts at hand answer little of what is asked
        tasks += [_unknown(world, topics)] if world.chance(0.4) else []
    remembers = world.chance(0.85)
    if remembers:
        scene, found = _with_memories(world, scene, level, topics)
        tasks += found
    if served:
        # the ranks that the others name are taken
        scene = as_memory(world, scene, served)
        lines = zip(scene.memories, served, strict=False)
        tasks = [Task("told", t.asks[0], f"[{m.rank}] {day(m.sent_at)}, {USER}.", t.reply) for m, t in lines]
    # where memories are shown, most questions have their answer among them; without any, few have
    tasks += [_unknown(world, topics) for _ in range(rng.choice((0, 0, 1) if remembers else (1, 2, 3)))]
    # a twin that answers small talk with what it was told goes on doing so for ever
    tasks += [_mention(world)] if world.chance(0.45 if seen else 0.2) else []
    tasks += [_aside(world)] if world.chance(0.25) or not tasks else []
    return [
        Lesson(build(replace(scene, message=t.message, thinking=world.chance(THINKING))), t) for t in tasks
    ]


def _with_memories(
    world: World, scene: Scene, level: int, topics: Iterator[Topic]
) -> tuple[Scene, list[Task]]:
    """The scene with memories looked up for one question, which hold the answers of others too."""
    turn: tuple[HistoryTurn, ...] = ()
    tasks: list[Task] = []
    if level > 1 and world.chance(0.12):
        turn, questions, when = _follow_ups(world)
        tasks.append(when)
    else:
        first = _question(world, topics)
        if world.chance(0.22):
            first = about_topic(world, next(topics), answered=False)
        questions = [first, *(_question(world, topics) for _ in range(world.rng.choice((0, 0, 1))))]
    lines, questions = shown(world, level, questions)
    months = [f"{m.sent_at:%Y %m}" for m in lines.memories]
    for question in questions:
        line = question.answer
        if line is None:
            tasks += [_unanswered(world, text) for text in question.texts]
            continue
        texts = question.texts[: None if question is questions[0] else 1]
        if question.via is None and world.chance(0.25) and months.count(f"{line.when:%Y %m}") == 1:
            texts = (*texts, about_month(world, line))
        newest = ", the newest on this" if question.changed else ""
        thinking = f"{_pointed(lines, line)}{newest}."
        kind = "follow-up" if turn else "read"
        if question.via is not None:
            kind, thinking = "chain", f"{_pointed(lines, question.via)}. {thinking}"
        tasks += [Task(kind, text, thinking, answered(text, line, question.sentence)) for text in texts]
    return replace(scene, turns=[*scene.turns, *turn], memories=lines.memories), tasks


def _pointed(lines: Shown, line: Line) -> str:
    """A line as thinking names it: rank, day and author."""
    rank = lines.rank(line)
    return f"{f'[{rank}] ' if rank else ''}{day(line.when)}, {line.author or 'me'}"


def _question(world: World, topics: Iterator[Topic]) -> Question:
    roll = world.rng.random()
    if roll < CHAINS and (topic := next((t for t in topics if t.ask_other), None)):
        return about_chain(world, topic)
    if roll < 0.5:
        return about_topic(world, next(topics))
    return about_event(world) if roll < 0.84 else about_view(world)


def _follow_ups(world: World) -> tuple[tuple[HistoryTurn, ...], list[Question], Task]:
    """A turn on a topic that changes, the questions that lean on it, and the one on its date."""
    rng = world.rng
    topic = rng.choice([t for t in world.bank.topics if t.changes])
    first = ask_topic(world, topic, None)
    assert first.answer is not None

    def also(texts: tuple[str, ...], author: str | None, before: bool) -> Question:
        assert first.answer is not None
        sentence = world.casual(world.fill(rng.choice(topic.say), v=world.value(topic.slot)))
        when = world.day_before(first.answer.when) if before else world.day_before()
        line = world.line(sentence, author, when)
        return Question((rng.choice(texts),), line, (first.answer,), sentence)

    earlier = ("and before that?", "and earlier?", "what was it before?", "before that?", "And before?")
    person = rng.choice(world.people)
    name = called(world, person)
    others = (f"and {name}?", f"what about {name}?", f"And {name}?")
    questions = [also(earlier, None, before=True), also(others, person, before=False)]
    rng.shuffle(questions)
    when = f"On {day(first.answer.when)}."
    asks = ("When was that?", "when did you say that?", "what date was that?", "and when?", "since when?")
    task = Task("follow-up", rng.choice(asks), "The date is in what I said last.", when)
    return (HistoryTurn(first.texts[0], quoted(first.answer, first.sentence)),), questions, task


def _unknown(world: World, topics: Iterator[Topic]) -> Task:
    """A question that nothing in sight answers."""
    rng = world.rng
    if world.chance(0.5):
        return _unanswered(world, asked(world, world.fill(rng.choice(world.bank.unknown_asks))))
    return _unanswered(world, about_topic(world, next(topics), answered=False).texts[0])


def _unanswered(world: World, text: str) -> Task:
    return Task("unknown", text, "Nothing here answers this.", world.rng.choice(world.bank.dont_know))


def _aside(world: World) -> Task:
    """Small talk, or something that no memory is needed for."""
    rng, bank = world.rng, world.bank
    if world.chance(0.5):
        text = world.fill(rng.choice(bank.off_ground_asks))
        return Task("off ground", text, "This is not about my messages.", rng.choice(bank.off_ground_replies))
    pair = rng.choice(bank.smalltalk)
    reply = world.fill(rng.choice(pair.reply), name=world.owner.split()[0])
    return Task("small talk", rng.choice(pair.ask), "Just small talk, no memory needed.", reply)


def _mention(world: World) -> Task:
    """A message that asks nothing: some talk, and often something told in it."""
    message = among_chatter(world, tell(world, 1)[0].statement) if world.chance(0.6) else chatting(world)
    return Task("mention", message, "Nothing is asked.", world.rng.choice(ACKNOWLEDGED))


def _with_card(world: World, scene: Scene, topic: Topic) -> tuple[Scene, Task]:
    """The scene with stable facts on the persona card, and the question that one of them answers."""
    question = ask_topic(world, topic, None)
    facts = [question.sentence, *(anything(world) for _ in range(world.rng.choice((0, 1, 2))))]
    world.rng.shuffle(facts)
    reply = f"I'd say: {question.sentence}"
    task = Task("card", question.texts[0], "A fact on my card.", reply)
    return replace(scene, card=card(world, facts)), task
