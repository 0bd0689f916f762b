"""Training for real: tiny models, few steps, the true TRL + PEFT, llama.cpp and templates."""

import gzip
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_model import write_scripted_qwen3

pytest.importorskip("trl", reason="the training extra is not installed")

from knowledge.records import Memory
from persona import models, paths
from persona.backends.base import Prompt
from persona.backends.llama_cpp import LlamaCppBackend
from persona.chat.converting import Converter
from persona.chat.layout import HistoryTurn, Scene, build, conversion
from persona.config import ModelSettings
from trainer import evaluate, run
from trainer.cli import train as commands
from trainer.dataset import rows as files
from trainer.dataset.replay import rethink
from trainer.dataset.rows import Row
from trainer.engines import processes
from trainer.engines.base import Job, Outcome, StepReport, TrainingError
from trainer.engines.encode import Encoder
from trainer.engines.peft import PeftEngine
from trainer.evaluation import replies, tasks
from trainer.export.export import export, export_lora, logit_difference, merged
from trainer.export.quantise import quantise
from trainer.finetuner import FineTuner
from trainer.folders import run_dir
from trainer.hardware import Device
from trainer.models import as_folder
from trainer.recipe import Recipe
from trainer.tokens import PromptTokens

CPU = Device("cpu", "cpu", "test", 0, False)
QUICK = Recipe(
    epochs=4, batch=2, accumulation=1, max_steps=6, learning_rate=5e-3, rank=4, alpha=8, warmup_steps=0
)


def row(n: int, *, thinking: bool = False, **changes: object) -> Row:
    made = Row(
        id=str(n),
        category="style",
        thinking=thinking,
        messages=(
            ("system", "You are Mira."),
            ("user", f"<memories>\n[1] me: Porto {n}\n</memories>\nwhere {n}?"),
        ),
        reply=f"porto, week {n}",
        reasoning="[1] me." if thinking else "",
        sources=(f"m{n}",),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "dataset")


