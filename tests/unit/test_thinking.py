"""Thinking and text come apart the same way however the output is cut."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from persona.backends.base import TextDelta, ThinkingDelta
from persona.backends.thinking import ThinkingSplitter

TAGS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
LEAK = re.compile(r"</?think>|<\|(im_start|im_end|endoftext)\|>")

FRAGMENTS = [
    *("<think>", "</think>", *TAGS),
    *("<", "</", "thi", "nk>", "<|im_", "start|>", "|>", "end", "think", ">"),
    *(" ", "\n\n", "Porto", "a < b", "é東", "\n"),
]
outputs = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


def split(
    pieces: list[str], *, thinking: bool = True, inside: bool = False, stops: tuple[str, ...] = ()
) -> tuple[str, str]:
    splitter = ThinkingSplitter(thinking=thinking, inside=inside, tags=TAGS, stops=stops)
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)] + splitter.finish()
    assert all(delta.text for delta in deltas)
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ThinkingDelta))
    return thought, "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@given(outputs, st.data(), st.booleans(), st.booleans())
def test_cuts_do_not_matter(output: str, data: st.DataObject, thinking: bool, inside: bool) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=8)))
    edges = [0, *cuts, len(output)]
    pieces = [output[a:b] for a, b in pairwise(edges)]
    how = {"thinking": thinking, "inside": inside}
    assert split(pieces, **how) == split([output], **how) == split(list(output), **how)


@given(outputs, st.booleans(), st.booleans())
def test_nothing_leaks(output: str, thinking: bool, inside: bool) -> None:
    thought, text = split([output], thinking=thinking, inside=inside)
    assert not LEAK.search(thought)
    assert not LEAK.search(text)
    assert (thought, text) == (thought.strip(), text.strip())
    assert thinking or not thought


@given(st.text(alphabet=st.characters(exclude_characters="<")))
def test_text_without_tags_is_text(text: str) -> None:
    assert split(list(text)) == ("", text.strip())


@given(outputs, st.sampled_from(["Porto", "a <", "\n\n", "think"]))
def test_a_stop_string_is_never_shown(output: str, stop: str) -> None:
    whole = split([output], stops=(stop,))
    assert whole == split(list(output), stops=(stop,))
    assert stop not in whole[1]


def test_a_think_block_and_its_reply() -> None:
    assert split(["<think>", "\n", "[1] says", " Porto", "\n", "</think>", "\n\n", "In", " Porto", "."]) == (
        "[1] says Porto",
        "In Porto.",
    )


def test_the_first_word_arrives_at_once_and_only_a_possible_tag_waits() -> None:
    splitter = ThinkingSplitter(thinking=False, tags=TAGS)
    assert splitter.feed("In") == [TextDelta("In")]
    assert splitter.feed(" 5 <") == [TextDelta(" 5")]
    assert splitter.feed(" 6") == [TextDelta(" < 6")]
    assert splitter.feed(" <|im") == []
    assert splitter.feed("_end|>") == []
    assert splitter.finish() == []


def test_a_prompt_that_opened_the_block_needs_no_tag() -> None:
    assert split(["hm", "</think>", "Porto"], inside=True) == ("hm", "Porto")
    assert split(["hm", "</think>", "Porto"], inside=True, thinking=False) == ("", "Porto")


def test_a_reply_that_ends_while_thinking_has_no_text() -> None:
    assert split(["<think>", "I wonder"]) == ("I wonder", "")
    assert split(["<think>", "I wonder"], thinking=False) == ("", "")


def test_a_dropped_tag_leaves_no_tag_behind() -> None:
    assert split(["<th<|im_end|>ink>x"])[1] == "<th ink>x"
    assert split(["a <|im_<|im_end|>end|> b"])[1] == "a <|im_ end|> b"


def test_a_stop_string_inside_the_thinking_does_not_stop() -> None:
    assert split(["<think>User: hm</think>Porto. User: more"], stops=("User:",)) == ("User: hm", "Porto.")
