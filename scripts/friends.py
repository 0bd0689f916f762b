"""Talks of friends over a year, made from the starter's wordings, with questions whose proof is known.

What a question asks and what was told share few words, as among people: some tell of it by themselves, some
when asked, and some answer with the bare value, so that only the question beside it says what it is. Long
turns hold other things, too. Topics come up again, others tell of the same topic, and some of what is asked
was never told. Some ask back in the same turn, and some questions are on two people at once. Nothing of
LoCoMo is in it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from knowledge.archive import Archive
from knowledge.records import Identity, ImportReport, Message
from trainer.starter.bank import Topic, load
from trainer.starter.events import event
from trainer.starter.world import World

BEGAN = datetime(2023, 1, 3, 9, tzinfo=UTC)
SESSIONS = 24
TOPICS = 70
UNTOLD = 40
ASK_BACK = 0.1
_BARE = (
    "{v}",
    "{v}!",
    "It's {v}.",
    "that would be {v}, why?",
    "{v}, for a while now",
    "oh, {v} :)",
    "{v} of course",
    "Must be {v} I think",
)
_BACK = ("And you?", "What about you?", "And yours?", "How are you?")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the ids of the messages that prove its answer; none when it has none.

    elsewhere: of the messages in which somebody else tells what this one is asked for: no answer, but what is
    to be shown to say so ("that was Ana, not me").
    """

    text: str
    proof: frozenset[str]
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Talks:
    """An archive, what is asked of it, and when."""

    archive: Archive
    questions: Sequence[Asked]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Said:
    author: str
    text: str
    id: str = ""


