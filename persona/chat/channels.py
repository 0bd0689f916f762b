"""Where the owner talks with somebody: a channel, the manner of writing there, and what was said there first.

A channel is a conversation (`slack #general`), or all of a source (`email`) where somebody is met in many.
Knows nothing of sessions, prompts or models.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from knowledge.records import Memory, StoredMessage
from knowledge.text import one_line, printable
from persona.chat.style import measure, style_line

MOST = 12
"""Channels offered for one person."""

_READ = 500
"""The newest messages that tell the manner of a channel."""

_FEW = 5
"""Fewer messages of the owner's own say nothing of a manner."""


class Archive(Protocol):
    """What is asked of what the twin knows."""

    def messages(
        self, *, conversation: str | None = None, author: str | None = None, limit: int | None = 50
    ) -> Sequence[StoredMessage]:
        """The newest messages that fit, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """id: of a conversation, or the name of a source. name: shown. messages: how many somebody wrote."""

    id: str
    name: str
    messages: int = 0

    def holds(self, said: Memory | StoredMessage) -> bool:
        """Whether something was said there."""
        return self.id in (said.conversation_id, said.source)


def channels(archive: Archive, person: str) -> list[Channel]:
    """Where `person` (a whole name) wrote, the most used first; [] where they wrote nowhere."""
    said = archive.messages(author=person, limit=None)
    places = Counter((m.source, m.conversation_id, m.conversation) for m in said)
    sources = Counter(m.source for m in said)
    met = Counter(source for source, _, _ in places)
    found = [Channel(source, source, count) for source, count in sources.items() if met[source] > 1]
    found += [
        Channel(id, _named(source, conversation), count)
        for (source, id, conversation), count in places.items()
    ]
    return sorted(found, key=lambda c: (-c.messages, c.id))[:MOST]


def channel(archive: Archive, id: str) -> Channel:
    """The channel of that id, by its name where the archive still holds it."""
    held = archive.messages(conversation=id, limit=1)
    return Channel(id, _named(held[0].source, held[0].conversation) if held else id)


def manner(archive: Archive, person: str | None, where: Channel) -> str:
    """How the owner writes there: `In slack #general: short messages (median 6 words), no emoji`; "" where
    too little is known. person: who is met there, whose conversations stand for a whole source."""
    own = [m for m in _heard(archive, person, where) if m.is_self]
    style = measure(m.text for m in own[-_READ:])
    if style is None or style.messages < _FEW:
        return ""
    return f"In {where.name}: {style_line(style)}"


def first_from(
    where: Channel, memories: Sequence[Memory], budget_tokens: int, cost: Callable[[Sequence[Memory]], int]
) -> list[Memory]:
    """The best memory, then what was said in this channel, then the rest, as far as the budget goes."""
    ordered = [*memories[:1], *sorted(memories[1:], key=lambda m: not where.holds(m))]
    kept: list[Memory] = []
    for memory in ordered:
        if cost([*kept, memory]) <= budget_tokens:
            kept.append(memory)
    return kept


def _heard(archive: Archive, person: str | None, where: Channel) -> Sequence[StoredMessage]:
    heard = archive.messages(conversation=where.id, limit=2 * _READ)
    if heard or person is None:
        return heard
    theirs = [m.conversation_id for m in archive.messages(author=person, limit=_READ) if where.holds(m)]
    return [m for id in dict.fromkeys(theirs) for m in archive.messages(conversation=id, limit=_READ)]


def _named(source: str, conversation: str) -> str:
    return one_line(printable(f"{source} {conversation}"))
