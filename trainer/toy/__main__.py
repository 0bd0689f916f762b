"""The toy project in one command.

python -m trainer.toy [--data FOLDER] [--model NAME_OR_GGUF] [--json FILE]
"""

import argparse
import json
import sys
from pathlib import Path

from persona.cli.output import note, say
from trainer.engines import choose
from trainer.models import resolve


def main() -> int:
    """The command; 0 unless the toy says to pivot."""
    choose.require_libraries()
    from trainer.toy import project

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with train.jsonl and test.jsonl; else data/toy")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--json", type=Path, help="write the figures there")
    chosen = parser.parse_args()
    figures = project.run(chosen.data or project.toy_dir(), resolve(chosen.model), note)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    say(project.markdown(figures))
    return int(figures["verdict"].startswith("PIVOT"))


if __name__ == "__main__":
    sys.exit(main())
