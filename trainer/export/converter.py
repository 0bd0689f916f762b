"""llama.cpp's own converter, for kinds of model that this project writes no GGUF of: found, not bundled.

It is no package of its own; it lies in llama.cpp's sources, and so in the source archive of llama-cpp-python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from persona import config
from persona.errors import ModelError

SCRIPT = "convert_hf_to_gguf.py"
_SAID = 300
"""Characters of the converter's last words that an error repeats."""


def convert(folder: Path, out: Path) -> None:
    """Have llama.cpp's converter write the model in `folder` as an F16 GGUF, in one step.

    Raises ModelError when there is no converter, or with its last words when it fails.
    """
    told = config.load().train.converter
    script = Path(told).expanduser() if told else Path(shutil.which(SCRIPT) or SCRIPT)
    if not script.is_file():
        raise ModelError(
            f"there is no converter at {script}" if told else f"llama.cpp's {SCRIPT} is not on PATH",
            f"the model lies in {folder}, and `persona models use` takes it as it is; for a GGUF: `git clone"
            f" https://github.com/ggml-org/llama.cpp`, `persona config set train.converter FOLDER/{SCRIPT}`",
        )
    part = out.with_name(out.name + ".part")
    part.unlink(missing_ok=True)
    arguments = [str(folder), "--outfile", str(part), "--outtype", "f16"]
    ran = subprocess.run(
        [sys.executable, str(script), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if ran.returncode or not part.is_file():
        part.unlink(missing_ok=True)
        said = ran.stdout.decode(errors="replace").strip()[-_SAID:]
        raise ModelError(
            f"{script.name} could not write {out.name}: {said or ran.returncode}",
            f"it ran under {sys.executable} and may want a library there, such as sentencepiece",
        )
    os.replace(part, out)
