"""The conversation manager: which earlier turns a prompt shows verbatim, which as a summary.

Everything is measured in the active model's tokens. Turns that leave the prompt stay in the store.
Between two folds a prompt only grows at its end, so that the engine's prefix cache keeps the rest.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from knowledge.records import Memory
from persona.backends.base import Backend, Prompt
from persona.chat.budget import Budget, TokenCounter, readable, share, window_of
from persona.chat.card import PersonaCard
from persona.chat.extracting import TurnReader
from persona.chat.fact_book import FactBook
from persona.chat.folding import Folder, Interrupted, Job
from persona.chat.layout import HistoryTurn, Scene, build, example_lines, memory_lines
from persona.chat.pace import Pace, Speeds
from persona.chat.store import SessionStore, Turn
from persona.config import Compression, Settings

SUMMARY_SHARE = 0.35
"""Share of the history budget above which summaries are merged."""

WINDOW_FULL, WINDOW_KEPT = 0.9, 0.6
"""Without compression: shares of the history budget above which, and down to which, the oldest turns
are dropped from the prompt; what is above is room for the message."""

_LONG_TO_SAY = datetime(2026, 9, 30, 23, 58)
"""A Wednesday in September: hardly any time takes more tokens."""

_LEAST_TURN_TOKENS = 24
"""A turn is not shown cut to less than this: it would say nothing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the next prompt is for. message None: the canonical history, with no turn asked.

    session_id: "" for a chat that is not begun yet.
    before: only exchanges before this number are history; None takes all. reply_tokens: the reserve
    wanted for the reply. memory_tokens: the most for memories; style_tokens: for
    examples of style, beside them. manner: a line on how the owner writes where this is said. paced: whether
    a machine that reads slowly reads fewer of both.
    """

    session_id: str
    message: str | None
    now: datetime
    compression: Compression
    reply_tokens: int
    memory_tokens: int
    thinking: bool = False
    partner: str | None = None
    before: int | None = None
    instructions: str = ""
    style_tokens: int = 0
    manner: str = ""
    paced: bool = True


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answered question of the chat."""

    user: Turn
    reply: Turn

    @property
    def number(self) -> int:
        """Its number in the chat, from 1."""
        return self.user.number


@dataclass(frozen=True, slots=True)
class Plan:
    """A scene without its memories, and the budget it was made for.

    first: the number of the oldest exchange that it shows verbatim, whatever came before it was folded
    or dropped.
    """

    scene: Scene
    budget: Budget
    first: int = 1


@dataclass(frozen=True, slots=True)
class Composed:
    """A prompt ready to be sent, its exact tokens, and the memories that are really in it."""

    prompt: Prompt
    tokens: int
    memories: tuple[Memory, ...]


def exchanges(turns: Sequence[Turn], before: int | None = None) -> list[Exchange]:
    """The answered exchanges among `turns`, oldest first; a question without a reply is left out."""
    asked = {t.number: t for t in turns if t.role == "user"}
    return [
        Exchange(asked[t.number], t)
        for t in turns
        if t.role == "assistant"
        and t.text.strip()
        and t.number in asked
        and (before is None or t.number < before)
    ]