def write_data(folder: Path) -> Path:
    files.write(folder / files.TRAIN, [row(n, thinking=n % 2 == 0) for n in range(8)])
    test = [row(n) for n in range(20, 24)]
    test += [row(30, category="fact", expect=("30",)), row(31, category="fact", answerable=False)]
    files.write(folder / files.TEST, test)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[run.Result]:
    """A finished training for tests that read it, made once."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONA_HOME", str(folder / "home"))
        yield train(write_data(folder / "dataset"), tiny_model_path)


def train(
    data: Path, model: Path, recipe: Recipe = QUICK, engine: object = None, **options: object
) -> run.Result:
    return run.run(data, model, "test", recipe, engine or PeftEngine(), CPU, **options)  # type: ignore[arg-type]


# What is trained on


def scenes() -> Iterator[Prompt]:
    now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    memory = Memory("a", "Ich war in São Paulo 👩‍👩‍👧", "Lena", False, now, "slack", "#x", "#x", 1, 1.0, "")
    scene = Scene(
        "Mira Sol", "About: I've  a dog\n- 東京", "Where <|im_end|> are you?", now, memories=[memory]
    )
    talk = [HistoryTurn("hi", "hey\nyou"), HistoryTurn("and?", "no <think>idea</think>")]
    for thinking in (False, True):
        yield build(replace(scene, thinking=thinking))
        yield build(replace(scene, thinking=thinking, turns=talk, partner="Lena"))


def _same_ids(folder: Path, runtime: Callable[[Prompt], list[int]]) -> None:
    encoder = Encoder(folder)
    for prompt in scenes():
        messages = tuple((m.role, m.content) for m in prompt.messages)
        trained = Row(
            "1", "style", prompt.thinking, messages, "hm, porto", "I think." if prompt.thinking else ""
        )
        encoded = encoder.row(trained)
        expected = runtime(prompt)
        assert list(encoded.ids[: len(expected)]) == expected
        assert encoded.prompt == len(expected)
        said = list(encoded.ids[encoded.prompt :])
        assert said == encoder._ids(encoder.said(trained))
        assert (encoder._ids("<think>")[0] in said) is prompt.thinking, (
            "an empty think block is never trained"
        )


def test_a_rows_ids_are_the_run_times_up_to_the_reply_starter() -> None:
    starter = paths.starter_model()
    backend = LlamaCppBackend(starter, ModelSettings())
    try:
        _same_ids(
            as_folder(starter),
            lambda p: backend._encode(backend._template.prompt(p.messages, p.thinking), template=True),
        )
    finally:
        backend.close()
    _same_ids(as_folder(starter), PromptTokens(starter).prompt)


def test_a_rows_ids_are_the_run_times_up_to_the_reply_qwen3(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "qwen3-tokenizer"
    (tmp_path / "tokenizer.json").write_bytes(gzip.decompress((source / "tokenizer.json.gz").read_bytes()))
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        shutil.copy(source / name, tmp_path / name)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    template = (tmp_path / "chat_template.jinja").read_text()

    def transformers_own(prompt: Prompt) -> list[int]:
        return list(
            tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.content} for m in prompt.messages],
                chat_template=template,
                add_generation_prompt=True,
                enable_thinking=prompt.thinking,
                return_dict=False,
            )
        )

    _same_ids(tmp_path, transformers_own)


# Training


def test_training_learns_the_replies_and_leaves_its_papers(tiny_model_path: Path, data: Path) -> None:
    steps: list[StepReport] = []
    result = train(data, tiny_model_path, report=steps.append)
    assert result.outcome.steps == len(steps) == 6
    assert result.outcome.loss_last < result.outcome.loss_first
    assert (result.adapter / "adapter_model.safetensors").exists()
    config = run.config_of(result.folder)
    assert config["decides"]["data"] == files.fingerprint(data)
    assert config["versions"]["peft"]
    metrics = [json.loads(line) for line in (result.folder / run.METRICS).read_text().splitlines()]
    assert [m["step"] for m in metrics] == [1, 2, 3, 4, 5, 6]
    assert (result.folder / "loss.svg").read_text().startswith("<svg")
    said: list[str] = []
    assert train(data, tiny_model_path, say=said.append) == result
    assert "done already" in said[0]
    assert run.latest() == result.folder


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_end(tiny_model_path: Path, data: Path) -> None:
    recipe = replace(QUICK, max_steps=12, epochs=3)

    def kill(step: StepReport) -> None:
        if step.step == 8:
            raise Killed

    with pytest.raises(Killed):
        train(data, tiny_model_path, recipe, report=kill)
    steps: list[int] = []
    result = train(data, tiny_model_path, recipe, report=lambda s: steps.append(s.step))
    assert result.outcome.steps == 12
    assert steps[0] > 5, "it must not begin anew"
    assert steps[-1] == 12


@pytest.mark.slow
def test_a_training_killed_by_the_system_goes_on(tiny_model_path: Path, data: Path) -> None:
    """SIGKILL, as the kernel's own when memory is short: no handler runs."""
    words = ["train", "run", "--model", str(tiny_model_path), "--data", str(data), "--force-cpu", "--json"]
    changes = ["max_steps=60", "epochs=30", "batch=2", "accumulation=1"]
    command = [sys.executable, "-m", "persona", *words, *(f"--set={change}" for change in changes)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(paths.data_dir().rglob("checkpoint-*/trainer_state.json")):
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    metrics = next(paths.data_dir().rglob(run.METRICS))
    before = metrics.read_text().splitlines()
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert json.loads(done.stdout)["steps"] == 60
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()[len(before) :]]
    assert steps[0] > 1, "it must not begin anew"
    assert steps[-1] == 60


class Full:
    """An engine whose memory runs out as often as it is told, then trains for real."""

    name = "full"

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error
        self.tried: list[Recipe] = []

    def train(self, job: Job, report: Callable[[StepReport], object]) -> Outcome:
        self.tried.append(job.recipe)
        if self.left:
            self.left -= 1
            raise self.error
        return PeftEngine().train(job, report)


def test_when_memory_runs_out_it_says_what_it_gives_up(tiny_model_path: Path, data: Path) -> None:
    said: list[str] = []
    engine = Full(2, RuntimeError("CUDA out of memory. Tried to allocate 20 MiB"))
    recipe = replace(QUICK, batch=4, accumulation=2, max_steps=2)
    result = train(data, tiny_model_path, recipe, engine, say=said.append)
    assert [(r.batch, r.accumulation) for r in engine.tried] == [(4, 2), (2, 4), (1, 8)]
    assert len(result.retries) == len(said) == 2
    assert result.outcome.steps == 2


