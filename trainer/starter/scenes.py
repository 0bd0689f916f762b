"""Scenes: a question set among memory lines, earlier turns, summaries and a persona card."""

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.records import Memory
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


@dataclass(frozen=True, slots=True)
class Shown:
    """Memories as served, and the rank of each line that is a match (a neighbour has none)."""

    memories: list[Memory]
    ranks: dict[int, int]

    def rank(self, line: Line) -> int:
        """The rank of `line`, 0 when it is shown as a neighbour only."""
        return self.ranks.get(id(line), 0)


def shown(world: World, level: int, questions: Sequence[Question]) -> tuple[Shown, list[Question]]:
    """Up to `level` lines among which stand the answers of `questions`, and the questions that fit.

    The first question is the one the memories were looked up for: its lines have the best ranks.
    """
    rng = world.rng
    fitting, special = _fitting(max(1, level), questions)
    first = fitting[0].answer if fitting else None
    spare = rng.randint(0, max(0, level - len(special)))
    clusters: list[list[Line]] = []
    hits: list[int] = []
    for line in special:
        size = 1 + min(spare, rng.choice((0, 0, 1, 1, 2, 4)))
        spare -= size - 1
        cluster, place = cluster_around(world, line, size)
        if size > 1 and world.chance(0.12):
            place = (place + rng.choice((-1, 1))) % size
        clusters.append(cluster)
        hits.append(place)
    while spare > 0:
        size = min(spare, rng.choice((1, 1, 2, 3, 5)))
        spare -= size
        cluster, place = cluster_around(world, _filler(world), size)
        clusters.append(cluster)
        hits.append(place)
    lookup = {id(line) for q in fitting[:1] for line in (q.answer, q.via, *q.rivals) if line}
    related = [i for i, line in enumerate(special) if id(line) in lookup]
    answer = next((i for i, line in enumerate(special) if line is first), -1)
    ranks = _ranks(world, len(clusters), answer, related)
    matched = {id(clusters[i][hits[i]]): rank for i, rank in enumerate(ranks)}
    return Shown(memories(world, clusters, hits, ranks), matched), fitting


def _fitting(room: int, questions: Sequence[Question]) -> tuple[list[Question], list[Line]]:
    """The questions whose answers there is room for, and the lines of their answers and rivals."""
    fitting: list[Question] = []
    special: list[Line] = []
    for question in questions:
        needed = [line for line in (question.answer, question.via) if line is not None]
        if needed and len(special) + len(needed) > room:
            continue
        fitting.append(question)
        lines = [*needed, *question.rivals]
        known = {id(line) for line in special}
        special += [line for line in lines if id(line) not in known][: room - len(special)]
    return fitting, special


def _filler(world: World) -> Line:
    if world.chance(0.5):
        return world.chatter()
    return world.line(anything(world), world.rng.choice([None, *world.people]))


def _ranks(world: World, count: int, answer: int, related: list[int]) -> list[int]:
    """Ranks as a good but fallible retriever gives them: the answer first in three cases of four."""
    rng = world.rng
    related = rng.sample(related, len(related))
    others = [i for i in range(count) if i not in related]
    order = related + rng.sample(others, len(others))
    if answer >= 0:
        order.remove(answer)
        order.insert(0 if world.chance(0.76) else rng.randrange(min(count, 6)), answer)
    ranks = [0] * count
    for rank, cluster in enumerate(order, 1):
        ranks[cluster] = rank
    return ranks


def setting(world: World, level: int) -> Scene:
    """A scene without memories or message; at higher levels with earlier turns and summaries."""
    rng = world.rng
    turns = history(world, rng.choice((0, 0, 1, 2, 3))) if level >= 4 and world.chance(0.4) else []
    if level >= 8 and world.chance(0.12):
        turns = history(world, rng.randint(6, 16))
    summaries: tuple[str, ...] = ()
    if level >= 6 and world.chance(0.12):
        summaries = (recap(world, [user_said(world) for _ in range(rng.randint(1, 5))]),)
    return Scene(
        name=world.owner,
        card=card(world, []),
        message="",
        now=world.now,
        summaries=summaries,
        turns=turns,
        partner=rng.choice(world.people) if world.chance(0.08) else None,
    )


def recap(world: World, said: Sequence[str], first: int = 1) -> str:
    """A summary block as the extractive compressor writes it, from turn `first` on; a turn may tell much."""
    lines = []
    for text in said:
        lines.append(f"- (turn {first}) user: {text}")
        first += world.rng.choice((0, 1, 1, 2, 3))
    return "\n".join(lines)


def talk(world: World, count: int, told: Sequence[str]) -> list[HistoryTurn]:
    """Turns in which the user just talks, and the twin has nothing to say to it, or says something again.

    A twin of this size comes back to one of the things `told`: lessons must show that its own words far up
    are no answer, or it repeats them for ever.
    """
    rng = world.rng
    again = quoting_back(rng.choice([*told, sentence(world)])) if world.chance(0.6) else ""
    often = rng.choice((0.3, 0.6, 1.0))

    def reply() -> str:
        return again if again and world.chance(often) else _idle_reply(world, told)

    return [HistoryTurn(chatting(world), reply()) for _ in range(count)]


def quoting_back(statement: str) -> str:
    """What the user told, given back token for token."""
    return f"You told me: {statement}"


def _idle_reply(world: World, told: Sequence[str]) -> str:
    rng, bank = world.rng, world.bank
    roll = world.rng.random()
    if roll < 0.2:
        return quoting_back(rng.choice([*told, sentence(world)]))
    if roll < 0.35:
        line = world.chatter()
        return quoted(line, line.text)
    return rng.choice((*bank.dont_know, *bank.off_ground_replies, *ACKNOWLEDGED))


def chatting(world: World) -> str:
    """A message of small talk."""
    return " ".join(sentence(world) for _ in range(world.rng.choice((1, 2, 3, 5, 7))))


def among_chatter(world: World, statement: str) -> str:
    """A message that tells something between other things."""
    parts = [statement]
    for _ in range(world.rng.choice((0, 0, 1, 2, 4, 5))):
        parts.insert(world.rng.randint(0, len(parts)), sentence(world))
    return " ".join(parts)


def sentence(world: World) -> str:
    """A line of chatter that ends, so that the next one can be told from it."""
    text = world.fill(world.rng.choice(world.bank.chatter))
    return text if text[-1:] in ".!?" else f"{text}."


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
            turns.append(HistoryTurn(asked.texts[0], quoted(asked.answer, asked.sentence)))
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
