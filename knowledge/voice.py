"""How the owner answered when something like this was said: examples of manner, not of fact.

A reply is the owner's next message after somebody else's, in the same stretch of talk. Replies to the
same person in the same channel come first, then those to that person, then those in that channel; among
these, replies to what is nearest in meaning (in words, where vectors are missing).
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from knowledge import passages
from knowledge.archive import CALLED, Archive
from knowledge.lexical import fold
from knowledge.records import StoredMessage

if TYPE_CHECKING:
    from knowledge.retrieval import Ranking
    from knowledge.timeline import Ints, Timeline

LineCost = Callable[[Sequence[str]], int]
"""Tokens of these examples as the caller will show them."""

MOST = 4
"""Examples in one prompt."""

_LOOKED_AT = 40
_LONGEST = 200
_NEAR = 0.25
"""The cosine, or share of the words, under which what was said is not alike."""

NOT_THEIR_WORDS = frozenset({"forward", "patch", "quoted-only", "deleted", "superseded"})
"""Flags of messages that show nobody's own manner, or were taken back."""

_BARE_LINK = re.compile(r"\S+://\S+")


def examples(
    archive: Archive,
    timeline: "Timeline",
    ranking: "Ranking",
    *,
    to: str | None,
    channel: str | None,
    budget_tokens: int,
    cost: LineCost,
) -> list[str]:
    """A few of the owner's replies, the likest first; [] when nothing alike was ever answered.

    ranking: of the message that is to be answered. to: a whole name of who says it, None for the owner.
    channel: where, a conversation's id or the name of a source; None where that is left open.
    """
    answered = _answered(archive, timeline, ranking, to, channel)
    stored = archive.by_key([int(timeline.key[p + 1]) for p in answered])
    chosen: list[str] = []
    seen: set[str] = set()
    for position in answered:
        reply = stored.get(int(timeline.key[position + 1]))
        text = _manner(reply) if reply else ""
        if not text or fold(text) in seen or cost([*chosen, text]) > budget_tokens:
            continue
        chosen.append(text)
        seen.add(fold(text))
        if len(chosen) == MOST:
            break
    return chosen


def _answered(
    archive: Archive, timeline: "Timeline", ranking: "Ranking", to: str | None, channel: str | None
) -> list[int]:
    """Positions of what others said that is alike and that the owner answered next, best first."""
    import numpy as np

    likeness = np.where(ranking.meaning > 0, ranking.meaning, ranking.covered * (not ranking.complete))
    part = ranking.timeline
    alike = np.flatnonzero((likeness >= _NEAR) & ~part.own & (part.place + 1 < len(timeline)))
    then = part.place[alike] + 1
    alike = alike[timeline.own[then] & (timeline.stretch[then] == timeline.stretch[then - 1])]
    met = np.isin(part.author[alike], _accounts(archive, to))
    there = np.isin(part.conversation[alike], _places(archive, channel))
    best: Ints = alike[np.lexsort((alike, -likeness[alike], ~there, ~met))]
    return [int(place) for place in part.place[best][:_LOOKED_AT]]


def _accounts(archive: Archive, name: str | None) -> list[int]:
    """Archive keys of every account of the person of that whole name."""
    if name is None:
        return []
    rows = archive.rows(
        f"SELECT key FROM identities WHERE COALESCE(person, key) IN ({CALLED.format('= ?')})",
        (name.strip().casefold(),),
    )
    return [int(key) for (key,) in rows]


def _places(archive: Archive, channel: str | None) -> list[int]:
    """Archive keys of the conversation of that id, or of all of that source."""
    rows = archive.rows("SELECT key FROM conversations WHERE id = ?1 OR source = ?1", (channel,))
    return [int(key) for (key,) in rows]


def _manner(reply: StoredMessage) -> str:
    """The beginning of a reply, "" where it shows no manner of the owner's."""
    if NOT_THEIR_WORDS & set(reply.flags) or not _BARE_LINK.sub("", reply.text).strip():
        return ""
    return next(iter(passages.split(reply.text, _LONGEST)), "")