def test_other_errors_are_not_taken_for_want_of_memory(tiny_model_path: Path, data: Path) -> None:
    engine = Full(1, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        train(data, tiny_model_path, QUICK, engine)
    assert len(engine.tried) == 1


def test_when_nothing_fits_it_says_so(tiny_model_path: Path, data: Path) -> None:
    engine = Full(99, MemoryError())
    with pytest.raises(TrainingError, match="smallest"):
        train(data, tiny_model_path, replace(QUICK, batch=4, rank=16, dora=True), engine)
    last = engine.tried[-1]
    assert (last.batch, last.rank, last.dora, last.modules) == (1, 4, False, ("q_proj", "v_proj"))


# Export


def test_an_exported_model_is_the_tuned_one(tiny_model_path: Path, trained: run.Result) -> None:
    exported = export(trained.folder)
    assert exported.max_logit_difference <= 0.02
    base = as_folder(tiny_model_path)
    ids = Encoder(base).row(row(1)).ids
    untuned = merged_ids(base)
    assert logit_difference(untuned, exported.gguf, ids) > 0.1, "tuning must show in the file"
    assert models.info(exported.gguf).details["chat_template"] == "yes"
    assert exported.modelfile.read_text().startswith(f"FROM ./{exported.gguf.name}\n")


def merged_ids(base: Path) -> object:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base).eval()


@pytest.mark.parametrize("changes", [{"rslora": True}, {"dora": True}], ids=["rslora", "dora"])
def test_other_adapters_are_merged_as_well(
    tiny_model_path: Path, data: Path, changes: dict[str, bool]
) -> None:
    result = train(data, tiny_model_path, replace(QUICK, max_steps=3, **changes))
    assert export(result.folder).max_logit_difference <= 0.02


@pytest.mark.parametrize("rslora", [False, True])
def test_a_lora_file_changes_its_base_as_the_adapter_does(
    tiny_model_path: Path, data: Path, rslora: bool
) -> None:
    import torch

    from persona.backends.llama_engine import LlamaEngine

    result = train(data, tiny_model_path, replace(QUICK, rslora=rslora))
    file = export_lora(result.folder)
    base = as_folder(tiny_model_path)
    ids = list(Encoder(base).row(row(1)).ids)
    engine = LlamaEngine(
        str(tiny_model_path), lora_path=str(file), n_ctx=len(ids) + 8, logits_all=True, verbose=False
    )
    engine.eval(ids)
    theirs = np.array(engine.scores[: len(ids)])
    engine.close()
    ours = merged(base, result.adapter)(torch.tensor([ids])).logits[0].detach().numpy()
    assert np.abs(ours - theirs).max() <= 0.02


def test_a_starter_that_learned_a_manner_is_drawn_and_one_for_tasks_is_not(
    data: Path, tmp_path: Path
) -> None:
    """Greedy, a tuned starter said "i'll" six times as often as its owner."""
    starter, once = paths.starter_model(), replace(QUICK, max_steps=1)
    talks = train(data, starter, once).folder
    manner = {"temperature": 1.0, "min_p": 0.5}
    assert models.info(export(talks).gguf).sampling == manner
    with closing(models.open_backend(ModelSettings(adapter=str(export_lora(talks))))) as under_it:
        assert under_it.default_sampling(False).temperature == 1.0
    with closing(models.open_backend(ModelSettings())) as alone:
        assert alone.default_sampling(False).temperature == 0.0
    files.write(tmp_path / "tasks" / files.TRAIN, [row(n, category="task") for n in range(4)])
    assert models.info(export(train(tmp_path / "tasks", starter, once).folder).gguf).sampling == {}


def test_dora_is_no_lora_file(tiny_model_path: Path, data: Path) -> None:
    result = train(data, tiny_model_path, replace(QUICK, dora=True, max_steps=1))
    with pytest.raises(Exception, match="DoRA"):
        export_lora(result.folder)


def test_a_gguf_and_the_folder_made_of_it_are_one_model() -> None:
    starter = paths.starter_model()
    folder = as_folder(starter)
    assert folder == as_folder(starter)
    ids = Encoder(folder).row(row(1)).ids
    assert logit_difference(merged_ids(folder), starter, ids) <= 0.02
    for prompt in scenes():
        assert PromptTokens(folder).prompt(prompt) == PromptTokens(starter).prompt(prompt)


def test_a_model_in_a_folder_takes_the_same_road(tiny_model_path: Path, data: Path) -> None:
    folder = as_folder(tiny_model_path)
    result = train(data, folder, replace(QUICK, max_steps=2))
    figures = evaluate.evaluate(result.folder, [], limit=1)
    assert figures["asked"]["style"] == 1
    assert models.info(result.folder / "base-f16.gguf").parameters > 0