class ConversationManager:
    """Plans prompts for one backend, and folds what grew too long."""

    def __init__(
        self,
        sessions: SessionStore,
        backend: Backend,
        settings: Settings,
        card: PersonaCard,
        facts: FactBook,
        speeds: Speeds | None = None,
    ) -> None:
        self._sessions = sessions
        self._backend = backend
        self._chat = settings.chat
        self.card = card
        self._folding = threading.Lock()
        self.counter = TokenCounter(backend)
        self.pace = Pace(settings.memory.patience_seconds, speeds)
        self._folder = Folder(sessions, backend, self.counter, facts)
        self._reader = TurnReader(facts, backend) if settings.memory.model_facts else None

    def plan(self, draft: Draft) -> Plan:
        """Choose what the prompt shows besides its memories; folds first when it would not fit.

        Raises SessionError when the message alone is too long.
        """
        bare = self._scene(draft)
        budget = self._budget(draft, bare)
        if draft.compression == "off":
            return self._with_turns(bare, budget, draft, self._window(draft, bare, budget))
        if self._load(draft) > budget.history:
            self.fold(draft, budget)
        summaries = self._summaries(draft)
        while summaries and self.counter.texts(summaries) > budget.history // 2:
            summaries = summaries[1:]
        room = budget.history - self.counter.texts(summaries)
        turns = self._newest_within(self._unfolded(draft), room)
        return self._with_turns(replace(bare, summaries=summaries), budget, draft, turns)

    def _with_turns(self, scene: Scene, budget: Budget, draft: Draft, turns: Sequence[HistoryTurn]) -> Plan:
        numbers = [e.number for e in self._history(draft)]
        first = numbers[-len(turns)] if turns else numbers[-1] + 1 if numbers else 1
        return Plan(replace(scene, turns=turns), budget, first)

    def compose(self, plan: Plan, memories: Sequence[Memory], examples: Sequence[str] = ()) -> Composed:
        """The prompt of `plan` with its memories, exactly counted and never above the budget.

        examples: replies of the owner's that show how they write, the first to go where room is short.
        """
        scene = replace(plan.scene, memories=tuple(memories), style_examples=tuple(examples))
        prompt = build(scene)
        tokens = self.counter.prompt(prompt)
        while tokens > plan.budget.prompt and (smaller := _smaller(scene)):
            scene = smaller
            prompt = build(scene)
            tokens = self.counter.prompt(prompt)
        return Composed(prompt, tokens, tuple(scene.memories))

    def memory_cost(self, memories: Sequence[Memory]) -> int:
        """Tokens that `memories` take in a prompt, their fence included."""
        if not memories:
            return 0
        return self.counter.text("\n".join(("<memories>", *memory_lines(memories), "</memories>\n")))

    def example_cost(self, examples: Sequence[str]) -> int:
        """Tokens that examples of style take in a prompt, their heading included."""
        return self.counter.texts(example_lines(examples)) if examples else 0

    def idle_fold(self, draft: Draft, cancel: threading.Event) -> None:
        """Fold when the history is above the high mark; nothing is folded when `cancel` is set meanwhile.
        Where the settings want it, the model reads folded turns for facts then."""
        budget = self._budget(draft, self._scene(draft))
        if draft.compression != "off" and self._load(draft) > self._chat.high_mark * budget.history:
            with suppress(Interrupted):
                self.fold(draft, budget, cancel)
        if self._reader is not None and draft.session_id and not cancel.is_set():
            self._reader.read(draft.session_id, cancel)

    def fold(self, draft: Draft, budget: Budget, cancel: threading.Event | None = None) -> None:
        """Fold the oldest turns down to the low mark in one batch; the newest one always stays.

        cancel: set when the model is wanted elsewhere; None when it must not be asked at all.
        Raises Interrupted when `cancel` was set while the model wrote; nothing is folded then.
        """
        with self._folding:
            open_turns = self._unfolded(draft)
            standing = self.counter.texts(self._summaries(draft))
            # With summaries near their share, the low mark alone would leave no verbatim turns at all.
            low = self._chat.low_mark * budget.history
            keep = max(low - standing, low / 2)
            left = sum(self._cost(e) for e in open_turns)
            batch: list[Exchange] = []
            for exchange in open_turns[:-1]:
                if left <= keep:
                    break
                batch.append(exchange)
                left -= self._cost(exchange)
            if batch:
                limit = int(SUMMARY_SHARE * budget.history)
                job = Job(draft.session_id, draft.compression, limit, cancel)
                self._folder.fold(job, _both(batch))

    # What is there

    def _scene(self, draft: Draft) -> Scene:
        return Scene(
            name=self.card.name,
            card=f"{self.card.text}\n{draft.manner}".strip(),
            message=draft.message,
            now=draft.now,
            partner=draft.partner,
            thinking=draft.thinking,
            instructions=draft.instructions,
        )

    def _budget(self, draft: Draft, bare: Scene) -> Budget:
        wanted = self._wanted(draft)
        read = self.pace.affords(wanted) if draft.paced else wanted
        whole = self._shared(draft, self.counter.prompt(build(bare)), read)
        return whole if draft.compression == "off" else replace(whole, most_history=self._chat.history_tokens)

    def _wanted(self, draft: Draft) -> int:
        """Tokens of memories and examples of style, on a machine that reads them all in time."""
        return readable(self._backend.info, draft.memory_tokens) + draft.style_tokens

    def _shared(self, draft: Draft, base: int, read: int) -> Budget:
        info = self._backend.info
        return share(
            window_of(info),
            base=base,
            reply=draft.reply_tokens,
            memory=readable(info, draft.memory_tokens),
            style=draft.style_tokens,
            read=read,
        )

    def _history(self, draft: Draft) -> list[Exchange]:
        turns = self._sessions.turns(draft.session_id) if draft.session_id else ()
        return exchanges(turns, draft.before)

    def _unfolded(self, draft: Draft) -> list[Exchange]:
        folded = {
            turn_id
            for s in self._sessions.summaries(draft.session_id, draft.compression)
            for turn_id in s.turn_ids
        }
        return [e for e in self._history(draft) if e.user.id not in folded]

    def _summaries(self, draft: Draft) -> list[str]:
        standing = self._sessions.summaries(draft.session_id, draft.compression)
        return [s.text for s in standing if s.text]

    def _load(self, draft: Draft) -> int:
        """Tokens of the whole history as this strategy shows it."""
        turns = sum(self._cost(e) for e in self._unfolded(draft))
        return turns + self.counter.texts(self._summaries(draft))

    def _cost(self, exchange: Exchange) -> int:
        words = sum(self.counter.turn(t.id, t.text) for t in (exchange.user, exchange.reply))
        return words + self.counter.around_exchange()

    # What fits

    def _window(self, draft: Draft, bare: Scene, budget: Budget) -> list[HistoryTurn]:
        """The turns shown when nothing is folded: as many of the newest as fit.

        The oldest are dropped in batches, for a window that moved with every turn would keep no
        prefix. Where the batches fell is worked out anew each time, from what every prompt of the chat
        has in common: so it is the same in every process, and for a message as for the prefill before it.
        """
        room = self._usual_room(draft, bare)
        history = self._history(draft)
        costs = [self._cost(exchange) for exchange in history]
        asked = [self.counter.turn(exchange.user.id, exchange.user.text) for exchange in history]
        first = 0
        for last, message in enumerate([*asked, self.counter.text(bare.message or "")]):
            held = sum(costs[first:last])
            if held > WINDOW_FULL * room or held + message > room:
                kept = min(WINDOW_KEPT * room, room - message)
                while first + 1 < last and held > kept:
                    held -= costs[first]
                    first += 1
        return self._newest_within(history[first:], budget.history)

    def _usual_room(self, draft: Draft, bare: Scene) -> int:
        """Tokens for the history beside a message of no words: none that change with the time or the pace."""
        base = self.counter.prompt(build(replace(bare, message="", now=_LONG_TO_SAY)))
        return self._shared(draft, base, self._wanted(draft)).history

    def _newest_within(self, history: Sequence[Exchange], room: int) -> list[HistoryTurn]:
        shown: list[HistoryTurn] = []
        for exchange in reversed(history):
            turn = HistoryTurn(exchange.user.text, exchange.reply.text)
            cost = self._cost(exchange)
            if cost > room:
                if not shown and room >= _LEAST_TURN_TOKENS + self.counter.around_exchange():
                    shown.append(self._cut(turn, room - self.counter.around_exchange()))
                break
            shown.append(turn)
            room -= cost
        return shown[::-1]

    def _cut(self, turn: HistoryTurn, room: int) -> HistoryTurn:
        """A turn that alone is too long, its longer side cut first."""
        user = self.counter.cut(turn.user, max(room // 2, room - self.counter.text(turn.reply)))
        reply = self.counter.cut(turn.reply, room - self.counter.text(user))
        return HistoryTurn(user, reply)


def _both(batch: Sequence[Exchange]) -> list[Turn]:
    return [turn for exchange in batch for turn in (exchange.user, exchange.reply)]


def _smaller(scene: Scene) -> Scene | None:
    """`scene` without its least needed piece, None when nothing can go.

    Pieces are budgeted by their own tokens; joined they may take a few more, rarely.
    """
    if scene.style_examples:
        return replace(scene, style_examples=scene.style_examples[:-1])
    if scene.turns:
        return replace(scene, turns=scene.turns[1:])
    if scene.summaries:
        return replace(scene, summaries=scene.summaries[1:])
    if scene.memories:
        weakest = max(scene.memories, key=lambda m: m.rank)
        return replace(scene, memories=[m for m in scene.memories if m is not weakest])
    return None
