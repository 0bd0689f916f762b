"""`persona train`: from the archive to a tuned model. Found by `persona` through an entry point."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, progress, say, table

if TYPE_CHECKING:
    from persona.config import TrainSettings
    from trainer.dataset.prepare import Dataset
    from trainer.dataset.rows import Row
    from trainer.engines.base import StepReport


@click.group()
def train() -> None:
    """Tune a model so that it writes like you: prepare, run, evaluate, export."""


@train.command()
@click.option("--model", metavar="NAME_OR_PATH", help="The model to be tuned; else the one in use.")
@click.option("--out", type=click.Path(path_type=Path), help="The data set's folder.")
@click.option("--thinking", type=click.FloatRange(0, 1), default=0.5, show_default=True,
              help="Share of rows with reasoning.")  # fmt: skip
@click.option("--facts", type=click.FloatRange(0, 5), default=1.0, show_default=True,
              help="Questions on what you told, for each reply of yours.")  # fmt: skip
@click.option("--test", "test_share", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True,
              help="Share kept for the evaluation: the newest.")  # fmt: skip
@click.option("--per-contact", type=click.IntRange(min=1), default=400, show_default=True,
              help="Most replies to any one person.")  # fmt: skip
@click.option("--most", type=click.IntRange(min=1), help="Replies in all; the newest are taken.")
@click.option("--burst", type=click.IntRange(min=0), default=180, show_default=True,
              help="Seconds between two messages that are one reply.")  # fmt: skip
@click.option("--answer", type=click.IntRange(min=1), default=6 * 3600, show_default=True,
              help="Most seconds until a reply, outside threads.")  # fmt: skip
@click.option("--pause", type=click.IntRange(min=1), default=4 * 3600, show_default=True,
              help="Seconds of silence after which another talk begins.")  # fmt: skip
@click.option("--bubbles/--join", default=True, help="Messages in a row on lines of their own, or joined.")
@click.option("--canaries", type=click.IntRange(0, 20), default=0, show_default=True,
              help="Made-up codes to train on: does the tuned model repeat them?")  # fmt: skip
@click.option("--pseudonyms", is_flag=True, help="Other names for people, addresses and numbers.")
@click.option("--thinking-by", type=click.Choice(["rule", "model", "teacher"]), default="rule",
              show_default=True, help="Whose thinking is taught: a rule's, the model's own, or a rule's with"
              " reasons for decisions that a teacher finds in the talk.")  # fmt: skip
@click.option("--server", metavar="URL", help="An OpenAI-compatible API as the teacher; its key is"
              " PERSONA_TEACHER_KEY in the environment or `.env`. Else the model itself.")  # fmt: skip
@click.option("--teacher", metavar="NAME", help="The model's name behind --server.")
@click.option("--send-to", metavar="HOST", help="Allow rows to go to this other machine; remembered.")
@click.option("--yes", is_flag=True, help="Do not ask after the preview.")
@click.option("--dry-run", is_flag=True, help="Count and report, write nothing.")
@json_option
def prepare(
    model: str | None,
    out: Path | None,
    thinking: float,
    facts: float,
    test_share: float,
    per_contact: int,
    most: int | None,
    burst: int,
    answer: int,
    pause: int,
    bubbles: bool,
    canaries: int,
    pseudonyms: bool,
    thinking_by: str,
    server: str | None,
    teacher: str | None,
    send_to: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a data set of your replies and of questions on what you told."""
    from persona import config, paths
    from persona.chat.card import load_or_make
    from persona.cli.stores import open_memory
    from trainer.dataset import prepare as making
    from trainer.dataset.exchanges import Windows
    from trainer.dataset.replay import rethink
    from trainer.folders import dataset_dir
    from trainer.models import resolve
    from trainer.synthesis.command import reasons
    from trainer.synthesis.teacher import host_of
    from trainer.tokens import PromptTokens

    if server and not teacher:
        raise click.UsageError("--server wants --teacher: the model's name there")
    if server and host_of(server) and not pseudonyms:
        raise click.UsageError("rows leave this machine under other names only: add --pseudonyms")
    settings = config.load()
    source = resolve(model or settings.model.name)
    tokens = PromptTokens(source)
    folder = out or dataset_dir()
    options = making.Options(
        windows=Windows(burst=burst, answer=answer, pause=pause, bubbles=bubbles),
        thinking=thinking,
        facts=facts,
        test=test_share,
        per_contact=per_contact,
        most=most,
        canaries=canaries,
        pseudonyms=pseudonyms,
    )
    budget = settings.memory.budget_tokens if settings.memory.enabled else 0
    with open_memory() as memory, progress() as report:
        thinkers = {
            "model": partial(rethink, model=source, notes=folder / "thinking.jsonl", progress=report),
            "teacher": partial(reasons, server=server, teacher=teacher, model=str(source), send_to=send_to,
                               yes=yes, out=folder, memory=memory, report=report),
        }  # fmt: skip
        made = making.prepare(
            memory,
            load_or_make(paths.card_file(), memory),
            tokens,
            options,
            memory_tokens=budget if tokens.memory_tokens is None else min(budget, tokens.memory_tokens),
            progress=report,
            rethink=None if dry_run else thinkers.get(thinking_by),
        )
    if dry_run:
        made.report["training"] = _planned(made.train, source, settings.train)
    else:
        making.write(folder, made)
    _show_dataset(made, None if dry_run else folder, as_json)


