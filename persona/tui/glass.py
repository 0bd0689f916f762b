"""What the glass box shows: a prompt as it was or would be sent, and where each piece of it comes from.

Knows nothing of Textual.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.facts import Fact
from knowledge.records import Memory
from knowledge.text import prompt_safe
from persona.backends.base import Usage
from persona.chat.events import PromptReady, TurnRequest
from persona.chat.fact_book import FactBook
from persona.facts import Facts
from persona.tui.door import ChatEngine

if TYPE_CHECKING:
    from persona.chat.store import Summary, Turn

SENT = "sent with your last message"
WOULD_BE_SENT = "would be sent with what you have written"
TO_COME = "what your next message will be added to"

TOLD_HERE = "told in this chat"
PINNED = "pinned"
REMEMBERED = "told by these memories"
OTHERS = "told elsewhere"

_CITED = re.compile(r"\(turns? ([\d ,–-]+)\)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt that a model was given. usage: what the model said of it, None while it is at it."""

    ready: PromptReady
    memories: Sequence[Memory]
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Block:
    """A summary over what it stands for: the summaries it replaced, and the turns that none of those has.

    cited: the numbers of the exchanges its lines cite. in_prompt: whether this prompt holds it, and none
    that replaced it.
    """

    summary: "Summary"
    replaced: "Sequence[Block]"
    turns: "Sequence[Turn]"
    cited: frozenset[int]
    in_prompt: bool


@dataclass(frozen=True, slots=True)
class Glass:
    """heading: when this prompt is sent. facts: those in force, the newest first, by where they are met.
    replies: the chat's earlier ones, as far as the model's figures of them are stored, the newest first.
    """

    heading: str
    ready: PromptReady
    memories: Sequence[Memory]
    usage: Usage | None
    blocks: Sequence[Block]
    facts: Mapping[str, Sequence[Fact]]
    replies: "Sequence[Turn]" = ()

    @property
    def around(self) -> int:
        """Tokens that belong to no section: the template's own, and the joints."""
        return self.ready.tokens - sum(self.ready.section_tokens.values())


def look(engine: ChatEngine, request: TurnRequest, sent: Sent | None) -> Glass:
    """The prompt that was sent, or else the one that `request` would send. Blocks."""
    if sent is not None:
        heading, ready, memories, usage = SENT, sent.ready, sent.memories, sent.usage
    else:
        heading = WOULD_BE_SENT if request.text else TO_COME
        ready, memories = engine.preview(request)
        usage = None
    blocks = _blocks(engine, request, ready) if request.session_id and request.compression else ()
    facts = _facts(engine, request.session_id, memories)
    return Glass(heading, ready, memories, usage, blocks, facts, _replies(engine, request.session_id, usage))


def _replies(engine: ChatEngine, session_id: str | None, shown: Usage | None) -> "Sequence[Turn]":
    turns = engine.sessions.turns(session_id) if session_id else ()
    measured = [turn for turn in reversed(turns) if turn.usage]
    return measured[1:] if shown else measured


def _facts(
    engine: ChatEngine, session_id: str | None, memories: Sequence[Memory]
) -> Mapping[str, Sequence[Fact]]:
    here = FactBook(engine.sessions).told(session_id) if session_id else []
    shown = {m.id for m in memories} | {n.id for m in memories for n in (*m.before, *m.after)}
    found: dict[str, list[Fact]] = {place: [] for place in (TOLD_HERE, PINNED, REMEMBERED, OTHERS)}
    # in force here, whatever another chat was told since: so they are served
    found[TOLD_HERE] = [fact for fact in here if fact.superseded_by is None]
    known = {fact.id for fact in here}
    for fact in reversed(Facts(engine.memory, engine.sessions).told()):
        if fact.superseded_by is None and fact.id not in known:
            remembered = not shown.isdisjoint(fact.sources)
            found[PINNED if fact.pinned else REMEMBERED if remembered else OTHERS].append(fact)
    return found


def cited(text: str, first: int, last: int) -> list[int]:
    """The numbers of the exchanges that a summary's lines cite, in order; all of them where none does."""
    numbers: set[int] = set()
    for group in _CITED.findall(text):
        for part in group.split(","):
            ends = [int(n) for n in re.findall(r"\d+", part)]
            if ends:
                numbers.update(range(max(first, ends[0]), min(last, ends[-1]) + 1))
    return sorted(numbers) or list(range(first, last + 1))


def _blocks(engine: ChatEngine, request: TurnRequest, ready: PromptReady) -> Sequence[Block]:
    """Each summary in force as the root of a tree, down to the turns."""
    session_id = request.session_id or ""
    shown = next((s.text for s in ready.prompt.sections if s.name == "summaries"), "")
    turns = {turn.id: turn for turn in engine.sessions.turns(session_id)}
    stored = {summary.n: summary for summary in engine.sessions.all_summaries(session_id)}

    def block(summary: "Summary", *, above: bool = False) -> Block:
        text = prompt_safe(summary.text).strip()
        in_prompt = not above and bool(text) and text in shown
        replaced = [block(stored[n], above=above or in_prompt) for n in summary.replaces]
        deeper = {id for under in replaced for id in under.summary.turn_ids}
        own = [turns[id] for id in summary.turn_ids if id in turns and id not in deeper]
        numbers = cited(text, summary.first_turn, summary.last_turn) if text else ()
        return Block(summary, replaced, own, frozenset(numbers), in_prompt)

    standing = engine.sessions.summaries(session_id, request.compression or "off")
    return [block(summary) for summary in standing]
