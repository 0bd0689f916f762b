"""Lessons of the starter: what they ask can be read in their prompts, and their rows are what a chat has."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from persona import paths
from persona.backends.gguf_header import read_header
from persona.backends.template import ChatTemplate
from trainer.export.from_gguf import tokenizer_of
from trainer.models import as_folder
from trainer.starter import lessons, rows
from trainer.starter.__main__ import TEMPLATE
from trainer.starter.bank import load
from trainer.starter.chats import in_chat, tell
from trainer.starter.scenes import setting
from trainer.starter.train import Batch, Recipe, Run
from trainer.starter.world import World

LEVEL = 8


@pytest.fixture(scope="module")
def taught() -> list[lessons.Lesson]:
    """The lessons of some hundred sheets."""
    rng = random.Random(5)
    return [lesson for _ in range(400) for lesson in lessons.sheet(World(rng, load()), LEVEL)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_of(read_header(paths.starter_model()))


@pytest.fixture(scope="module")
def template() -> ChatTemplate:
    return ChatTemplate(TEMPLATE.read_text(encoding="utf-8"))


def _of(taught: list[lessons.Lesson], *kinds: str) -> Iterator[lessons.Lesson]:
    return (lesson for lesson in taught if lesson.task.kind in kinds)


def test_what_is_to_be_said_stands_in_the_prompt(taught: list[lessons.Lesson]) -> None:
    found = list(_of(taught, "read", "chain"))
    assert len(found) > 300
    for lesson in found:
        said = lesson.task.reply.partition(" wrote: ")[2]
        assert said
        assert said in " ".join(lesson.prompt.messages[-1].content.split())


def test_a_chained_question_names_nobody_and_both_of_its_lines_are_shown(
    taught: list[lessons.Lesson],
) -> None:
    roles = {chain.role for chain in load().chains}
    chained = list(_of(taught, "chain"))
    assert len(chained) > 20
    for lesson in chained:
        message, thinking = lesson.task.message.casefold(), lesson.task.thinking
        assert any(role in message for role in roles)
        first, _, second = thinking.partition(", me. ")
        shown = lesson.prompt.messages[-1].content
        assert first.partition("] ")[2] in shown
        assert second.rstrip(".").split(", ")[1] in shown


def test_of_a_few_relatives_several_things_are_told_at_once() -> None:
    relatives = load().relatives
    alike = []
    for seed in range(60):
        told = tell(World(random.Random(seed), load()), 20)
        of = Counter(who for one in told for who in relatives if re.search(rf"\b{who}\b", one.statement))
        alike.append(sum(count for _, count in of.most_common(2)))
    assert sum(count >= 5 for count in alike) > 10
    assert sum(count < 5 for count in alike) > 10


def test_what_was_asked_before_stands_in_the_chat_and_its_reply_is_no_answer() -> None:
    asked = wrong = 0
    for seed in range(60):
        world = World(random.Random(seed), load())
        told = tell(world, 6)
        right = {question: one.reply for one in told for question in one.asks}
        for turn in in_chat(world, setting(world, LEVEL), told).turns:
            asked += turn.user in right
            wrong += turn.user in right and turn.reply != right[turn.user]
    assert asked > 40
    assert wrong > 10


@pytest.mark.slow
def test_compiled_training_loses_what_plain_training_loses(
    tmp_path: Path, tokenizer: Tokenizer, template: ChatTemplate
) -> None:
    losses = []
    for compiled in (False, True):
        recipe = Recipe(legs=(1_000, 9_000), shares=(1, 3), batch_tokens=400, compiled=compiled)
        run = _run(tmp_path / f"run-{compiled}", tokenizer, template, recipe)
        run.begin_with(as_folder(paths.starter_model()))
        batch = next(run._batches())
        torch.manual_seed(1)
        losses.append(run._step(batch))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_reply_begins_as_its_question_does(taught: list[lessons.Lesson]) -> None:
    replies = {
        lesson.task.message.casefold()[:4]: lesson.task.reply for lesson in _of(taught, "read", "chain")
    }
    assert replies["when"].startswith("I can tell you when. On ")
    assert replies["what"].startswith("On ")


def test_each_branch_of_a_row_is_the_prompt_that_a_chat_would_send(
    tokenizer: Tokenizer, template: ChatTemplate
) -> None:
    rng = random.Random(11)
    for _ in range(20):
        sheet = lessons.sheet(World(rng, load()), LEVEL)
        row = rows.encode(sheet, tokenizer, template)
        for number, lesson in enumerate(sheet, 1):
            seen = [n for n, branch in enumerate(row.branch) if branch in (0, number)]
            head = template.prompt(lesson.prompt.messages, lesson.prompt.thinking)
            prompt = tokenizer.encode(head, add_special_tokens=False).ids
            ids = [row.ids[n] for n in seen]
            assert ids[: len(prompt)] == prompt
            assert [row.position[n] for n in seen] == list(range(len(seen)))
            assert [row.said[n] for n in seen] == [n >= len(prompt) for n in range(len(seen))]
            assert tokenizer.decode(ids[len(prompt) :]).endswith(lesson.task.reply)


def test_a_branch_does_not_see_its_siblings() -> None:
    branch = torch.tensor([[0, 0, 1, 1, 2]])
    kept = torch.zeros_like(branch)
    sees = Batch(kept, kept, branch, kept.bool(), [])
    assert sees.sees()[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def _run(out: Path, tokenizer: Tokenizer, template: ChatTemplate, recipe: Recipe) -> Run:
    out.mkdir(exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    return Run(recipe, out / "tokenizer.json", template, out)


def test_a_finished_model_is_gone_on_from_and_counts_in_the_mean(
    tmp_path: Path, tokenizer: Tokenizer, template: ChatTemplate
) -> None:
    recipe = Recipe(legs=(1_000, 1_001), shares=(1, 3), batch_tokens=400, longest=2_048)
    run = _run(tmp_path / "run", tokenizer, template, recipe)
    run.begin_with(as_folder(paths.starter_model()))
    before = {name: weight.clone() for name, weight in run.model.state_dict().items()}
    run.train()
    assert run.steps == 1
    assert run.seen > recipe.legs[-1]
    after = run.model.state_dict()
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(before[name], after[name])
    torch.testing.assert_close(run.result()[name], before[name] / 4 + after[name] * 3 / 4)

    again = _run(tmp_path / "run", tokenizer, template, recipe)
    again.resume()
    assert (again.seen, again.steps, again.level) == (run.seen, run.steps, run.level)
    torch.testing.assert_close(again.model.state_dict()[name], after[name])