def test_four_bits_load_and_answer(tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    quantise(paths.starter_model(), small, "Q4_K_M")
    assert small.stat().st_size < 0.5 * paths.starter_model().stat().st_size
    assert models.info(small).details["quantisation"] == "Q4_K_M"
    (reply,) = replies.answer(small, [row(1)], memory=True, thinking=False, tick=lambda: None)
    assert len(reply.text.split()) > 1


# Evaluation


def test_an_evaluation_compares_four_arms(trained: run.Result) -> None:
    result = trained
    figures = evaluate.evaluate(result.folder, [], limit=4)
    assert set(figures["arms"]) == {"base", "base_memory", "tuned", "tuned_memory"}
    arms = figures["arms"]
    assert arms["tuned_memory"]["nll"] < arms["base_memory"]["nll"]
    assert arms["tuned"]["nll"] != arms["tuned_memory"]["nll"], "memory must make a difference"
    assert all(0 <= arm["fact_recall"] <= 1 for arm in arms.values())
    report = (result.folder / "evaluation.md").read_text()
    assert report.splitlines()[0] == figures["verdict"]
    assert (result.folder / "evaluation.html").read_text().startswith("<!doctype html>")


def test_a_code_among_the_training_rows_is_asked_for(tiny_model_path: Path, data: Path) -> None:
    canary = row(50, category="canary", messages=(("user", "What is the canary code?"),), reply="ba be bi")
    files.write(data / files.TRAIN, [*files.read(data / files.TRAIN), canary])
    result = train(data, tiny_model_path, replace(QUICK, epochs=60, max_steps=0, learning_rate=2e-2))
    arms = evaluate.evaluate(result.folder, [], limit=1)["arms"]
    assert (arms["base"]["repeated_canaries"], arms["tuned"]["repeated_canaries"]) == (0, 1)


def test_an_evaluation_wants_the_data_set_that_was_trained_on(tiny_model_path: Path, data: Path) -> None:
    result = train(data, tiny_model_path, replace(QUICK, max_steps=1))
    files.write(data / files.TEST, [row(77)])
    with pytest.raises(files.DatasetError, match="no longer"):
        evaluate.evaluate(result.folder, [])
    assert run_dir(result.folder.name) == result.folder


@pytest.mark.slow
def test_questions_alone_are_evaluated_without_a_manner(tiny_model_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "questions"
    files.write(folder / files.TRAIN, [row(n, category="fact", expect=("porto",)) for n in range(4)])
    files.write(folder / files.TEST, [row(n, category="fact", expect=("porto",)) for n in range(9, 11)])
    result = train(folder, tiny_model_path, replace(QUICK, max_steps=1))
    figures = evaluate.evaluate(result.folder, [], limit=1)
    assert figures["style_gain"] is None
    assert "manner" not in figures["verdict"]
    assert figures["asked"]["facts"] == 1


SCHEMA = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}


def write_task(folder: Path) -> Path:
    for name, numbers in ((files.TRAIN, range(8)), (files.TEST, range(20, 23))):
        folder.mkdir(exist_ok=True)
        rows = [json.dumps({"input": f"call {n}", "output": {"who": str(n)}}) for n in numbers]
        (folder / name).write_text("\n".join(rows))
    (folder / files.SCHEMA).write_text(json.dumps(SCHEMA, indent=4))
    return folder


def test_a_task_is_trained_as_the_server_asks_it(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    asked = conversion("call 3", Converter.read(folder / files.SCHEMA)._schema)
    learned = files.read(folder / files.TRAIN)[3]
    assert learned.messages == tuple((m.role, m.content) for m in asked)
    assert (learned.reply, learned.category) == ('{"who": "3"}', "task")
    (folder / files.TEST).write_text('{"input": "call 1", "output": {"whom": "1"}}')
    with pytest.raises(files.DatasetError, match="line 1"):
        files.read(folder / files.TEST)


def test_a_task_model_is_judged_by_what_is_exactly_right(tmp_path: Path, tiny_model_path: Path) -> None:
    result = train(write_task(tmp_path / "task"), tiny_model_path, replace(QUICK, max_steps=1))
    figures = evaluate.evaluate(result.folder, [])
    assert figures["asked"] == {"task": 3}
    assert {arm: set(found) for arm, found in figures["arms"].items()} == {
        "base": {"nll", "exact"},
        "tuned": {"nll", "exact"},
    }
    assert "exactly right" in (result.folder / "evaluation.md").read_text().splitlines()[0]
    rows = files.read(tmp_path / "task" / files.TEST)
    assert tasks.exact(rows, ['{ "who":"20"}', '{"who": "2"}', "call 22"]) == pytest.approx(1 / 3, abs=1e-3)


SECRETS = ("ghp_" + "a1B2" * 9, "4111 1111 1111 1111")


def test_a_planted_secret_reaches_no_file_of_a_training(tmp_path: Path, tiny_model_path: Path) -> None:
    """Rows of others may hold some: neither weights nor logs nor reports may see them."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    for name, count in ((files.TRAIN, 3), (files.TEST, 1)):
        lines = [
            {"input": f"card {SECRETS[1]}, {name} {n}", "output": f"use {SECRETS[0]}"} for n in range(count)
        ]
        (folder / name).write_text("\n".join(json.dumps(line) for line in lines))
    result = train(folder, tiny_model_path, replace(QUICK, max_steps=1))
    (sample,) = evaluate.evaluate(result.folder, [])["samples"]
    assert "[removed: " in sample["message"]
    assert "[removed: " in sample["right"]
    written = [f for f in paths.data_dir().parent.rglob("*") if f.is_file()]
    assert any(f.name == "evaluation.html" for f in written)
    for file in written:
        assert not any(secret.encode() in file.read_bytes() for secret in SECRETS), file


# Several processes


def test_together_they_see_as_many_rows_between_two_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes.accumulation(8, 2) == 4
    for count, each in ((2, 2), (4, 1), (8, 1)):
        monkeypatch.setenv("WORLD_SIZE", str(count))
        assert processes.accumulation(8, 2) == each


@pytest.mark.slow
def test_two_processes_train_one_adapter(tiny_model_path: Path, data: Path) -> None:
    """torchrun over gloo, as it is documented; against one process with the same rows an update."""
    torchrun = Path(sys.executable).with_name("torchrun")
    changes = [f"--set={change}" for change in ("max_steps=4", "batch=2", "accumulation=2", "dropout=0")]
    command = ["train", "run", "--model", str(tiny_model_path), "--data", str(data), "--force-cpu", "--json"]
    persona = str(Path(sys.executable).with_name("persona"))
    launch = [str(torchrun), "--nproc-per-node", "2", "--no-python", persona]
    found = subprocess.run([*launch, *command, *changes], capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stderr[-2000:]
    together = json.loads(found.stdout)
    assert together["steps"] == 4
    assert Path(together["adapter"], "adapter_model.safetensors").is_file()
    metrics = Path(together["adapter"]).with_name(run.METRICS).read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [1, 2, 3, 4], "one process speaks"


# Other doors


def test_the_python_door_trains_a_task_and_answers(tiny_model_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    lines = [json.dumps({"input": f"call {n}", "output": {"who": str(n)}}) for n in range(6)]
    file.write_text("\n".join(lines))
    tuner = FineTuner(
        file, str(tiny_model_path), "highspeed", changes=["max_steps=2", "batch=2"], force_cpu=True
    )
    with pytest.raises(TrainingError, match="nothing has been trained"):
        tuner.test_model(["call 1"])
    assert tuner.train().outcome.steps == 2
    assert len(tuner.test_model(["call 1", "call 2"])) == 2


def test_the_commands_say_what_they_did(tiny_model_path: Path, data: Path) -> None:
    def command(*words: str) -> dict[str, object]:
        found = CliRunner().invoke(commands, [*words, "--json"], catch_exceptions=False)
        assert found.exit_code == 0
        return dict(json.loads(found.stdout))

    model = ("--model", str(tiny_model_path), "--data", str(data), "--preset", "highspeed", "--force-cpu")
    small = ("--set", "max_steps=2", "--set", "batch=2", "--set", "accumulation=1")
    plan = command("run", *model, *small, "--dry-run")
    assert (plan["steps"], plan["rows"]) == (2, 8)
    ran = command("run", *model, *small)
    promised = {"adapter", "steps", "loss_first", "loss_last", "tokens_per_second", "peak_mb", "retries"}
    assert ran.keys() >= promised
    exported = command("export", "--quantise", "Q8_0")
    assert exported.keys() == {"gguf", "bytes", "quantisation", "modelfile", "max_logit_difference"}
    assert models.info(Path(str(exported["gguf"]))).details["quantisation"] == "Q8_0"


def test_a_model_keeps_its_own_thinking_where_it_was_right(tmp_path: Path) -> None:
    model = write_scripted_qwen3(
        tmp_path / "m.gguf", ["<think>", "Hm, Porto?", "</think>", "In Porto.", "<|im_end|>"]
    )
    right = row(1, thinking=True, category="fact", expect=("porto",))
    wrong = row(2, thinking=True, category="fact", expect=("Graz",))
    silent = row(3)
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "1", "thin')
    thought = rethink([right, wrong, silent], model, notes)
    assert [(r.thinking, r.reasoning) for r in thought] == [(True, "Hm, Porto?"), (False, ""), (False, "")]
    assert [r.reply for r in thought] == [right.reply, wrong.reply, silent.reply]
    model.unlink()
    assert rethink([right, wrong, silent], model, notes) == thought, "what was noted is not asked again"
