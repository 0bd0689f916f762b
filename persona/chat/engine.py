"""One turn, for every door: store, retrieve, lay out, stream, store.

Knows nothing of terminals, files or how its parts were opened.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from knowledge.records import Memory
from persona.backends.base import (
    Backend,
    ChatMessage,
    Done,
    Event,
    Prompt,
    Reason,
    Sampling,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from persona.chat.card import PersonaCard
from persona.chat.channels import Channel, channel, first_from, manner
from persona.chat.events import (
    PromptReady,
    Retrieved,
    Status,
    TurnEvent,
    TurnFinished,
    TurnRequest,
    TurnStarted,
)
from persona.chat.fact_book import FactBook
from persona.chat.layout import build
from persona.chat.left_out import shown_to
from persona.chat.manager import Composed, ConversationManager, Draft, Plan
from persona.chat.options import Options, aware
from persona.chat.pace import Speeds
from persona.chat.recall import ChatRecall, Question, together
from persona.chat.recorder import ReplyRecorder
from persona.chat.store import MemoryRef, SessionStore, Turn
from persona.config import Settings
from persona.errors import SessionError

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore
    from knowledge.progress import Progress

_log = logging.getLogger(__name__)

_CONTEXT_MESSAGES = 4
"""How many earlier user messages retrieval is given, for questions like "and before that?"."""


@dataclass(frozen=True, slots=True)
class ContextReport:
    """How full the context is before the next message, in the active model's tokens."""

    used: int
    budget: int
    window: int
    sections: dict[str, int] = field(default_factory=dict)


