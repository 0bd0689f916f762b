"""Rebuild the starter model: `python -m trainer.starter` (tokenizer, training, GGUF)."""

import argparse
import os
from pathlib import Path
from shutil import copyfile

import persona.backends
from persona.backends.template import ChatTemplate
from persona.paths import bundled
from trainer.export.gguf import Header, write_qwen3
from trainer.models import as_folder
from trainer.starter import tokenizer
from trainer.starter.train import Recipe, Run

MEMORY_TOKENS = 120  # about three lines: of 80, 120, 150 and 200 it answers best with these (docs/LOG.md)
TEMPLATE = Path(persona.backends.__file__).parent / "templates" / "qwen3.jinja"

LEGS, SHARES = "tokens at the end of each leg of training", "what the end of each leg counts in the model"


def main() -> None:
    """Parse the options and run what is left to do; a killed run continues where it was."""
    parser = argparse.ArgumentParser(prog="python -m trainer.starter", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/starter"), help="checkpoints and metrics")
    parser.add_argument("--out", type=Path, default=bundled() / "models" / "starter.gguf")
    parser.add_argument("--legs", type=int, nargs="+", default=Recipe().legs, help=LEGS)
    parser.add_argument("--shares", type=int, nargs="+", default=Recipe().shares, help=SHARES)
    parser.add_argument(
        "--go-on-from", type=Path, help="a GGUF of an earlier run, for the end of the first leg"
    )
    parser.add_argument("--compiled", action="store_true", help="fused, in bfloat16; slow to begin")
    parser.add_argument("--export-only", action="store_true", help="write the GGUF of a run that has ended")
    options = parser.parse_args()

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    vocabulary = options.work / "tokenizer.json"
    earlier = as_folder(options.go_on_from) if options.go_on_from else None
    if earlier and not vocabulary.exists():
        options.work.mkdir(parents=True, exist_ok=True)
        copyfile(earlier / "tokenizer.json", vocabulary)
    if not vocabulary.exists():
        tokenizer.train(vocabulary)
    source = TEMPLATE.read_text(encoding="utf-8")
    recipe = Recipe(legs=tuple(options.legs), shares=tuple(options.shares), compiled=options.compiled)
    if len(recipe.shares) != len(recipe.legs):
        parser.error("give as many --shares as --legs")
    run = Run(recipe, vocabulary, ChatTemplate(source), options.work)
    if earlier and not (options.work / "state.pt").exists():
        run.begin_with(earlier)
    if not options.export_only:
        run.train()
    header = Header(
        name="persona-starter",
        trained_context=recipe.longest,
        memory_tokens=MEMORY_TOKENS,
        chat_template=source,
        extra={"persona.starter": True, "general.license": "apache-2.0"},
    )
    write_qwen3(options.out, run.model.config, run.result(), vocabulary, header)
    print(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
