"""What the owner answered, and to what: bursts, turns and exchanges out of messages.

    message  one record               "hm"
    burst    one author, little time  "hm" + "ok, at ten"
    turn     one side of the talk: the owner's burst, or all that others said before it
    episode  turns without a break between them

Knows nothing of prompts, categories or models.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from knowledge.records import Kind, StoredMessage

_UNANSWERABLE = ("notes",)
"""Sources in which nobody is answered."""

_NOT_THEIR_WORDS = frozenset({"forward", "patch", "quoted-only", "deleted", "superseded"})
"""Flags of what its sender did not write, or took back."""

_MOST_SAID = 5
"""Of what others said before a reply, the last few messages: nobody answers more at once."""


@dataclass(frozen=True, slots=True)
class Windows:
    """burst: most seconds between two messages of one burst. answer: most seconds until a reply, outside
    threads. pause: an episode ends where nobody wrote for this many seconds. turns: most earlier
    exchanges shown. bubbles: keep the messages of a burst on lines of their own, or join them.
    """

    burst: int = 180
    answer: int = 6 * 3600
    pause: int = 4 * 3600
    turns: int = 2
    bubbles: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """One side's turn. messages: oldest first."""

    mine: bool
    messages: tuple[StoredMessage, ...]

    @property
    def start(self) -> datetime:
        """When it began."""
        return self.messages[0].sent_at

    @property
    def end(self) -> datetime:
        """When it ended."""
        return self.messages[-1].sent_at

    def text(self, bubbles: bool) -> str:
        """What was said; where several others spoke, who said what."""
        names = {m.author for m in self.messages}
        named = not self.mine and len(names) > 1
        lines = [f"{m.author}: {m.text.strip()}" if named else m.text.strip() for m in self.messages]
        return ("\n" if bubbles or named else " ").join(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One reply of the owner with what it answered. earlier: turns before, oldest first, in pairs of
    the others' and the owner's. episode: the same for exchanges of one uninterrupted talk.
    """

    earlier: tuple[Side, ...]
    said: Side
    reply: Side
    episode: str

    @property
    def partner(self) -> str:
        """Who spoke last before the owner."""
        return self.said.messages[-1].author

    @property
    def partner_id(self) -> str:
        """Their account."""
        return self.said.messages[-1].author_id

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of every message in it."""
        return tuple(m.id for side in (*self.earlier, self.said, self.reply) for m in side.messages)


def exchanges(messages: Iterable[StoredMessage], windows: Windows) -> Iterator[Exchange]:
    """Every exchange in `messages` (any order), conversation by conversation."""
    for talk, threaded in _talks(messages):
        for episode in _episodes(talk, windows, threaded):
            yield from _within(episode, windows, threaded)


def own_words(message: StoredMessage) -> bool:
    """Whether its author wrote it, and stands by it."""
    return (
        message.kind == Kind.SPEECH
        and bool(message.text.strip())
        and not _NOT_THEIR_WORDS.intersection(message.flags)
    )


def _talks(messages: Iterable[StoredMessage]) -> Iterator[tuple[list[StoredMessage], bool]]:
    """Messages that follow each other, in time order, and whether they are a thread.

    The first message of a thread belongs to it and to the channel it was said in.
    """
    talks: dict[tuple[str, str | None], list[StoredMessage]] = defaultdict(list)
    for m in messages:
        if m.source in _UNANSWERABLE or not own_words(m):
            continue
        if m.thread is None or m.thread == m.id:
            talks[m.conversation_id, None].append(m)
        if m.thread is not None:
            talks[m.conversation_id, m.thread].append(m)
    for (_, thread), talk in sorted(talks.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        talk.sort(key=lambda m: (m.sent_at, m.id))
        yield talk, thread is not None or talk[0].source == "email"


def _episodes(
    talk: Sequence[StoredMessage], windows: Windows, threaded: bool
) -> Iterator[list[StoredMessage]]:
    """A thread is one episode; a channel breaks where nobody wrote for a while."""
    pause = timedelta(seconds=windows.pause)
    episode = [talk[0]]
    for before, message in pairwise(talk):
        if not threaded and message.sent_at - before.sent_at > pause:
            yield episode
            episode = []
        episode.append(message)
    yield episode


def _within(episode: Sequence[StoredMessage], windows: Windows, threaded: bool) -> Iterator[Exchange]:
    sides = _sides(episode, windows)
    first = next((n for n, side in enumerate(sides) if not side.mine), len(sides))
    for n in range(first + 1, len(sides), 2):
        said, reply = sides[n - 1], sides[n]
        if threaded or reply.start - said.end <= timedelta(seconds=windows.answer):
            earlier = tuple(sides[max(first, n - 1 - 2 * windows.turns) : n - 1])
            yield Exchange(earlier, said, reply, episode[0].id)


def _sides(episode: Sequence[StoredMessage], windows: Windows) -> list[Side]:
    """Turns that alternate. Of the owner's messages in a row only the first burst answers; what comes
    later, unasked, is left out with what it would have answered."""
    burst = timedelta(seconds=windows.burst)
    sides: list[list[StoredMessage]] = []
    for message in episode:
        last = sides[-1][-1] if sides else None
        if last is None or last.is_self != message.is_self:
            sides.append([message])
        elif not message.is_self or message.sent_at - last.sent_at <= burst:
            sides[-1].append(message)
    return [Side(s[0].is_self, tuple(s if s[0].is_self else s[-_MOST_SAID:])) for s in sides]