def _planned(rows: "list[Row]", model: Path, settings: "TrainSettings") -> dict[str, Any]:
    """What training on these rows would take here, by the preset that suits the model."""
    from dataclasses import asdict

    from trainer import hardware, presets
    from trainer.estimate import estimate, parameters_of

    device = hardware.detect(force_cpu=settings.force_cpu, max_vram_gb=settings.max_vram_gb)
    preset = hardware.suited(device, parameters_of(model))
    found = asdict(estimate(rows, model, presets.recipe(preset), device))
    return {"preset": preset, "device": device.name, **found}


def _show_dataset(made: "Dataset", folder: Path | None, as_json: bool) -> None:
    report: dict[str, Any] = {**made.report, "folder": str(folder) if folder else None}
    if as_json:
        emit(report)
    else:
        shown = ("train", "test", "by_category", "by_source", "thinking", "unanswerable", "redactions",
                 "left_out", "tokens", "training")  # fmt: skip
        found = [(name.replace("_", " "), report[name]) for name in shown if name in report]
        table(["what", "count"], found)
    for warning in report["warnings"]:
        note(warning)
    if folder is None:
        note("nothing was written (dry run)")
    elif not as_json:
        say(f"written to {folder}; look through {folder / 'report.md'}, then `persona train run`")


@train.command()
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="A folder of .txt or .md files to ask questions about.")  # fmt: skip
@click.option("--each", type=click.IntRange(1, 10), default=2, show_default=True,
              help="Questions on each piece of text.")  # fmt: skip
