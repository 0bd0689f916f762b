"""The hand-over between the engine's thread and the app's."""

from collections.abc import Iterator

from persona.backends.base import TextDelta, ThinkingDelta
from persona.chat.events import Retrieved, TurnEvent
from persona.errors import ModelError
from persona.tui.feed import Ended, Feed, pump


def test_waiting_text_is_merged_and_keeps_its_order() -> None:
    feed = Feed(lambda: None)
    for event in (ThinkingDelta("a"), ThinkingDelta("b"), TextDelta("c"), TextDelta("d"), Retrieved(())):
        feed.put(event)
    feed.put(TextDelta("e"))
    assert feed.drain() == [ThinkingDelta("ab"), TextDelta("cd"), Retrieved(()), TextDelta("e")]
    assert feed.drain() == []


def test_only_the_first_fragment_of_a_kind_wakes_the_app() -> None:
    wakes: list[int] = []
    feed = Feed(lambda: wakes.append(1))
    for n in range(50):
        feed.put(TextDelta(str(n)))
        if n % 10 == 0:
            feed.drain()
    assert len(wakes) == 1
    feed.put(Ended())
    assert len(wakes) == 2


def test_every_ending_is_told() -> None:
    def breaks_off() -> Iterator[TurnEvent]:
        yield TextDelta("x")
        raise ModelError("gone", "come back")

    def surprises() -> Iterator[TurnEvent]:
        raise ValueError("odd")
        yield

    for start, message in ((breaks_off, "gone"), (surprises, "ValueError: odd")):
        feed = Feed(lambda: None)
        pump(start, feed)
        last = feed.drain()[-1]
        assert isinstance(last, Ended)
        assert last.error is not None
        assert message in last.error.message

    feed = Feed(lambda: None)
    pump(lambda: iter((TextDelta("x"),)), feed)
    assert feed.drain() == [TextDelta("x"), Ended()]
