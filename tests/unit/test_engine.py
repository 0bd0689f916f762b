"""The road of one turn: stored first, laid out within the budget, streamed, stored as it is said."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queued_backend import QueuedBackend

from knowledge.records import Memory
from persona.backends.base import TextDelta, ThinkingDelta
from persona.chat.card import PersonaCard
from persona.chat.engine import Engine
from persona.chat.events import PromptReady, Retrieved, TurnEvent, TurnFinished, TurnRequest, TurnStarted
from persona.chat.store import SessionStore
from persona.config import ChatSettings, Compression, MemorySettings, Settings
from persona.errors import ModelError, SessionError

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)


def memory(rank: int, text: str, words: int = 0) -> Memory:
    return Memory(
        id=f"slack:C1:{rank}",
        text=text + " blah" * words,
        author="Mira Sol",
        is_self=True,
        sent_at=datetime(2024, 3, rank, tzinfo=UTC),
        source="slack",
        conversation="#general",
        conversation_id="slack:C1",
        rank=rank,
        score=1 / rank,
        why="words: ring",
    )


@dataclass
class Shelf:
    """What a memory store gives for a search, within the budget it is asked to keep."""

    holds: list[Memory] = field(default_factory=list)
    asked: list[tuple[str, tuple[str, ...], int | None]] = field(default_factory=list)
    fails: Exception | None = None
    closed: bool = False
    embedded: int = 0

    def embed_pending(
        self, progress: object = None, cancel: threading.Event | None = None, *, apart: bool = False
    ) -> int:
        assert apart
        self.embedded += 1
        return 0

    def search(
        self,
        query: str,
        *,
        now: datetime,
        budget_tokens: int | None = 600,
        cost: Callable[[Sequence[Memory]], int],
        k: int | None = None,
        context: Sequence[str] = (),
    ) -> list[Memory]:
        self.asked.append((query, tuple(context), budget_tokens))
        if self.fails:
            raise self.fails
        served: list[Memory] = []
        for item in self.holds:
            if cost([*served, item]) <= (budget_tokens or 0):
                served.append(item)
        return served

    def close(self) -> None:
        self.closed = True


@dataclass
class House:
    """An engine over a scripted backend and a real session store."""

    engine: Engine
    backend: QueuedBackend
    sessions: SessionStore
    shelf: Shelf

    def say(self, text: str, reply: str = "fine.", **options: object) -> TurnFinished:
        self.backend.reply(reply)
        request = TurnRequest(text, now=NOW, **options)  # type: ignore[arg-type]
        return finished(self.engine.turn(request))


def finished(events: Iterator[TurnEvent]) -> TurnFinished:
    *_, last = events
    assert isinstance(last, TurnFinished)
    return last


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


def make_house(file: Path, context: int = 400, trained: int | None = None, **chat: object) -> House:
    backend, shelf, sessions = QueuedBackend(context, trained), Shelf(), SessionStore(file)
    engine = Engine(
        memory=shelf,  # type: ignore[arg-type]
        sessions=sessions,
        backend=backend,
        settings=Settings(
            chat=ChatSettings.model_validate({"reply_tokens": 40, **chat}),
            memory=MemorySettings(budget_tokens=100),
        ),
        card=PersonaCard("Mira Sol", "Name: Mira Sol"),
    )
    return House(engine, backend, sessions, shelf)


@pytest.fixture
def house(file: Path) -> House:
    return make_house(file)


def test_the_events_of_a_turn_come_in_order_and_the_reply_is_stored(house: House) -> None:
    house.shelf.holds = [memory(1, "I moved to Porto")]
    house.backend.reply("I live ", "in Porto.", thinking="[1] says so")
    events = list(house.engine.turn(TurnRequest("Where do you live?", now=NOW, thinking=True, seed=7)))
    kinds = [type(e) for e in events]
    assert kinds == [
        TurnStarted, Retrieved, PromptReady, ThinkingDelta, TextDelta, TextDelta, TurnFinished,
    ]  # fmt: skip
    started, found, ready, *_, done = events
    assert isinstance(started, TurnStarted)
    assert isinstance(found, Retrieved)
    assert isinstance(ready, PromptReady)
    assert isinstance(done, TurnFinished)
    assert [m.id for m in found.memories] == ["slack:C1:1"]
    assert ready.tokens <= ready.budget == 360
    assert ready.section_tokens["memories"] > 5
    assert (done.text, done.thinking, done.status) == ("I live in Porto.", "[1] says so", "complete")
    asked, reply = house.sessions.turns(started.session_id)
    assert (asked.text, asked.id) == ("Where do you live?", started.user_turn_id)
    assert (reply.id, reply.text, reply.thinking_on) == (done.reply_turn_id, "I live in Porto.", True)
    assert reply.memories[0].why == "words: ring"
    assert reply.usage == done.usage is not None
    assert house.backend.samplings[0].seed == 7
    assert house.backend.samplings[0].temperature == 0.6


def test_the_message_is_on_disk_before_anything_else_runs(house: House, file: Path) -> None:
    house.shelf.fails = RuntimeError("the index is broken")
    events = house.engine.turn(TurnRequest("keep me", now=NOW))
    started = next(events)
    assert isinstance(started, TurnStarted)
    assert not house.shelf.asked
    other = SessionStore(file)
    assert [t.text for t in other.turns(started.session_id)] == ["keep me"]
    with pytest.raises(RuntimeError):
        next(events)
    assert [(t.text, t.status) for t in other.turns(started.session_id)] == [
        ("keep me", "complete"),
        ("", "failed"),
    ]


def test_a_backend_that_breaks_off_leaves_what_was_said_as_failed(house: House) -> None:
    house.backend.say.put(TextDelta("half a "))
    house.backend.say.put(ModelError("out of memory", "smaller model"))
    with pytest.raises(ModelError):
        list(house.engine.turn(TurnRequest("hi", now=NOW)))
    [session] = house.sessions.list()
    reply = house.sessions.turns(session.id)[1]
    assert (reply.text, reply.status) == ("half a ", "failed")


def test_cancelling_keeps_what_was_said_as_partial(house: House) -> None:
    cancel = threading.Event()
    house.backend.reply("one ", "two ", "three")
    said = []
    for event in house.engine.turn(TurnRequest("count", now=NOW), cancel):
        said.append(event)
        if isinstance(event, TextDelta):
            cancel.set()
    done = said[-1]
    assert isinstance(done, TurnFinished)
    assert (done.text, done.status) == ("one ", "partial")
    assert house.sessions.turn(done.reply_turn_id).status == "partial"


def test_a_door_that_walks_away_leaves_a_partial_reply(house: House) -> None:
    house.backend.reply("one ", "two ", "three")
    events = house.engine.turn(TurnRequest("count", now=NOW))
    for event in events:
        if isinstance(event, TextDelta):
            break
    events.close()  # type: ignore[attr-defined]
    [session] = house.sessions.list()
    reply = house.sessions.turns(session.id)[1]
    assert (reply.text, reply.status) == ("one ", "partial")


def test_memory_can_be_switched_off(house: House) -> None:
    house.shelf.holds = [memory(1, "I moved to Porto")]
    done = house.say("Where do you live?", memory=False)
    assert done.memories == ()
    assert house.shelf.asked == []
    assert "Porto" not in house.backend.prompts[0].messages[-1].content


def test_retrieval_is_given_the_earlier_questions_and_the_token_budget(house: House) -> None:
    first = house.say("Where do you live?")
    house.say("and before that?", session_id=first.session_id)
    assert house.shelf.asked[1][:2] == ("and before that?", ("Where do you live?",))
    assert 0 < (house.shelf.asked[1][2] or 0) <= 100


def test_memories_leave_the_history_with_the_next_turn(house: House) -> None:
    house.shelf.holds = [memory(1, "I moved to Porto")]
    first = house.say("Where do you live?", "in Porto.")
    house.shelf.holds = []
    house.say("thanks", session_id=first.session_id)
    _, user, reply, last = house.backend.prompts[1].messages
    assert (user.content, reply.content) == ("Where do you live?", "in Porto.")
    assert last.content.endswith("thanks")
    assert "memories" not in last.content


def test_thinking_is_never_in_the_history(house: House) -> None:
    house.backend.reply("yes.", thinking="a secret thought")
    first = finished(house.engine.turn(TurnRequest("ready?", now=NOW, thinking=True)))
    house.say("and now?", session_id=first.session_id)
    assert all("secret" not in m.content for m in house.backend.prompts[1].messages)


def test_the_correspondent_is_told_to_the_model_and_stored(house: House) -> None:
    done = house.say("hi", correspondent="Jonas")
    assert "chatting with Jonas" in house.backend.prompts[0].messages[0].content
    assert house.sessions.turns(done.session_id)[0].correspondent == "Jonas"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_message_starts_nothing(house: House, text: str) -> None:
    with pytest.raises(SessionError):
        next(house.engine.turn(TurnRequest(text)))
    assert house.sessions.list() == []


def test_an_unknown_session_is_refused(house: House) -> None:
    with pytest.raises(SessionError, match="s-none"):
        next(house.engine.turn(TurnRequest("hi", session_id="s-none")))


def test_a_message_that_cannot_fit_is_stored_and_refused_with_a_remedy(house: House) -> None:
    with pytest.raises(SessionError, match="too long") as caught:
        list(house.engine.turn(TurnRequest("word " * 500, now=NOW)))
    assert "parts" in caught.value.hint
    [session] = house.sessions.list()
    assert house.sessions.turns(session.id)[0].text == "word " * 500
    assert house.say("short", session_id=session.id).status == "complete"


def test_the_window_is_never_larger_than_the_model_was_trained_on(file: Path) -> None:
    house = make_house(file, context=4000, trained=300)
    house.backend.reply("ok")
    [ready] = [e for e in house.engine.turn(TurnRequest("hi", now=NOW)) if isinstance(e, PromptReady)]
    assert ready.budget == 260


# Regenerate


def test_regenerate_replaces_the_reply_and_keeps_the_old_one(house: House) -> None:
    first = house.say("tell me", "old reply.")
    house.backend.reply("new reply.")
    again = finished(house.engine.regenerate(first.session_id))
    shown = house.sessions.turns(first.session_id)
    assert [t.text for t in shown] == ["tell me", "new reply."]
    everything = house.sessions.turns(first.session_id, alternatives=True)
    assert [t.text for t in everything] == ["tell me", "old reply.", "new reply."]
    assert again.reply_turn_id == shown[1].id
    assert len(house.backend.prompts[1].messages) == 2
    house.say("go on", session_id=first.session_id)
    assert [m.content for m in house.backend.prompts[2].messages[1:3]] == ["tell me", "new reply."]


def test_a_regeneration_that_fails_before_a_word_keeps_the_old_reply(house: House) -> None:
    first = house.say("tell me", "old reply.")
    house.backend.say.put(ModelError("gone", ""))
    with pytest.raises(ModelError):
        list(house.engine.regenerate(first.session_id))
    assert [t.text for t in house.sessions.turns(first.session_id)] == ["tell me", "old reply."]


def test_regenerate_answers_a_question_that_never_got_a_reply(house: House) -> None:
    session = house.sessions.create()
    house.sessions.add_user(session.id, "killed before a word")
    house.backend.reply("here I am.")
    assert finished(house.engine.regenerate(session.id)).text == "here I am."
    with pytest.raises(SessionError):
        next(house.engine.regenerate(house.sessions.create().id))


# Long chats


def chat(house: House, turns: int, **options: object) -> str:
    session_id: str | None = None
    for n in range(turns):
        session_id = house.say(
            f"My friend number {n} is called Person{n}.", "Good to know.", session_id=session_id, **options
        ).session_id
        assert session_id
        house.engine.idle(session_id)
    assert session_id
    return session_id


def test_folding_keeps_the_prompt_within_budget_and_the_names_in_it(house: House) -> None:
    session_id = chat(house, 30)
    assert all(house.backend.count_prompt(p) <= 360 for p in house.backend.prompts)
    system = house.backend.prompts[-1].messages[0].content
    assert "Earlier in this chat:" in system
    assert re.search(r"- \(turn \d+\) user: My friend number \d+ is called Person\d+\.", system)
    assert len(house.sessions.turns(session_id)) == 60


def test_folding_happens_in_batches_and_the_prompt_only_grows_between_them(house: House) -> None:
    chat(house, 30)
    shown = [p.messages[:-1] for p in house.backend.prompts]
    grown = sum(b[: len(a)] == a for a, b in pairwise(shown))
    assert grown >= 20
    assert grown < 29


def test_off_drops_the_oldest_and_writes_no_summary(house: House) -> None:
    session_id = chat(house, 30, compression="off")
    assert house.sessions.summaries(session_id, "extractive") == []
    last = house.backend.prompts[-1]
    assert house.backend.count_prompt(last) <= 360
    assert "Earlier in this chat:" not in last.messages[0].content
    assert "Person28" in last.messages[-3].content
    shown = [p.messages[:-1] for p in house.backend.prompts]
    assert sum(b[: len(a)] == a for a, b in pairwise(shown)) >= 20


def test_the_strategy_can_change_from_turn_to_turn(house: House) -> None:
    session_id = chat(house, 20)
    house.say("off now", session_id=session_id, compression="off")
    assert "Earlier in this chat:" not in house.backend.prompts[-1].messages[0].content
    house.say("on again", session_id=session_id, compression="extractive")
    assert "Earlier in this chat:" in house.backend.prompts[-1].messages[0].content


def test_without_idle_time_a_turn_folds_only_when_it_must(house: House) -> None:
    session_id = None
    for n in range(30):
        session_id = house.say(f"I met Person{n} in Town{n}.", session_id=session_id).session_id
        prompt = house.backend.prompts[-1]
        assert house.backend.count_prompt(prompt) <= 360
        assert "Person" in prompt.messages[-1].content
    assert session_id
    assert house.sessions.summaries(session_id, "extractive")


def test_a_single_turn_that_is_too_long_is_cut_with_an_ellipsis(house: House) -> None:
    first = house.say("my words " * 100, "a reply " * 150)
    house.say("short", session_id=first.session_id)
    user, reply = house.backend.prompts[1].messages[1:3]
    assert user.content.endswith("…")
    assert reply.content.endswith("…")
    assert house.backend.count_prompt(house.backend.prompts[1]) <= 360
    assert house.sessions.turns(first.session_id)[1].text == "a reply " * 150


def test_memories_count_against_the_budget(house: House) -> None:
    house.shelf.holds = [memory(n, f"fact number {n}", words=10) for n in range(1, 20)]
    done = house.say("tell me all " * 20)
    assert 0 < len(done.memories) < 19
    assert house.backend.count_prompt(house.backend.prompts[0]) <= 360


_MOVES = st.tuples(
    st.integers(1, 120), st.integers(0, 200), st.sampled_from(["off", "extractive"]), st.booleans()
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_MOVES, min_size=1, max_size=14), st.integers(150, 900), st.integers(0, 5))
def test_whatever_is_said_the_prompt_keeps_its_budget(
    moves: list[tuple[int, int, Compression, bool]], context: int, memories: int
) -> None:
    house = make_house(Path(":memory:"), context)
    house.shelf.holds = [memory(n + 1, "I moved to Porto", words=n * 9) for n in range(memories)]
    session = house.sessions.create()
    for n, (asked, said, compression, idle) in enumerate(moves):
        house.backend.reply(f"Reply {n} of Person{n}. " * (said // 5))
        request = TurnRequest(f"I met Person{n}. " * asked, session.id, compression=compression, now=NOW)
        try:
            events = list(house.engine.turn(request))
        except SessionError:
            house.backend.say.queue.clear()
            continue
        [ready] = [e for e in events if isinstance(e, PromptReady)]
        assert house.backend.count_prompt(house.backend.prompts[-1]) == ready.tokens <= ready.budget
        assert ready.tokens + house.backend.samplings[-1].max_tokens <= context
        assert ready.prompt.messages[-1].content.endswith(request.text.strip())
        if idle:
            house.engine.idle(session.id)


# Idle work


def test_idle_prefills_the_history_that_the_next_turn_starts_with(house: House) -> None:
    first = house.say("hello there", "hi.")
    house.engine.idle(first.session_id)
    canonical = house.backend.prefilled[-1]
    assert canonical.messages[-1].role == "assistant"
    house.say("next", session_id=first.session_id)
    assert house.backend.prompts[-1].messages[: len(canonical.messages)] == canonical.messages


def test_a_turn_interrupts_idle_work(house: House) -> None:
    first = house.say("hello", "hi.")
    house.backend.hold_prefill = True
    worker = threading.Thread(target=house.engine.idle, args=(first.session_id,))
    worker.start()
    assert house.backend.prefilling.wait(10)
    done = house.say("still there?", "yes.", session_id=first.session_id)
    worker.join(10)
    assert not worker.is_alive()
    assert done.text == "yes."


def test_idle_does_nothing_once_cancelled(house: House) -> None:
    first = house.say("hello", "hi.")
    cancel = threading.Event()
    cancel.set()
    house.engine.idle(first.session_id, cancel)
    assert house.backend.prefilled == []


def test_vectors_are_computed_apart_from_the_chat(house: House) -> None:
    house.engine.index()
    assert house.shelf.embedded == 1


def test_the_context_report_adds_up(house: House) -> None:
    first = house.say("hello there my friend", "hi.")
    report = house.engine.context(first.session_id)
    assert 0 < report.used <= report.budget == 360
    assert report.window == 400
    assert 0 < sum(report.sections.values()) <= report.used + len(report.sections) * 4
    before = report.used
    house.say("another message", session_id=first.session_id)
    assert house.engine.context(first.session_id).used > before


def test_close_closes_everything(house: House) -> None:
    house.engine.close()
    assert house.backend.closed
    assert house.shelf.closed
    with pytest.raises(SessionError):
        house.sessions.list()


def test_a_preview_is_the_prompt_that_is_sent_and_stores_nothing(house: House) -> None:
    house.shelf.holds = [memory(1, "I moved to Porto")]
    first = house.say("hello")
    for session_id in (None, first.session_id):
        request = TurnRequest("Where do you live?", session_id=session_id, now=NOW)
        before = [len(house.sessions.turns(s.id)) for s in house.sessions.list()]
        seen, memories = house.engine.preview(request)
        assert [len(house.sessions.turns(s.id)) for s in house.sessions.list()] == before
        house.backend.reply("In Porto.")
        sent = next(e for e in house.engine.turn(request) if isinstance(e, PromptReady))
        assert seen == sent
        assert [m.text for m in memories] == ["I moved to Porto"]
        assert seen.shares is not None
        assert seen.shares.prompt == seen.budget


def test_a_preview_without_a_message_is_what_the_next_one_is_added_to(house: House) -> None:
    first = house.say("hello")
    seen, memories = house.engine.preview(TurnRequest("", session_id=first.session_id, now=NOW))
    assert memories == ()
    assert "recent turns" in seen.section_tokens
    assert "message" not in seen.section_tokens
    assert seen.tokens == house.engine.context(first.session_id).used