class _Friends:
    def __init__(self, seed: int, owner: bool) -> None:
        self.rng = random.Random(seed)
        self.world = World(self.rng, load())
        names = sorted(v for v in self.world.bank.values["first_name"] if v[:1].isupper())
        first, *others = self.rng.sample(names, 9)
        self.world.owner, self.world.people = first, tuple(others)
        self.first, self.others = first, others[:6] if owner else others[:1]
        self.owner = owner
        self.told: list[tuple[str, list[_Said]]] = []
        self.questions: list[Asked] = []
        self.unproven: list[Asked] = []

    def tell_all(self) -> None:
        topics = self.rng.sample(self.world.bank.topics, TOPICS)
        untold = [t for t in self.world.bank.topics if t not in topics and t.ask_other]
        for topic in topics:
            if topic.ask_other:
                self._topic(topic)
        for topic in untold[:UNTOLD]:
            self.unproven.append(Asked(self._ask(topic, self._anybody()), frozenset()))
        for _ in range(TOPICS // 2):
            self._event()

    def messages(self) -> list[Message]:
        """Everything told, spread over the sessions, with small talk between."""
        self.rng.shuffle(self.told)
        sessions: dict[tuple[int, str], list[_Said]] = {}
        for with_whom, said in self.told:
            turns = sessions.setdefault((self.rng.randrange(SESSIONS), with_whom), [])
            turns += said
            turns += [self._chatter(with_whom) for _ in range(self.rng.choice((0, 1, 2)))]
        found = []
        for (number, with_whom), turns in sorted(sessions.items()):
            began = BEGAN + timedelta(days=12 * number + self.rng.randrange(8), hours=self.rng.randrange(10))
            for n, said in enumerate(turns):
                found.append(
                    Message(
                        id=said.id or f"{number}.{with_whom}.{n}",
                        source="friends",
                        conversation_id=f"{number}.{with_whom}",
                        conversation=f"session {number}",
                        author=Identity(f"friends:{said.author}", said.author),
                        sent_at=began + timedelta(seconds=40 * n),
                        text=said.text,
                    )
                )
        return found

    def _anybody(self) -> str:
        return self.first if self.world.chance(0.5) else self.rng.choice(self.others)

    def _topic(self, topic: Topic) -> None:
        who = self._anybody()
        everybody = [self.first, *self.others]
        told_by = [who]
        if self.world.chance(0.35):
            told_by.append(self.rng.choice([p for p in everybody if p != who]))
        proofs = []
        for teller in told_by:
            times = self.rng.choice((1, 1, 1, 2, 3))
            proofs.append(frozenset(self._tell(topic, teller) for _ in range(times)))
            self.questions.append(Asked(self._ask(topic, teller), proofs[-1]))
        both = self.rng.choice(topic.ask_other)
        if len(told_by) == 2 and both.count("{p}") == 1:
            text = both.replace("{p}", " and ".join(told_by))
            self.questions.append(Asked(text, proofs[0] | proofs[1]))
        if len(told_by) == 1 and self.world.chance(0.3):
            other = self.rng.choice([p for p in everybody if p != who])
            self.unproven.append(Asked(self._ask(topic, other), frozenset(), elsewhere=proofs[0]))

    def _ask(self, topic: Topic, who: str) -> str:
        if self.owner and who == self.first:
            return self.rng.choice(topic.ask)
        return self.rng.choice(topic.ask_other).replace("{p}", who)

    def _tell(self, topic: Topic, who: str) -> str:
        rng, world = self.rng, self.world
        value = world.value(topic.slot)
        sentence = world.casual(world.fill(rng.choice(topic.say), v=value))
        partner = rng.choice(self.others) if who == self.first else self.first
        id = f"told.{len(self.told)}"
        roll = rng.random()
        back = f" {self._back(topic)}" if world.chance(ASK_BACK) else ""
        if roll < 0.5:
            turns = [_Said(who, self._longer(sentence) + back, id), self._chatter(partner, partner)]
        else:
            answer = sentence if roll < 0.75 else rng.choice(_BARE).replace("{v}", value)
            question = _Said(partner, self._longer(rng.choice(topic.ask)))
            turns = [question, _Said(who, self._longer(answer) + back, id)]
        self.told.append((partner if who == self.first else who, turns))
        return id

    def _back(self, topic: Topic) -> str:
        """A question back: on the same, or on something else."""
        other = self.rng.choice(self.world.bank.topics)
        return self.rng.choice([*_BACK, self.rng.choice(topic.ask), self.rng.choice(other.ask)])

    def _event(self) -> None:
        who = self._anybody()
        happened = event(self.world, None)
        partner = self.rng.choice(self.others) if who == self.first else self.first
        id = f"told.{len(self.told)}"
        turns = [_Said(who, self._longer(happened.sentence), id), self._chatter(partner, partner)]
        self.told.append((partner if who == self.first else who, turns))
        asks = happened.mine if self.owner and who == self.first else happened.about
        self.questions.append(Asked(self.rng.choice(asks).replace("{p}", who), frozenset([id])))

    def _chatter(self, with_whom: str, who: str = "") -> _Said:
        who = who or self.rng.choice((self.first, with_whom))
        return _Said(who, self.world.fill(self.rng.choice(self.world.bank.chatter)))

    def _longer(self, sentence: str) -> str:
        """`sentence` in two of three turns among other things."""
        bank = self.world.bank
        long = [line for line in bank.chatter if len(line.split()) > 3]
        before, after = (self.world.fill(self.rng.choice(long)) for _ in range(2))
        shapes = [f"{before} {sentence}", f"{sentence} {after}", f"{before} {sentence} {after}"]
        return self.rng.choice([sentence, *shapes[:2], *shapes])


def talks(seed: int, *, owner: bool) -> Talks:
    """Two friends, or (owner) somebody with six friends who is asked as "you"; everything in memory."""
    friends = _Friends(seed, owner)
    friends.tell_all()
    messages = friends.messages()
    archive = Archive(None)
    archive.add(messages, ImportReport("friends", "friends"))
    if owner:
        with archive.writing() as db:
            db.execute("UPDATE identities SET is_self = 1 WHERE name = ?", (friends.first,))
    now = max(m.sent_at for m in messages) + timedelta(days=1)
    return Talks(archive, [*friends.questions, *friends.unproven], now)