@click.option("--schema", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The JSON schema of a task's outputs; with --about.")  # fmt: skip
@click.option("--about", metavar="TEXT", help="The task in words, for examples of it.")
@click.option("--count", type=click.IntRange(min=1), default=200, show_default=True,
              help="Examples of the task.")  # fmt: skip
@click.option("--model", metavar="NAME_OR_PATH", help="The model here that writes; else the one in use.")
@click.option("--server", metavar="URL", help="An OpenAI-compatible API that writes; its key is"
              " PERSONA_TEACHER_KEY in the environment or `.env`.")  # fmt: skip
@click.option("--teacher", metavar="NAME", help="The model's name behind --server.")
@click.option("--send-to", metavar="HOST", help="Allow texts to go to this other machine; remembered.")
@click.option("--yes", is_flag=True, help="Do not ask after the preview.")
@click.option("--prices", nargs=2, type=float, metavar="IN OUT", help="Dollars for a million tokens.")
@click.option("--test", "test_share", type=click.FloatRange(0, 0.5), default=0.2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The data set's folder.")
@click.option("--dry-run", is_flag=True, help="Show what would be asked, and of whom.")
@json_option
def generate(source: Path | None, schema: Path | None, as_json: bool, **options: Any) -> None:
    """Have a model write questions on texts, or examples of a task; the same command goes on after a kill."""
    from trainer.synthesis.command import generate as generating

    if (source is None) == (schema is None):
        raise click.UsageError("give either --from FOLDER or --schema FILE")
    if schema is not None and not options["about"]:
        raise click.UsageError("--schema wants --about: the task in words")
    if options["server"] and not options["teacher"]:
        raise click.UsageError("--server wants --teacher: the model's name there")
    with progress() as reporter:
        made = generating(source, schema, report=reporter, **options)
    if as_json:
        emit(made)
        return
    table(["what", "value"], [(key.replace("_", " "), value) for key, value in made.items()])
    if not options["dry_run"]:
        say(f"train on it: persona train run --data {options['out']}")


@train.command()
@click.option("--preset", metavar="NAME", help="Of `trainer/presets.toml`; else by the model's size.")
@click.option("--model", metavar="NAME_OR_PATH", help="Catalogue name, GGUF, or folder; else the one in use.")
@click.option("--data", type=click.Path(path_type=Path), help="A data set's folder; else the prepared one.")
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Another value; repeats.")
@click.option("--engine", "engine_name", type=click.Choice(["auto", "peft", "unsloth"]), default="auto")
@click.option("--force-cpu", is_flag=True, help="Leave the GPU alone.")
@click.option("--max-vram-gb", type=float, help="Take no more GPU memory than this.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what it takes.")
@json_option
def run(
    preset: str | None,
    model: str | None,
    data: Path | None,
    changes: tuple[str, ...],
    engine_name: str,
    force_cpu: bool,
    max_vram_gb: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train an adapter; the same command goes on where a killed one stopped."""
    from dataclasses import asdict

    from persona import config
    from trainer import hardware, presets
    from trainer import run as running
    from trainer.dataset import rows as files
    from trainer.engines import choose, processes
    from trainer.estimate import estimate, parameters_of
    from trainer.folders import dataset_dir
    from trainer.models import resolve

    settings = config.load()
    source = resolve(model or settings.model.name)
    choose.require_libraries()
    device = hardware.detect(
        force_cpu=force_cpu or settings.train.force_cpu,
        max_vram_gb=max_vram_gb or settings.train.max_vram_gb,
    )
    preset = preset or hardware.suited(device, parameters_of(source))
    recipe = presets.recipe(preset, changes)
    folder = data or dataset_dir()
    planned = estimate(files.read(folder / files.TRAIN), source, recipe, device)
    if dry_run:
        fits = hardware.suggest(device)
        plan = {
            "model": str(source),
            "preset": preset,
            "device": device.name,
            **asdict(planned),
            "suggestion": f"--model {fits.model} --preset {fits.preset} ({fits.why})",
        }
        emit(plan) if as_json else table(["what", "value"], list(plan.items()))
        return
    for warning in planned.warnings:
        note(warning)
    engine = choose.engine(engine_name, device)
    result = running.run(folder, source, preset, recipe, engine, device, report=_say_step, say=note)
    if not processes.is_main():
        return
    if as_json:
        emit(result.as_json())
    else:
        table(["what", "value"], list(result.as_json().items()))
        say("see whether it helped with `persona train evaluate`, then `persona train export`")


def _say_step(step: "StepReport") -> None:
    """One line that renews itself on a terminal; elsewhere about twenty lines in all."""
    line = (
        f"step {step.step} of {step.steps}: loss {step.loss:.3f}, {step.tokens_per_second:,.0f} tokens/s,"
        f" {step.memory_mb:,.0f} MB, {step.seconds_left / 60:.0f} min left"
    )
    last = step.step == step.steps
    if sys.stderr.isatty():
        click.echo(f"\r{line}\x1b[K", err=True, nl=last)
    elif last or step.step % max(1, step.steps // 20) == 0:
        note(line)


@train.command()
@click.option("--run", "name", metavar="NAME", help="Which training; else the newest finished one.")
@click.option("--quantise", type=click.Choice(["F16", "Q8_0", "Q4_K_M"]), default="F16", show_default=True)
@click.option("--lora", is_flag=True, help="The adapter alone, for llama.cpp to put on its base.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.")
@json_option
def export(name: str | None, quantise: str, lora: bool, out: Path | None, as_json: bool) -> None:
    """Write the tuned model as a GGUF that `persona models use` takes."""
    from trainer import run as running
    from trainer.engines import choose
    from trainer.folders import run_dir

    choose.require_libraries()
    from trainer.export import export as exporting

    folder = run_dir(name) if name else running.latest()
    if lora:
        file = exporting.export_lora(folder, out)
        emit({"gguf": str(file), "bytes": file.stat().st_size, "quantisation": "F32"}) if as_json else say(
            f"wrote {file}"
        )
        return
    exported = exporting.export(folder, quantise, out)
    if as_json:
        emit(exported.as_json())
    else:
        table(["what", "value"], list(exported.as_json().items()))
        say(f"chat with it: persona models use {exported.gguf}")


@train.command()
@click.option("--run", "name", metavar="NAME", help="Which training; else the newest finished one.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True,
              help="Most rows of each kind to ask.")  # fmt: skip
@json_option
def evaluate(name: str | None, limit: int, as_json: bool) -> None:
    """Measure whether tuning helped, on messages that were kept from it."""
    from persona.cli.stores import open_memory
    from trainer import run as running
    from trainer.engines import choose
    from trainer.folders import run_dir

    choose.require_libraries()
    from trainer import evaluate as evaluating

    folder = run_dir(name) if name else running.latest()
    with open_memory() as memory:
        others = [m for m in memory.messages(limit=None) if not m.is_self]
    with progress() as report:
        figures = evaluating.evaluate(folder, others, limit=limit, progress=report)
    if as_json:
        emit(figures)
        return
    say(figures["verdict"])
    arms = figures["arms"]
    table(
        ["", *arms], [[key.replace("_", " "), *(arm[key] for arm in arms.values())] for key in arms["base"]]
    )
    say(f"the whole report: {folder / 'evaluation.md'} and .html")