class Engine:
    """Runs turns with one model, one memory and one session store, all of which `close` closes."""

    def __init__(
        self,
        *,
        memory: "MemoryStore",
        sessions: SessionStore,
        backend: Backend,
        settings: Settings,
        card: PersonaCard,
        speeds: Speeds | None = None,
    ) -> None:
        self.memory = memory
        self.sessions = sessions
        self.backend = backend
        self.settings = settings
        self.facts = FactBook(sessions)
        self._recall = ChatRecall(sessions, self.facts)
        self._manager = ConversationManager(sessions, backend, settings, card, self.facts, speeds)
        self._guard = threading.Lock()
        self._idle_cancel: threading.Event | None = None
        self._running = 0
        self._last: dict[str, TurnRequest] = {}
        self._manners: dict[tuple[str | None, str], str] = {}

    @property
    def card(self) -> PersonaCard:
        """The persona card. One that is set is what the next prompt shows."""
        return self._manager.card

    @card.setter
    def card(self, card: PersonaCard) -> None:
        self._manager.card = card

    def turn(self, request: TurnRequest, cancel: threading.Event | None = None) -> Iterator[TurnEvent]:
        """Run one turn; work is done as the events are taken.

        The user's message is stored before the first event. Setting `cancel`, or closing the
        iterator, stops within a token and keeps what was said as a partial reply.
        Raises SessionError for an empty message, an unknown session, or a message that does not fit
        (it is stored all the same), and whatever memory and backend raise; the reply is then
        stored as failed, with what was said.
        """
        if not request.text.strip():
            raise SessionError("there is no message to answer", "write something first")
        if request.session_id is None:
            session = self.sessions.create()
        else:
            session = self.sessions.get(request.session_id)
        at = aware(request.now) if request.now else None
        asked = self.sessions.add_user(
            session.id,
            request.text,
            correspondent=request.correspondent,
            channel=request.channel,
            at=at,
        )
        yield from self._answer(asked, request, cancel)

    def regenerate(
        self,
        session_id: str,
        request: TurnRequest | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[TurnEvent]:
        """Answer the last user message again; the reply it had is kept as an alternative.

        `request` gives options only, its text is not used. Raises as `turn` does.
        """
        turns = self.sessions.turns(session_id)
        asked = next((t for t in reversed(turns) if t.role == "user"), None)
        if asked is None:
            raise SessionError(f"session `{session_id}` holds no message to answer", "write something first")
        options = request or self._last.get(session_id) or TurnRequest(asked.text)
        again = replace(options, text=asked.text, session_id=session_id)
        if options.correspondent is None:
            again = replace(again, correspondent=asked.correspondent, channel=asked.channel)
        previous = turns[-1].id if turns[-1].role == "assistant" else None
        yield from self._answer(asked, again, cancel, previous)

    def bare(
        self,
        messages: Sequence[ChatMessage],
        request: TurnRequest,
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        """The model alone on `messages`: no card, no memory, nothing stored.

        `request` gives options only. Raises ModelError when they do not fit the context.
        """
        with self._guard:
            self._running += 1
        self._interrupt_idle()
        try:
            options = self._options(request)
            prompt = Prompt(tuple(messages), options.thinks)
            sampling = options.sampling(self.backend.default_sampling(options.thinks), options.reply_tokens)
            yield from self.backend.stream(prompt, sampling, cancel or threading.Event())
        finally:
            with self._guard:
                self._running -= 1

    def index(
        self,
        cancel: threading.Event | None = None,
        progress: "Callable[[Progress], None] | None" = None,
    ) -> None:
        """Give messages their vectors where an import left some without, until `cancel` is set.

        Long work in a process of low priority: it may run beside turns, which search by words until
        then. Resumable. Raises ModelError when the embedding model cannot be loaded.
        """
        self.memory.embed_pending(progress, cancel, apart=True)

    def idle(self, session_id: str, cancel: threading.Event | None = None, *, prefill: bool = True) -> None:
        """Work for quiet moments: fold a chat above its high mark, and prefill its canonical history
        (not where the process ends with this turn).

        Returns early when `cancel` is set. A turn that starts meanwhile sets `cancel` itself, so that
        it never waits for more than a batch of tokens.
        """
        cancel = cancel or threading.Event()
        with self._guard:
            if self._running:
                return
            self._idle_cancel = cancel
        try:
            self._make_ready(session_id, cancel, prefill)
        finally:
            with self._guard:
                if self._idle_cancel is cancel:
                    self._idle_cancel = None

    def _make_ready(self, session_id: str, cancel: threading.Event, prefill: bool) -> None:
        draft = replace(self._draft_of(session_id), message=None)
        if not cancel.is_set():
            self._manager.idle_fold(draft, cancel)
        if prefill and not cancel.is_set():
            self.backend.prefill(build(self._manager.plan(draft).scene), cancel)

    def context(self, session_id: str) -> ContextReport:
        """What the next prompt of a chat starts from. Loads the model when it is not loaded yet."""
        plan = self._manager.plan(replace(self._draft_of(session_id), message=None))
        prompt = build(plan.scene)
        return ContextReport(
            used=self._manager.counter.prompt(prompt),
            budget=plan.budget.prompt,
            window=plan.budget.window,
            sections=self._sections(prompt),
        )

    def preview(self, request: TurnRequest) -> tuple[PromptReady, tuple[Memory, ...]]:
        """The prompt `request` would send, with its memories; nothing is stored or sent.

        With an empty text: the canonical history, to which the next message will be added. Raises
        SessionError for an unknown session or a message that does not fit.
        """
        session_id = request.session_id or ""
        options = self._options(request)
        draft = self._met(options.draft(session_id), request)
        asked = bool(request.text.strip())
        plan = self._manager.plan(draft if asked else replace(draft, message=None))
        found = self._retrieve(session_id, options, plan) if asked else ()
        examples = self._examples(options, plan) if asked else ()
        composed = self._manager.compose(plan, found, examples)
        return self._ready(composed, plan), composed.memories

    def load(self) -> None:
        """Load the model now rather than with the first turn; a door calls this once it has painted."""
        self.backend.count_tokens("")

    def close(self) -> None:
        """Stop idle work and close model, memory and sessions."""
        self._interrupt_idle()
        self.backend.close()
        self.memory.close()
        self.sessions.close()

    # One answer

    def _answer(
        self, asked: Turn, request: TurnRequest, cancel: threading.Event | None, previous: str | None = None
    ) -> Iterator[TurnEvent]:
        with self._guard:
            self._running += 1
        self._interrupt_idle()
        options = self._options(request)
        recorder = ReplyRecorder(
            self.sessions,
            asked.session_id,
            asked.number,
            thinking_on=options.thinks,
            previous=previous,
        )
        self._last[asked.session_id] = request
        status: Status = "failed"
        finished = False
        try:
            yield TurnStarted(asked.session_id, asked.id)
            self.facts.learn([asked])
            plan = self._manager.plan(
                self._met(options.draft(asked.session_id, before=asked.number), request)
            )
            found = self._retrieve(asked.session_id, options, plan, asked.number)
            composed = self._manager.compose(plan, found, self._examples(options, plan))
            prompt, tokens, memories = composed.prompt, composed.tokens, composed.memories
            recorder.memories = [MemoryRef(m.id, m.rank, m.score, m.why) for m in memories]
            yield Retrieved(memories)
            yield self._ready(composed, plan)
            own = self.backend.default_sampling(options.thinks)
            sampling = options.sampling(own, plan.budget.window - tokens)
            reason = yield from self._stream(prompt, sampling, cancel or threading.Event(), recorder)
            status = "partial" if reason == "cancelled" else "complete"
            finished = True
            reply_id = recorder.finish(status)
            yield TurnFinished(
                asked.session_id,
                reply_id,
                recorder.text,
                recorder.thinking,
                status,
                recorder.usage,
                memories,
                reason,
            )
        except (GeneratorExit, KeyboardInterrupt):
            status = "partial"
            raise
        except Exception as error:
            _log.error("turn failed: %s", type(error).__name__)
            raise
        finally:
            with self._guard:
                self._running -= 1
            if not finished:
                recorder.finish(status)

    def _retrieve(
        self, session_id: str, options: Options, plan: Plan, before: int | None = None
    ) -> Sequence[Memory]:
        """The memories for a message: what this chat was told and no longer shows, and the archive's.

        before: the number of the exchange it opens, None for the next one.
        """
        room, cost = plan.budget.memory, self._manager.memory_cost
        if room <= 0:
            return ()
        remembers, text = options.remembers, options.request.text
        question = Question(text, session_id, plan.first, turns=remembers, number=before)
        told: list[Memory] = []
        if session_id and options.folds:
            told = self._recall.search(question, budget_tokens=room // 2 if remembers else room, cost=cost)
        if not remembers:
            return shown_to(self.sessions, session_id, told)
        turns = self.sessions.turns(session_id) if session_id else ()
        earlier = [t.text for t in turns if t.role == "user" and (before is None or t.number < before)]
        room -= cost(told)
        where = self._channel(options.request)
        found = self.memory.search(
            text,
            now=plan.scene.now,
            budget_tokens=2 * room if where else room,
            cost=cost,
            context=earlier[-_CONTEXT_MESSAGES:],
        )
        if where:
            found = first_from(where, found, room, cost)
        return shown_to(self.sessions, session_id, together(question, told, found))

    def _examples(self, options: Options, plan: Plan) -> Sequence[str]:
        """Replies of the owner's to messages like this one, where the settings have room for them."""
        if not plan.budget.style:
            return ()
        return self.memory.replies_like(
            options.request.text,
            now=plan.scene.now,
            to=options.request.correspondent,
            channel=options.request.channel,
            budget_tokens=plan.budget.style,
            cost=self._manager.example_cost,
        )

    def _stream(
        self, prompt: Prompt, sampling: Sampling, cancel: threading.Event, recorder: ReplyRecorder
    ) -> Generator[TurnEvent, None, Reason]:
        """Pass on what the backend says, recorded first; returns the reason it ended."""
        reason: Reason = "cancelled"
        stream = self.backend.stream(prompt, sampling, cancel)
        try:
            for event in stream:
                if isinstance(event, TextDelta | ThinkingDelta):
                    recorder.add(event)
                    yield event
                elif isinstance(event, Usage):
                    recorder.usage = event
                    self._manager.pace.note(event)
                elif isinstance(event, Done):
                    reason = event.reason
        finally:
            if isinstance(stream, Generator):
                stream.close()
        return reason

    # What the request leaves to the settings

    def _options(self, request: TurnRequest) -> Options:
        return Options(request, self.settings)

    def _draft_of(self, session_id: str) -> Draft:
        """A draft with the options the chat was last used with."""
        asked = [t for t in self.sessions.turns(session_id) if t.role == "user"]
        met = (asked[-1].correspondent, asked[-1].channel) if asked else (None, None)
        last = self._last.get(session_id) or TurnRequest("", correspondent=met[0], channel=met[1])
        return self._met(self._options(last).draft(session_id), last)

    def _channel(self, request: TurnRequest) -> Channel | None:
        """Where the user and the owner meet, None where that is left open."""
        return channel(self.memory, request.channel) if request.channel else None

    def _met(self, draft: Draft, request: TurnRequest) -> Draft:
        """`draft` with where the user and the owner meet, and how the owner writes there."""
        where = self._channel(request)
        if where is None:
            return draft
        key = (request.correspondent, where.id)
        if key not in self._manners:
            self._manners[key] = manner(self.memory, request.correspondent, where)
        partner = f"{draft.partner} in {where.name}" if draft.partner else None
        return replace(draft, partner=partner, manner=self._manners[key])

    def _ready(self, composed: Composed, plan: Plan) -> PromptReady:
        sections = self._sections(composed.prompt)
        return PromptReady(composed.prompt, composed.tokens, plan.budget.prompt, sections, plan.budget)

    def _sections(self, prompt: Prompt) -> dict[str, int]:
        return {s.name: self._manager.counter.text(s.text) for s in prompt.sections}

    def _interrupt_idle(self) -> None:
        with self._guard:
            if self._idle_cancel is not None:
                self._idle_cancel.set()
