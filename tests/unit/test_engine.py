"""The road of one turn: stored first, laid out within the budget, streamed, stored as it is said."""

import threading
from pathlib import Path

import pytest
from house import NOW, House, finished, make_house, memory

from persona.backends.base import TextDelta, ThinkingDelta
from persona.chat.card import PersonaCard
from persona.chat.events import PromptReady, Retrieved, TurnFinished, TurnRequest, TurnStarted
from persona.chat.store import SessionStore
from persona.errors import ModelError, SessionError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture
def house(file: Path) -> House:
    return make_house(file)


def test_a_card_that_is_set_is_shown_from_the_next_message_on(house: House) -> None:
    house.say("Where do you live?")
    house.engine.card = PersonaCard("Mira Sol", "Name: Mira Sol\n- I live in Graz.")
    house.say("And now?")
    before, after = (prompt.messages[0].content for prompt in house.chat_prompts)
    assert "- I live in Graz." in after
    assert "- I live in Graz." not in before


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
