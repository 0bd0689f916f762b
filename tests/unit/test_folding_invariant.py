"""What folding may never do, whatever is said, edited, chosen or deleted in between.

The check is its own, not the compressor's: it knows what was said, and reads lines as a reader would.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import NOW, House, make_house
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from persona.backends.base import Prompt
from persona.chat.events import PromptReady, TurnFinished, TurnRequest
from persona.chat.opening import open_sessions
from persona.chat.store import Summary
from persona.cli.root import run
from persona.config import Compression
from persona.lab.ab.choices import Choice, ChoiceBook, Shown

_LINE = re.compile(r"- \(turns? (\d+(?:, \d+)*)\) (?:(user|me): )?(.+)")
_RESOLVED = re.compile(r"\((?:\d{1,2} )?(?:[A-Z][a-z]+ )?\d{4}(?: (?:to|and) [^)]+)?\)")
_NAME_OR_NUMBER = re.compile(r"\b(?:[A-ZÀ-Þ]\w*|\w*\d\w*)")

_SAYINGS = (
    "My {w} is called Key{n}.", "I moved to Key{n} yesterday.", "Remember Key{n}: {w} at {n}:15.",
    "{w}? Key{n}!", "Key{n} und {w}, ich wohne jetzt in Key{n}.", "we paid Key{n} {n}.50 for the {w}\nok",
)  # fmt: skip
_THINGS = ("dog", "sister's cat", "Großmutter", "boat", "e.g. that", "naïve plan")
_SAID = st.tuples(st.sampled_from(_SAYINGS), st.sampled_from(_THINGS))
_FOLDING: tuple[Compression, ...] = ("extractive", "abstractive")


def babble(prompt: Prompt) -> str:
    """A bad model: right lines among those that move words, names and numbers between turns."""
    said = re.findall(r"\(turn (\d+)\) (\w+): (.+)", prompt.messages[-1].content)
    lines = []
    for n, (number, who, text) in enumerate(said):
        other = said[(n * 7 + 3) % len(said)][2]
        lines += [f"- (turn {number}) {who}: {text}", f"- (turn {number}) {who}: {other}"]
        lines += [f"- (turn {int(number) + 50}) {who}: {text}", f"- (turn {number}) {text} {n}9"]
    return "\n".join(lines)


def check_line(line: str, said: dict[int, list[str]]) -> None:
    """A line has its form, the turns it cites are there, and they hold its names and numbers."""
    match = _LINE.fullmatch(line)
    assert match, line
    numbers = [int(n) for n in match[1].split(",")]
    assert all(n in said for n in numbers), f"cites a turn that is not there: {line}"
    held = {word.casefold() for n in numbers for text in said[n] for word in re.findall(r"\w+", text)}
    # the date that a relative one meant is the one thing a line may add
    marked = _NAME_OR_NUMBER.findall(_RESOLVED.sub("", match[3]))
    assert {word.casefold() for word in marked} <= held, line


class Chat(RuleBasedStateMachine):
    """One chat, and beside it what was said in it."""

    def __init__(self) -> None:
        super().__init__()
        self.house = make_house(Path(":memory:"), 420)
        self.house.backend.summarise = babble
        self.session = self.house.sessions.create().id
        self.texts: dict[str, str] = {}
        """What each turn that is there says, by its id."""
        self.corrections: list[str] = []
        self.said = 0

    def _note(self) -> None:
        """Learn the ids of new turns, whose words are known from what was said."""
        for turn in self.house.sessions.turns(self.session, alternatives=True):
            self.texts.setdefault(turn.id, turn.text)

    def _run(self, text: str, compression: Compression, reply: str) -> None:
        self.house.backend.reply(reply)
        now = NOW + timedelta(days=self.said)
        request = TurnRequest(text, self.session, compression=compression, now=now)
        events = list(self.house.engine.turn(request))
        [ready] = [e for e in events if isinstance(e, PromptReady)]
        shown = self.house.chat_prompts[-1]
        assert self.house.backend.count_prompt(shown) == ready.tokens <= ready.budget
        [asked, answer] = self.house.sessions.turns(self.session)[-2:]
        assert (asked.text, answer.text) == (text, reply)
        self._note()

    @rule(
        compression=st.sampled_from([*_FOLDING, *_FOLDING, "off"]),
        sayings=st.lists(_SAID, min_size=1, max_size=9),
        idle=st.booleans(),
    )
    def say(self, compression: Compression, sayings: list[tuple[str, str]], idle: bool) -> None:
        for saying, word in sayings:
            self.said += 1
            said = saying.format(w=word, n=self.said)
            reply = " ".join([f"Reply {self.said} on Word{self.said}."] * (1 + self.said % 5))
            self._run(said, compression, reply)
            if idle:
                self.house.engine.idle(self.session)

    @precondition(lambda self: self.said > 2)
    @rule(which=st.integers(0, 1000))
    def delete(self, which: int) -> None:
        asked = [t for t in self.house.sessions.turns(self.session) if t.role == "user"]
        if len(asked) < 2:
            return
        gone = asked[which % (len(asked) - 1)]
        exchange = {
            t.id
            for t in self.house.sessions.turns(self.session, alternatives=True)
            if t.number == gone.number
        }
        self.house.sessions.delete_turn(gone.id)
        assert not any(exchange & set(s.turn_ids) for s in self._summaries())
        for id in exchange:
            del self.texts[id]

    @rule(which=st.integers(0, 1000))
    def forget_a_fact(self, which: int) -> None:
        facts = [f for f in self.house.engine.facts.told(self.session) if f.corrects is None]
        if facts:
            fact = facts[which % len(facts)]
            [turn] = fact.sources
            self.house.engine.facts.forget(fact.id)
            self.texts[turn] = self.texts[turn].replace(fact.text, "[forgotten]")
            assert not any(turn in s.turn_ids for s in self._summaries()), "made of the edited turn"

    @rule(which=st.integers(0, 1000))
    def correct_a_fact(self, which: int) -> None:
        facts = [f for f in self.house.engine.facts.told(self.session) if not f.superseded_by]
        if facts:
            fact = facts[which % len(facts)]
            self.corrections.append(f"My boat is called Right{len(self.corrections)}.")
            self.house.engine.facts.correct(fact.id, self.corrections[-1])
            assert not any(set(fact.sources) & set(s.turn_ids) for s in self._summaries())

    @precondition(lambda self: self.said > 0)
    @rule(which=st.integers(0, 1000))
    def choose_another_reply(self, which: int) -> None:
        turns = self.house.sessions.turns(self.session)
        replies = [t for t in turns if t.role == "assistant"]
        if not replies:
            return
        old = replies[which % len(replies)]
        new = self.house.sessions.add_reply(self.session, old.number, text="No idea.", status="complete")
        picked = Choice(Shown(old.id, "a"), Shown(new.id, "b"), "left", NOW)
        ChoiceBook(self.house.sessions).record(picked)
        self._note()

    def _summaries(self) -> Sequence[Summary]:
        return self.house.sessions.all_summaries(self.session)

    @invariant()
    def every_turn_is_there_word_for_word(self) -> None:
        stored = self.house.sessions.turns(self.session, alternatives=True)
        assert {t.id: t.text for t in stored} == self.texts

    @invariant()
    def every_line_holds(self) -> None:
        said: dict[int, list[str]] = {}
        for turn in self.house.sessions.turns(self.session):
            said.setdefault(turn.number, []).append(turn.text)
        for fact in self.house.engine.facts.told(self.session):
            if fact.corrects:
                said[fact.number].append(fact.text)
        ids = {t.id for t in self.house.sessions.turns(self.session)}
        for summary in self._summaries():
            assert set(summary.turn_ids) <= ids, "made of a turn that is not in force"
            for line in summary.text.splitlines():
                check_line(line, said)

    def teardown(self) -> None:
        """Every folded turn is found again by its own words."""
        turns = self.house.sessions.turns(self.session)
        folded = {id for s in self._summaries() for id in s.turn_ids}
        for turn in [t for t in turns if t.id in folded]:
            if key := re.search(r"\b(?:Key|Word)\d+\b", turn.text):
                check_asked(self.house, self.session, key[0], turn.text)


def check_asked(house: House, session: str, key: str, text: str) -> None:
    """Asking for a word shows the turn that said it: among the turns or the memories of the prompt."""
    house.backend.reply("ok")
    [done] = [
        e
        for e in house.engine.turn(TurnRequest(f"What was {key}?", session, now=NOW))
        if isinstance(e, TurnFinished)
    ]
    shown = "\n".join(m.content for m in house.chat_prompts[-1].messages)
    assert re.search(rf"\b{key}\b", shown.replace(f"What was {key}?", "")), key
    assert all(m.text.strip("… ") in text or key not in m.text for m in done.memories)
    house.sessions.delete_turn(house.sessions.turns(session)[-2].id)


Chat.TestCase.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None, phases=(Phase.explicit, Phase.generate)
)
TestChat = Chat.TestCase


@pytest.mark.parametrize("compression", _FOLDING)
def test_fifty_foldings_in_a_row_lose_nothing(tmp_path: Path, compression: Compression) -> None:
    # marks close to each other, so that nearly every turn folds
    house = make_house(tmp_path / "sessions.sqlite3", 420, high_mark=0.6, low_mark=0.5)
    house.backend.summarise = babble
    session = house.sessions.create().id
    foldings, turn = 0, 0
    said: dict[int, list[str]] = {}
    while foldings < 50:
        turn += 1
        text = _SAYINGS[turn % len(_SAYINGS)].format(w=_THINGS[turn % len(_THINGS)], n=turn)
        reply = f"Reply {turn} on Word{turn}."
        house.backend.reply(reply)
        events = list(house.engine.turn(TurnRequest(text, session, compression=compression, now=NOW)))
        [ready] = [e for e in events if isinstance(e, PromptReady)]
        assert house.backend.count_prompt(house.chat_prompts[-1]) == ready.tokens <= ready.budget
        house.engine.idle(session)
        said[turn] = [text, reply]
        foldings = sum(s.level == 1 for s in house.sessions.all_summaries(session))
    assert [t.text for t in house.sessions.turns(session)] == [t for pair in said.values() for t in pair]
    for summary in house.sessions.all_summaries(session):
        for line in summary.text.splitlines():
            check_line(line, said)
    for number in range(1, turn - 5, 19):
        check_asked(house, session, f"Key{number}", said[number][0])
        check_asked(house, session, f"Word{number}", said[number][1])


def test_summaries_can_be_read_with_their_levels_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    store = open_sessions()
    chat = store.create("Boats")
    for n in range(3):
        asked = store.add_user(chat.id, f"My boat is called Susi{n}.", at=datetime(2026, 1, 1, tzinfo=UTC))
        store.add_reply(chat.id, asked.number, text="Nice.", status="complete")
    turns = store.turns(chat.id)
    for first in (0, 2):
        text = f"- (turn {first // 2 + 1}) user: My boat is called Susi{first // 2}."
        store.add_summary(chat.id, strategy="extractive", turns=turns[first : first + 2], text=text)
    store.add_summary(
        chat.id,
        strategy="extractive",
        turns=turns[:4],
        text="- (turn 1) user: My boat is called Susi0.",
        replaces=store.summaries(chat.id, "extractive"),
    )
    store.close()
    assert run(["sessions", "show", chat.id, "--summaries", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["summaries"]
    assert [(s["level"], s["in_force"], len(s["turn_ids"])) for s in shown] == [
        (1, False, 2),
        (2, True, 4),
        (1, False, 2),
    ]
    merged = next(s for s in shown if s["level"] == 2)
    assert set(merged["replaces"]) == {s["n"] for s in shown if s["level"] == 1}
    assert merged["lines"] == ["- (turn 1) user: My boat is called Susi0."]
    assert set(merged["turn_ids"]) == {t.id for t in turns[:4]}
    assert run(["sessions", "show", chat.id, "--summaries"]) == 0
    said = capsys.readouterr().out
    assert "turns 1 to 2, level 2, under extractive: extractive\n- (turn 1) user" in said
    assert "turns 2 to 2, level 1, under extractive: extractive, merged since" in said
