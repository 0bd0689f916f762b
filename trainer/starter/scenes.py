"""Scenes: a question set among memory lines, earlier turns, summaries and a persona card."""

from dataclasses import replace

from persona.chat.layout import HistoryTurn, Scene
from trainer.starter.questions import Question, about_event, about_topic, anything, quoted
from trainer.starter.world import Line, World, cluster_around, memories

_HABITS = ("hm", "ok", "so", "yeah", "well")
ACKNOWLEDGED = (
    "Noted.",
    "Good to know.",
    "Got it, thanks for telling me.",
    "Okay, I'll remember that.",
    "Nice!",
)


def user_said(world: World) -> str:
    told = world.rng.choice(world.bank.told)
    return world.casual(world.fill(world.rng.choice(told.say), v=world.value(told.slot)))


def scene_of(world: World, level: int, question: Question) -> tuple[Scene, int]:
    """The question among up to `level` memory lines, and the rank of the answer (0: a neighbour, or none)."""
    rng = world.rng
    special = [q for q in (question.answer, *question.rivals) if q is not None]
    room = max(level, 1)
    special = special[: max(1, room)]
    total = rng.randint(max(len(special), (room + 1) // 2), max(room, len(special)))
    clusters: list[list[Line]] = []
    hits: list[int] = []
    answer_cluster = -1
    spare = total - len(special)
    for line in special:
        size = 1 + min(spare, rng.choice((0, 0, 1, 1, 2, 4)))
        spare -= size - 1
        cluster, place = cluster_around(world, line, size)
        if line is question.answer:
            answer_cluster = len(clusters)
            if size > 1 and world.chance(0.12):
                place = (place + rng.choice((-1, 1))) % size
        clusters.append(cluster)
        hits.append(place)
    while spare > 0:
        size = min(spare, rng.choice((1, 1, 2, 3, 5)))
        spare -= size
        line = (
            world.chatter()
            if world.chance(0.5)
            else world.line(anything(world), rng.choice([None, *world.people]))
        )
        cluster, place = cluster_around(world, line, size)
        clusters.append(cluster)
        hits.append(place)
    ranks = _ranks(world, len(clusters), answer_cluster, len(special))
    served = memories(world, clusters, hits, ranks)
    rank = 0
    if answer_cluster >= 0 and clusters[answer_cluster][hits[answer_cluster]] is question.answer:
        rank = ranks[answer_cluster]
    return replace(bare(world, level, question.text), memories=served), rank


def _ranks(world: World, count: int, answer: int, special: int) -> list[int]:
    """Ranks as a good but fallible retriever gives them: the answer first in six cases of ten."""
    order = list(range(special, count))
    world.rng.shuffle(order)
    top = list(range(special))
    world.rng.shuffle(top)
    order = top + order
    if answer >= 0:
        order.remove(answer)
        place = 0 if world.chance(0.6) else world.rng.randrange(min(count, 6))
        order.insert(place, answer)
    ranks = [0] * count
    for rank, cluster in enumerate(order, 1):
        ranks[cluster] = rank
    return ranks


def bare(world: World, level: int, message: str) -> Scene:
    """A scene with no memories; at higher levels with earlier turns, a longer card, summaries."""
    rng = world.rng
    turns = history(world, rng.choice((0, 0, 1, 2, 3))) if level >= 4 and world.chance(0.4) else []
    if level >= 8 and world.chance(0.06):
        turns = history(world, rng.randint(6, 16))
    summaries: tuple[str, ...] = ()
    if level >= 6 and world.chance(0.12):
        said = [user_said(world) for _ in range(rng.randint(1, 5))]
        summaries = ("\n".join(f"- (turn {2 * i + 1}) user: {text}" for i, text in enumerate(said)),)
    facts = [anything(world) for _ in range(rng.choice((0, 0, 1, 2, 3)))] if level >= 3 else []
    return Scene(
        name=world.owner,
        card=card(world, facts),
        message=message,
        now=world.now,
        summaries=summaries,
        turns=turns,
        partner=rng.choice(world.people) if world.chance(0.08) else None,
        thinking=world.chance(0.35),
    )


def aside(world: World, level: int, message: str) -> Scene:
    """A scene whose memories, if any, have nothing to do with the message."""
    if world.chance(0.6):
        return bare(world, level, message)
    return scene_of(world, max(1, level // 2), Question(message, None, (world.chatter(),)))[0]


def history(world: World, count: int) -> list[HistoryTurn]:
    """Earlier turns of any kind."""
    rng = world.rng
    bank = world.bank
    turns = []
    for _ in range(count):
        roll = rng.random()
        if roll < 0.35:
            pair = rng.choice(bank.smalltalk)
            turns.append(
                HistoryTurn(
                    rng.choice(pair.ask), world.fill(rng.choice(pair.reply), name=world.owner.split()[0])
                )
            )
        elif roll < 0.8:
            asked = about_topic(world) if world.chance(0.5) else about_event(world)
            assert asked.answer is not None
            turns.append(HistoryTurn(asked.text, quoted(asked.answer, asked.sentence)))
        elif roll < 0.9:
            turns.append(HistoryTurn(user_said(world), rng.choice(ACKNOWLEDGED)))
        else:
            turns.append(HistoryTurn(world.fill(rng.choice(bank.unknown_asks)), rng.choice(bank.dont_know)))
    return turns


def card(world: World, facts: list[str]) -> str:
    """A persona card in the form the run time makes."""
    rng = world.rng
    languages = rng.choice(
        (
            "English",
            "English, some German",
            "English, German",
            "English, some French",
            "English, some Portuguese",
        )
    )
    style = rng.choice(
        (
            f"short messages (median {rng.randint(5, 16)} words), mostly lower case, few emoji",
            f"median {rng.randint(8, 25)} words a message, proper sentences",
            f"chatty, median {rng.randint(5, 20)} words, often starts with “{rng.choice(_HABITS)}”",
        )
    )
    card = f"Name: {world.owner}\nLanguages: {languages}\nStyle: {style}"
    return card + "\nFacts:\n" + "\n".join(f"- {f}" for f in facts) if facts else card
